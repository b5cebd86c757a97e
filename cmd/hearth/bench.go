package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"hearth/server"
	"hearth/server/bench"
)

func (a *app) benchCommand() *cobra.Command {
	var o bench.Options
	cmd := &cobra.Command{
		Use:   "bench idle|deliver|offline|group",
		Short: "Load a server of this machine and measure it",
		Args:  exactly(1, "NAME: idle, deliver, offline or group"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Bench = args[0]
			o.Start = a.startBenchServer
			r, err := bench.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			a.json = true // its fields are the contract; there is no other form
			return show(a, r, func(io.Writer, *bench.Result) {})
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Seconds, "seconds", 5, "how long each run posts")
	f.IntVar(&o.Runs, "runs", 1, "how many runs; the median one is shown")
	f.StringVar(&o.Server, "server", "", "a server of this machine (default: one of its own, in a temporary folder)")
	f.IntVar(&o.Connections, "connections", 1000, "connections of idle")
	f.IntVar(&o.Seats, "seats", 0, "seats of a connection of idle (default 5), or of the room of group (default 200)")
	f.IntVar(&o.Pairs, "pairs", 32, "rooms of two of deliver and offline")
	f.IntVar(&o.Bytes, "bytes", 1024, "bytes of a payload")
	f.IntVar(&o.Outstanding, "outstanding", 8, "posts under way for each sender")
	f.BoolVar(&o.Receipts, "receipts", false, "let receivers send receipts")
	cmd.AddCommand(a.benchServerCommand())
	return cmd
}

// benchServerCommand is what bench starts: the server in a process of its own,
// so that its use of the machine is told apart.
func (a *app) benchServerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "server DIR",
		Hidden: true,
		Args:   exactly(1, "DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return server.ServeBench(cmd.Context(), args[0], a.in, a.out)
		},
	}
}

func (a *app) startBenchServer(context.Context) (*bench.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return bench.StartCommand(func(dir string) *exec.Cmd { return exec.Command(self, "bench", "server", dir) })
}
