package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"hearth/core"
)

// lists is a Core whose list of conversations changes as it is told.
type lists struct {
	fake
	next chan []core.Room
}

func (l *lists) WatchRooms(ctx context.Context, fn func([]core.Room) error) error {
	for {
		select {
		case rooms := <-l.next:
			if err := fn(rooms); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestWatchSendsASnapshotThenChanges: all conversations first, then what has changed
// and nothing else, until it is cancelled.
func TestWatchSendsASnapshotThenChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lists{next: make(chan []core.Room)}
		near, far := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- NewServer(l).Serve(t.Context(), far) }()
		lines := make(chan string, 16)
		go func() {
			for s := bufio.NewScanner(near); s.Scan(); {
				if !strings.Contains(s.Text(), `"lock"`) {
					lines <- s.Text()
				}
			}
		}()
		say := func(line string) {
			if _, err := near.Write([]byte(line + "\n")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		say(`{"jsonrpc":"2.0","id":7,"method":"rooms.watch"}`)
		a, b := core.Room{Room: "a"}, core.Room{Room: "b"}
		more := b
		more.Unread = 1
		for _, c := range []struct {
			rooms []core.Room
			want  string
		}{
			{[]core.Room{a, b}, "snapshot: a b of a b"},
			{[]core.Room{a, b}, ""},
			{[]core.Room{a, more}, "b of a b"},
			{[]core.Room{more, a}, " of b a"},
			{[]core.Room{a}, " of a"},
			{nil, " of "},
		} {
			l.next <- c.rooms
			synctest.Wait()
			got := ""
			select {
			case line := <-lines:
				var m struct {
					Method string
					Params RoomsParams
				}
				if err := json.Unmarshal([]byte(line), &m); err != nil || m.Method != "rooms" || string(m.Params.Subscription) != "7" {
					t.Fatalf("%s: %v", line, err)
				}
				var names []string
				for _, r := range m.Params.Rooms {
					names = append(names, r.Room)
				}
				if m.Params.Snapshot {
					got = "snapshot: "
				}
				got += strings.Join(names, " ") + " of " + strings.Join(m.Params.Order, " ")
			default:
			}
			if got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
		}
		say(`{"jsonrpc":"2.0","method":"cancel","params":{"id":7}}`)
		if line := <-lines; !strings.Contains(line, `"id":7`) || strings.Contains(line, "method") {
			t.Errorf("when it was cancelled: %s", line)
		}
		near.Close()
		<-served
	})
}
