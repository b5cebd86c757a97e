package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hearth/rpc"
	"hearth/server"
	"hearth/wire"
)

// serveConfig is what an operator may set; the empty one works. Each flag has a
// variable of the environment with the same meaning, which the flag overrides.
type serveConfig struct {
	data         string // --data, HEARTH_DATA: the server's folder
	listen       string // --listen, HEARTH_LISTEN: host:port
	domain       string // --domain, HEARTH_DOMAIN: the name in handles; default the host:port
	registration string // --registration, HEARTH_REGISTRATION: open, invite or closed
	keep         string // --keep, HEARTH_KEEP: how long a message is kept for devices that are away
	blobs        string // --blobs, HEARTH_BLOBS: what all blobs may take on the disk
	blobsADay    string // --blobs-a-day, HEARTH_BLOBS_A_DAY: what one conversation may upload in a day
}

func (a *app) serveCommand() *cobra.Command {
	var c serveConfig
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Keep a house: run the server",
		Args:  exactly(0, ""),
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context(), c) },
	}
	cmd.Flags().StringVar(&c.data, "data", env("HEARTH_DATA", "./hearth-data"), "the folder of the server's data")
	cmd.Flags().StringVar(&c.listen, "listen", env("HEARTH_LISTEN", "localhost:8420"), "the address to listen on")
	cmd.Flags().StringVar(&c.domain, "domain", env("HEARTH_DOMAIN", ""), "the name of the house, as in bob@example.org (default where it listens)")
	cmd.Flags().StringVar(&c.registration, "registration", env("HEARTH_REGISTRATION", "open"), "who may make an account: open, invite or closed")
	cmd.Flags().StringVar(&c.keep, "keep", env("HEARTH_KEEP", "30d"), "how long messages wait for devices that are away, 1h to 30d; what is there already stays as long as it was to")
	cmd.Flags().StringVar(&c.blobs, "blobs", env("HEARTH_BLOBS", "16GiB"), "how much of the disk sealed files may take, all together: backups, the history that new devices are given, large groups; from 1MiB on")
	cmd.Flags().StringVar(&c.blobsADay, "blobs-a-day", env("HEARTH_BLOBS_A_DAY", "8GiB"), "how much of that one conversation, or one person's backup, may upload in a day; from 1MiB on")
	return cmd
}

// keepLeast is the shortest that an operator may keep messages: with less, a night
// would lose them.
const keepLeast = time.Hour

func env(name, otherwise string) string { return firstOf(os.Getenv(name), otherwise) }

// registrations are the words for an operator's policy.
var registrations = map[string]server.Registration{"open": server.Open, "invite": server.ByInvitation, "closed": server.Closed}

// serving is what serve says when it is ready.
type serving struct {
	URL          string `json:"url"`
	Domain       string `json:"domain"`
	Data         string `json:"data"`
	Registration string `json:"registration"`
}

func (a *app) serve(ctx context.Context, c serveConfig) error {
	policy, ok := registrations[c.registration]
	if !ok {
		return wire.Errorf(wire.BadInput, "registration can't be %q", c.registration).WithNext("choose open, invite or closed")
	}
	keep, err := rpc.ParseDuration(c.keep)
	if err != nil || keep < keepLeast || keep > wire.MaxTTL {
		return wire.Errorf(wire.BadInput, "messages can't be kept for %q", c.keep).WithNext("choose 1h to 30d, as in --keep 7d")
	}
	blobs, err := size("blobs", c.blobs)
	if err != nil {
		return err
	}
	blobsADay, err := size("blobs-a-day", c.blobsADay)
	if err != nil {
		return err
	}
	lock, err := lockFolder(c.data)
	if err != nil {
		return err
	}
	defer lock.Close()
	l, err := net.Listen("tcp", c.listen)
	if err != nil {
		return wire.Errorf(wire.BadInput, "the address %s can't be listened on: %w", c.listen, bare(err)).WithNext("choose another with --listen, or stop what is using it")
	}
	at := hostPort(c.listen, l.Addr())
	s, err := server.New(server.Config{
		Dir:          c.data,
		Domain:       firstOf(c.domain, at),
		Registration: policy,
		Keep:         keep,
		Limits:       server.Limits{BlobBytes: blobs, BlobRoomBytes: blobsADay},
		Log:          slog.New(slog.NewTextHandler(a.err, nil)),
	})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	admin, err := listenSocket(c.data, adminSocket)
	if err != nil {
		return errors.Join(err, s.Close(), l.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var parts sync.WaitGroup
	ended := make(chan error, 3)
	run := func(f func() error) {
		parts.Go(func() {
			ended <- f()
			stop() // one that ends takes the others along
		})
	}
	run(func() error { return s.Run(ctx) })
	run(func() error { return s.Serve(ctx, l) })
	run(func() error { return serveAdmin(ctx, admin, s) })
	ready := serving{URL: "http://" + at, Domain: firstOf(c.domain, at), Data: c.data, Registration: c.registration}
	if err := show(a, ready, servingWords); err != nil {
		stop()
	}
	parts.Wait()
	return errors.Join(<-ended, <-ended, <-ended)
}

func servingWords(w io.Writer, s serving) {
	fmt.Fprintf(w, "Hearth is at %s\n", s.URL)
	who := map[string]string{"open": "anybody", "invite": "whoever you invite (hearth admin invite)", "closed": "nobody"}[s.Registration]
	facts(w, "name", s.Domain, "data", s.Data, "new accounts", who)
	fmt.Fprintln(w, "Stop it with Ctrl-C.")
}

// sizeLeast is the smallest that blobs may be held to: with less, a group of some
// dozens finds no room for its tree.
const sizeLeast = 1 << 20

// sizes are the units of a size.
var sizes = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// size reads a size as people type it: 500MiB, 16GiB.
func size(flag, text string) (int64, error) {
	wrong := wire.Errorf(wire.BadInput, "blobs can't be held to %q", text).WithNext("choose a size from 1MiB on, as in --" + flag + " 500MiB or --" + flag + " 16GiB")
	for _, unit := range sizes {
		digits, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || n > math.MaxInt64/unit.bytes || n*unit.bytes < sizeLeast {
			return 0, wrong
		}
		return n * unit.bytes, nil
	}
	return 0, wrong
}

// hostPort returns where people find what listens: the host as it was named,
// with the port as it is. A listener on every address goes by the machine's name.
func hostPort(named string, addr net.Addr) string {
	host, _, err := net.SplitHostPort(named)
	_, port, err2 := net.SplitHostPort(addr.String())
	if err != nil || err2 != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		if host, err = os.Hostname(); err != nil {
			host = "localhost"
		}
	}
	return net.JoinHostPort(host, port)
}
