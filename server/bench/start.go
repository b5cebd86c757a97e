package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// StartCommand starts a command that calls server.ServeBench on a temporary
// folder, and removes the folder when it has stopped.
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
