package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// ServeBench is the server's side of a bench, in a process of its own: it serves dir on a free port of
// loopback until in ends, says its URL on out in one line, and for each byte of
// in how many records it has written in another. It is the server as it always
// is, but for the budgets that a stranger has: here one stranger is all.
func ServeBench(ctx context.Context, dir string, in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	cfg := Config{Dir: dir, Domain: l.Addr().String(), Limits: Limits{Conns: 1 << 20, Rooms: 1 << 30, Frames: 1e9, Bytes: 1e12}}
	cfg.Store.RoomBytes = 4 << 30
	s, err := New(cfg)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	var parts sync.WaitGroup
	var served, ran error
	parts.Go(func() { served = s.Serve(ctx, l); stop() })
	parts.Go(func() { ran = s.Run(ctx); stop() })
	fmt.Fprintln(out, "http://"+l.Addr().String())
	// A read of in cannot be cancelled: it ends with the process.
	go func() {
		defer stop()
		for asked := bufio.NewReader(in); ; {
			if _, err := asked.ReadByte(); err != nil {
				return
			}
			fmt.Fprintln(out, s.Counters().Records)
		}
	}()
	parts.Wait()
	return errors.Join(served, ran)
}
