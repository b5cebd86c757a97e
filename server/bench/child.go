package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"hearth/server"
)

// Child is the server's side of a bench: it serves dir on a free port of
// loopback until in ends, says its URL on out in one line, and for each byte of
// in how many records it has written in another. It is the server as it always
// is, but for the budgets that a stranger has: here one stranger is all.
func Child(ctx context.Context, dir string, in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cfg := server.Config{Dir: dir, Limits: server.Limits{Conns: 1 << 20, Rooms: 1 << 30, Frames: 1e9, Bytes: 1e12}}
	cfg.Store.RoomBytes = 4 << 30
	s, err := server.New(cfg)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, s.Close())
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

// StartCommand starts a command that calls Child on a temporary folder, and
// removes the folder when it has stopped.
func StartCommand(command func(dir string) *exec.Cmd) (*Process, error) {
	dir, err := os.MkdirTemp("", "hearth-bench-")
	if err != nil {
		return nil, err
	}
	cmd := command(dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop := func() error {
		in.Close()
		return errors.Join(cmd.Wait(), os.RemoveAll(dir))
	}
	out := bufio.NewReader(pipe)
	url, err := out.ReadString('\n')
	if err != nil {
		cmd.Process.Signal(syscall.SIGTERM)
		return nil, errors.Join(fmt.Errorf("the server did not start: %w", err), stop())
	}
	records := func(context.Context) (int64, error) {
		if _, err := io.WriteString(in, "?"); err != nil {
			return 0, err
		}
		line, err := out.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	}
	return &Process{URL: strings.TrimSpace(url), PID: cmd.Process.Pid, Records: records, Stop: stop}, nil
}
