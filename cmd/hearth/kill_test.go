package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hearth/core"
	"hearth/rpc"
)

// meet registers a reader and senders, lets them in, and returns the homes and
// the senders' handles. Each sender's first message is "hello".
func meet(t *testing.T, s *serverProcess, senders int) (reader string, homes, handles []string) {
	t.Helper()
	dir := t.TempDir()
	reader = filepath.Join(dir, "reader")
	process(t, "--home", reader, "register", "reader", "--server", s.url())
	for i := range senders {
		home := filepath.Join(dir, fmt.Sprintf("s%d", i))
		me := process(t, "--home", home, "register", fmt.Sprintf("sender%d", i), "--server", s.url())
		if sent := process(t, "--home", home, "send", "reader", "hello"); sent[0]["state"] != "sent" {
			t.Fatalf("a first message is %v", sent)
		}
		homes = append(homes, home)
		handles = append(handles, me[0]["handle"].(string))
	}
	for _, r := range process(t, "--home", reader, "requests") {
		process(t, "--home", reader, "accept", r["id"].(string))
	}
	return reader, homes, handles
}

// receive reads events until every sender's texts are as long as want says, or
// a minute has passed.
func receive(t *testing.T, home string, want map[string]int) map[string][]string {
	t.Helper()
	got := map[string][]string{}
	end := time.Now().Add(time.Minute)
	for {
		for from, list := range texts(process(t, "--home", home, "recv", "--wait", "300ms")) {
			got[from] = append(got[from], list...)
		}
		done := true
		for from, n := range want {
			done = done && len(got[from]) >= n
		}
		if done || time.Now().After(end) {
			return got
		}
	}
}

func TestServerKilledWhileEightSendersPost(t *testing.T) {
	const senders, each, kills = 8, 12, 3
	s := startServer(t)
	reader, homes, handles := meet(t, s, senders)

	var sent, progress atomic.Int64
	var all sync.WaitGroup
	for i, home := range homes {
		b := startBot(t, home)
		all.Go(func() {
			for n := range each {
				var r core.Sent
				p := rpc.SendParams{To: "reader", Text: fmt.Sprintf("%d-%d", i, n), Wait: "30s"}
				if err := b.Call(t.Context(), "send", p, &r); err != nil {
					t.Errorf("sender %d, message %d: %v\n%s", i, n, err, b.said())
					return
				}
				if r.State == core.StateSent {
					sent.Add(1)
				}
				progress.Add(1)
			}
		})
	}
	for k := range kills {
		eventually(t, "posts to interrupt", func() bool { return progress.Load() > int64((k+1)*senders*each/(kills+2)) })
		s.kill()
		if took := s.start(); took > 5*time.Second {
			t.Errorf("restart %d took %v, want less than 5 s", k, took)
		} else {
			t.Logf("restart %d took %v", k, took)
		}
	}
	all.Wait()
	t.Logf("%d of %d messages were acknowledged as sent", sent.Load(), senders*each)
	if sent.Load() < senders*each/2 {
		t.Errorf("only %d of %d messages were sent", sent.Load(), senders*each)
	}

	want := map[string]int{}
	for _, h := range handles {
		want[h] = each + 1
	}
	got := receive(t, reader, want)
	for i, h := range handles {
		inOrder := []string{"hello"}
		for n := range each {
			inOrder = append(inOrder, fmt.Sprintf("%d-%d", i, n))
		}
		if !slices.Equal(got[h], inOrder) {
			t.Errorf("from sender %d came %q, want %q", i, got[h], inOrder)
		}
	}
}

func TestClientKilledWhileItSends(t *testing.T) {
	const kills, most = 6, 8
	s := startServer(t)
	reader, homes, handles := meet(t, s, 1)
	random := rand.New(rand.NewPCG(1, 2))

	taken := []string{"hello"} // answered: sent, or kept to be sent
	maybe := map[string]bool{} // asked, and killed before the answer
	var n int
	for range kills {
		b := startBot(t, homes[0])
		if err := b.Call(t.Context(), "whoami", rpc.None{}, nil); err != nil {
			t.Fatalf("after a kill: %v\n%s", err, b.said())
		}
		deadline := time.AfterFunc(time.Duration(random.IntN(400))*time.Millisecond, b.kill)
		for range most {
			text := fmt.Sprint(n)
			n++
			var r core.Sent
			if err := b.Call(t.Context(), "send", rpc.SendParams{To: "reader", Text: text}, &r); err != nil {
				maybe[text] = true
				break
			}
			taken = append(taken, text)
		}
		deadline.Stop()
		b.kill()
	}
	last := fmt.Sprint(n)
	if sent := process(t, "--home", homes[0], "send", "reader", last); sent[0]["state"] != "sent" {
		t.Errorf("the last message is %v, want sent", sent[0])
	}
	taken = append(taken, last)

	got := receive(t, reader, map[string]int{handles[0]: len(taken)})[handles[0]]
	t.Logf("%d kills, %d messages taken, %d unanswered, %d arrived", kills, len(taken), len(maybe), len(got))
	var known []string
	for _, text := range got {
		if !maybe[text] {
			known = append(known, text)
		}
		delete(maybe, text) // a second one is not excused
	}
	if !slices.Equal(known, taken) {
		t.Errorf("arrived %q, want %q, each once and in order", known, taken)
	}
}

func TestSIGTERMEndsInOrder(t *testing.T) {
	s := startServer(t)
	home := filepath.Join(t.TempDir(), "home")
	process(t, "--home", home, "register", "alice", "--server", s.url())
	daemon := exec.Command("hearth", "--home", home, "daemon")
	var errs bytes.Buffer
	daemon.Stderr = &errs
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	at, err := socketPath(home, homeSocket)
	if err != nil {
		t.Fatal(err)
	}
	if err := answers("unix", at); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*exec.Cmd{"daemon": daemon, "serve": s.running} {
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err != nil {
			t.Errorf("%s ended with %v, want exit 0\n%s%s", name, err, errs.String(), s.errs.String())
		}
	}
	s.running = nil
	s.start() // what it left can be served again
	process(t, "--home", home, "requests")
}
