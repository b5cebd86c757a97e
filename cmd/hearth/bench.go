package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hearth/server"
	"hearth/server/bench"
	"hearth/wire"
)

func (a *app) benchCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Measure a server, or a device", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	var o bench.Options
	cmd.PersistentFlags().IntVar(&o.Seconds, "seconds", 5, "how long each run posts")
	cmd.PersistentFlags().IntVar(&o.Runs, "runs", 1, "how many runs; the median one is reported")
	cmd.PersistentFlags().StringVar(&o.Server, "server", "", "a server on this machine (default one of its own, in a temporary folder)")

	add := func(name, short string) *cobra.Command {
		c := &cobra.Command{Use: name, Short: short, Args: exactly(0, ""), RunE: func(cmd *cobra.Command, _ []string) error {
			o.Bench = name
			return a.bench(cmd.Context(), o)
		}}
		cmd.AddCommand(c)
		return c
	}
	idle := add("idle", "Connections that do nothing")
	idle.Flags().IntVar(&o.Connections, "connections", 1000, "how many")
	deliver := add("deliver", "From senders to receivers who are there")
	offline := add("offline", "Storing for receivers who are away, and their fetching")
	for _, c := range []*cobra.Command{deliver, offline} {
		c.Flags().IntVar(&o.Pairs, "pairs", 32, "rooms of two")
		c.Flags().IntVar(&o.Bytes, "bytes", 1024, "the size of a payload")
		c.Flags().IntVar(&o.Outstanding, "outstanding", 8, "posts of one sender under way")
	}
	deliver.Flags().BoolVar(&o.Receipts, "receipts", false, "receivers answer with receipts")
	group := add("group", "One room with many seats")
	// Two commands, two defaults: each writes its own into the flag's variable.
	var idleSeats, groupSeats int
	idle.Flags().IntVar(&idleSeats, "seats", 5, "seats of each connection")
	group.Flags().IntVar(&groupSeats, "seats", 200, "seats of the room")
	idle.PreRun = func(*cobra.Command, []string) { o.Seats = idleSeats }
	group.PreRun = func(*cobra.Command, []string) { o.Seats = groupSeats }

	cmd.AddCommand(a.clientBenchCommands(&o.Runs)...)
	cmd.AddCommand(&cobra.Command{Use: benchServer + " DIR", Hidden: true, Args: exactly(1, "a DIR"), RunE: func(cmd *cobra.Command, args []string) error {
		return server.ServeBench(cmd.Context(), args[0], a.in, a.out)
	}})
	return cmd
}

// benchServer is the command with which a bench starts its server, so that the
// two are told apart.
const benchServer = "its-server"

func (a *app) bench(ctx context.Context, o bench.Options) error {
	if o.Server != "" {
		if _, err := serverURL(o.Server); err != nil {
			return err
		}
	}
	o.Start = startBenchServer
	r, err := bench.Run(ctx, o)
	if err != nil {
		return err
	}
	return show(a, r, benchWords)
}

// startBenchServer starts this program again, as a server.
func startBenchServer(ctx context.Context) (*bench.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return bench.StartCommand(func(dir string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, program, "bench", benchServer, dir)
		cmd.Args[0] = os.Args[0]
		return cmd
	})
}

// benchWords lays out a result as a table of its fields.
func benchWords[T any](w io.Writer, r T) {
	b, err := json.Marshal(r)
	var fields map[string]any
	if err == nil {
		err = json.Unmarshal(b, &fields)
	}
	if err != nil {
		fmt.Fprintln(w, wire.ErrInternal.Message)
		return
	}
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	var pairs []string
	for _, name := range names {
		text := fmt.Sprint(fields[name])
		if f, ok := fields[name].(float64); ok {
			text = number(f)
		}
		pairs = append(pairs, name, text)
	}
	facts(w, pairs...)
}

// number shows a figure to three digits; those before the point all count.
func number(f float64) string {
	places := 0
	for at := math.Abs(f); at > 0 && at < 100 && places < 6; at *= 10 {
		places++
	}
	text := strconv.FormatFloat(f, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
