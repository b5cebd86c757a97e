package peertest

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"hearth/mls"
)

// benchOperations in the order of the table. tsmls/bench.mjs does the same.
var benchOperations = []string{"add all", "join", "update commit", "process", "encrypt 1 KiB", "decrypt 1 KiB"}

// BenchmarkPeer measures ts-mls, with each of its two crypto providers, and
// package mls in the same run, and prints a table in milliseconds:
//
//	go test -run - -bench Peer -benchtime 1x ./mls/peertest
//
// What is measured is processor time, of all threads, each side inside its own
// process: that means something on a busy machine, too. The figures are means;
// ts-mls is warmed up first, for its code to be compiled.
func BenchmarkPeer(b *testing.B) {
	p := startPeer(b)
	var table strings.Builder
	table.WriteString("| suite | members | operation | ts-mls, WebCrypto | ts-mls, noble | ours | times as fast as the better |\n|---|---|---|---|---|---|---|\n")
	for b.Loop() {
		for _, provider := range []string{"webcrypto", "noble"} {
			for _, suite := range []uint16{1, 0xF001} {
				must(b)(p.call(call{Op: "bench", Suite: suite, Members: 16, Rounds: 20, Provider: provider}))
			}
		}
		for _, c := range []struct {
			suite   uint16
			members int
			rounds  int
		}{{1, 2, 40}, {1, 16, 20}, {1, 128, 8}, {1, 512, 4}, {0xF001, 2, 20}, {0xF001, 16, 10}, {0xF001, 128, 6}} {
			ours, err := benchOurs(mls.Suite(c.suite), c.members, c.rounds)
			if err != nil {
				b.Fatal(err)
			}
			theirs := map[string]map[string]float64{}
			for _, provider := range []string{"webcrypto", "noble"} {
				theirs[provider] = must(b)(p.call(call{Op: "bench", Suite: c.suite, Members: c.members, Rounds: c.rounds, Provider: provider})).Milliseconds
			}
			for _, name := range benchOperations {
				web, noble, our := theirs["webcrypto"][name], theirs["noble"][name], ours[name]
				fmt.Fprintf(&table, "| %#x | %d | %s | %.3g | %.3g | %.3g | %.1f |\n", c.suite, c.members, name, web, noble, our, min(web, noble)/our)
			}
		}
	}
	fmt.Print(table.String())
}

// benchOurs gives the mean of each operation in milliseconds.
func benchOurs(s mls.Suite, members, rounds int) (map[string]float64, error) {
	times := map[string][]float64{}
	timed := func(name string, f func() error) error {
		start := processorTime()
		err := f()
		times[name] = append(times[name], processorTime()-start)
		return err
	}
	var hosts []*host
	for i := range members {
		h, err := newHost(uint16(s), fmt.Sprintf("member %d", i))
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}

	var alice, bob *mls.Group
	setups := rounds
	if members > 100 {
		setups = min(rounds, 3)
	}
	for range setups {
		var welcome []byte
		var all []*mls.KeyPackage
		for _, h := range hosts[1:] {
			all = append(all, h.kp)
		}
		err := timed("add all", func() error {
			g, err := mls.NewGroup(mls.GroupConfig{Suite: s}, hosts[0].identity, lifetime)
			if err != nil {
				return err
			}
			c, err := g.Commit(mls.CommitOptions{Add: all, InlineTree: true, NoPath: true})
			if err != nil {
				return err
			}
			c.Message()
			welcome = c.WelcomeAll()
			alice = c.Staged().Apply()
			return nil
		})
		if err != nil {
			return nil, err
		}
		err = timed("join", func() (err error) {
			bob, _, err = mls.Join(welcome, hosts[1].kp, hosts[1].secrets, mls.JoinOptions{})
			return err
		})
		if err != nil {
			return nil, err
		}
	}

	for round := range rounds {
		from, to := &alice, &bob
		if round%2 == 1 {
			from, to = to, from
		}
		var message []byte
		err := timed("update commit", func() error {
			c, err := (*from).Commit(mls.CommitOptions{PadTo: 256})
			if err != nil {
				return err
			}
			message = c.Message()
			*from = c.Staged().Apply()
			return nil
		})
		if err != nil {
			return nil, err
		}
		err = timed("process", func() error {
			staged, err := (*to).Process(message)
			if err != nil {
				return err
			}
			*to = staged.Apply()
			return nil
		})
		if err != nil {
			return nil, err
		}
	}

	for range 5 * rounds {
		var message []byte
		err := timed("encrypt 1 KiB", func() (err error) {
			message, err = alice.Encrypt(make([]byte, 1024), 0)
			return err
		})
		if err != nil {
			return nil, err
		}
		err = timed("decrypt 1 KiB", func() error {
			staged, err := bob.Process(message)
			if err != nil {
				return err
			}
			staged.Apply()
			return nil
		})
		if err != nil {
			return nil, err
		}
	}

	means := map[string]float64{}
	for name, list := range times {
		for _, t := range list {
			means[name] += t / float64(len(list))
		}
	}
	return means, nil
}

// processorTime is what this process has used, in milliseconds.
func processorTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}
