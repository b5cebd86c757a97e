// Command hearth is the whole of Hearth in one program: the server (serve), a
// person's commands, and the JSON-RPC API on stdio (rpc).
//
// The commands are thin: parse, one rpc call, print. They promise the fields
// and codes of the command line's contract and hold no rule of their own. One
// process owns a home at a time; see home.go for how the others join it.
//
// Start with root.go, then any command: one file each.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

// run is main as a function, so that tests can be the program.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.SetOutput(io.Discard) // net/http would write what strangers send to stderr
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, open: openHome, renew: renew}
	return a.run(ctx, os.Args[1:])
}
