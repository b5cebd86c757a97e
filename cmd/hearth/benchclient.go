package main

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"hearth/core"
	clients "hearth/core/bench"
	"hearth/store/home"
	"hearth/wire"
)

// clientBenchCommands are the benches of what a person waits for. They make their
// own server and homes, in a temporary folder.
func (a *app) clientBenchCommands(runs *int) []*cobra.Command {
	var cmds []*cobra.Command
	for _, b := range []struct {
		name, short string
		messages    int
	}{
		{"link", "A new device, and the history that it is given", 10_000},
		{"catchup", "A device that comes back, and how homes start", 10_000},
		{"search", "Searching a history", 100_000},
		{"send", "A message, from the word to the server's yes", 1_000},
		{"file", "A file, from one person to another", 0},
	} {
		o := new(clients.Options)
		c := &cobra.Command{Use: b.name, Short: b.short, Args: exactly(0, ""), RunE: func(cmd *cobra.Command, _ []string) error {
			for _, flag := range []string{"server", "seconds"} { // the other benches have them
				if cmd.Flags().Changed(flag) {
					return wire.Errorf(wire.BadInput, "%s takes no --%s: it makes a server of its own, and is over when it is done", cmd.CommandPath(), flag).WithNext("see " + cmd.CommandPath() + " --help")
				}
			}
			o.Bench, o.Runs = b.name, *runs
			return a.benchClients(cmd.Context(), *o)
		}}
		if b.name == "file" {
			c.Flags().IntVar(&o.MiB, "mib", 1024, "how large, MiB")
		} else {
			c.Flags().IntVar(&o.Messages, "messages", b.messages, "how many")
		}
		if b.name == "catchup" {
			c.Flags().IntVar(&o.Rooms, "rooms", 100, "the most rooms of a home that is started")
		}
		cmds = append(cmds, c)
	}
	return cmds
}

func (a *app) benchClients(ctx context.Context, o clients.Options) (err error) {
	if o.Dir, err = os.MkdirTemp("", "hearth-bench-"); err != nil {
		return homeFolder(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	o.Start = func(ctx context.Context) (clients.Server, error) {
		p, err := startBenchServer(ctx)
		if err != nil {
			return clients.Server{}, err
		}
		return clients.Server{URL: p.URL, CPUs: p.CPUs, Stop: sync.OnceValue(p.Stop)}, nil
	}
	o.Open = openBenchHome
	lines, err := clients.Run(ctx, o)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if err := show(a, l, benchWords); err != nil {
			return err
		}
	}
	return nil
}

// openBenchHome opens a home as a command does, but for the lock.
func openBenchHome(ctx context.Context, dir string) (clients.Home, error) {
	folder, err := home.Open(ctx, dir)
	if err != nil {
		return clients.Home{}, err
	}
	c, err := core.Open(ctx, core.Config{Disk: folder, Key: folder.Key(), Dial: dial, Blobs: blobs, Files: folder.Files(), Places: places{}})
	if err != nil {
		return clients.Home{}, errors.Join(err, folder.Close())
	}
	return clients.Home{Client: c, Disk: folder, Close: folder.Close}, nil
}
