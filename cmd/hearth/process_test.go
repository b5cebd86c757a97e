package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/rpc"
)

// answers waits until someone accepts connections at an address.
func answers(network, at string) error {
	end := time.Now().Add(20 * time.Second)
	for {
		conn, err := net.DialTimeout(network, at, time.Second)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("nobody answers at %s: %w", at, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// freeAddress returns an address on which a server can listen, again and again.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// process runs the program as a process of its own, to its end, and returns its
// output as objects.
func process(t *testing.T, args ...string) []map[string]any {
	t.Helper()
	cmd := exec.Command("hearth", append(args, "--json")...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("hearth %v: %v\n%s%s", args, err, out.String(), errs.String())
	}
	var objects []map[string]any
	for line := range strings.Lines(out.String()) {
		objects = append(objects, object(t, line))
	}
	return objects
}

// serverProcess is a server as a process of its own, which can be killed.
type serverProcess struct {
	t       *testing.T
	data    string
	at      string
	running *exec.Cmd
	errs    bytes.Buffer
}

func startServer(t *testing.T) *serverProcess {
	s := &serverProcess{t: t, data: t.TempDir(), at: freeAddress(t)}
	s.start()
	t.Cleanup(func() { s.kill() })
	return s
}

// start starts the server and returns how long it took until it answered.
func (s *serverProcess) start() time.Duration {
	s.t.Helper()
	begun := time.Now()
	s.running = exec.Command("hearth", "serve", "--data", s.data, "--listen", s.at)
	s.running.Stderr = &s.errs
	if err := s.running.Start(); err != nil {
		s.t.Fatal(err)
	}
	if err := answers("tcp", s.at); err != nil {
		s.t.Fatalf("%v\n%s", err, s.errs.String())
	}
	return time.Since(begun)
}

// kill ends the server with SIGKILL.
func (s *serverProcess) kill() {
	if s.running != nil {
		s.running.Process.Kill()
		s.running.Wait() // killed: no error to look at
		s.running = nil
	}
}

func (s *serverProcess) url() string { return "http://" + s.at }

// bot is "hearth rpc" as a process of its own, which can be killed.
type bot struct {
	*rpc.Client
	cmd    *exec.Cmd
	errs   bytes.Buffer
	killed sync.Once
}

func startBot(t *testing.T, home string) *bot {
	t.Helper()
	b := &bot{cmd: exec.Command("hearth", "--home", home, "rpc")}
	in, err := b.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.cmd.Stderr = &b.errs
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.Client = rpc.NewClient(pipes{out, in})
	go b.Run(t.Context())
	t.Cleanup(b.kill)
	return b
}

// said kills the process and returns what it wrote about itself.
func (b *bot) said() string {
	b.kill()
	return b.errs.String()
}

// kill ends the process with SIGKILL and waits for it. It may be called again,
// and at the same time.
func (b *bot) kill() {
	b.killed.Do(func() {
		b.cmd.Process.Kill()
		b.cmd.Wait() // killed: no error to look at
	})
}

func TestAProcessThatHangsSaysWhere(t *testing.T) {
	t.Setenv(lifeEnv, "1s")
	b := startBot(t, filepath.Join(t.TempDir(), "home"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := b.Call(ctx, "recv", rpc.ReceiveParams{Follow: true}, nil)
	if said := b.said(); err == nil || !strings.Contains(said, "is still running") || !strings.Contains(said, "rpc.(*Server).Serve") {
		t.Errorf("got %v; it said %q", err, said)
	}
}

// pipes are the two ends of a process's streams.
type pipes struct {
	io.ReadCloser
	io.WriteCloser
}

// Close closes both.
func (p pipes) Close() error { return errors.Join(p.WriteCloser.Close(), p.ReadCloser.Close()) }

// texts returns the texts of message events, by who sent them, in order.
func texts(objects []map[string]any) map[string][]string {
	by := map[string][]string{}
	for _, m := range objects {
		if m["type"] == "message" {
			from, _ := m["from"].(string)
			text, _ := m["text"].(string)
			by[from] = append(by[from], text)
		}
	}
	return by
}
