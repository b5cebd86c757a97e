package core

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatchRooms: the list comes at once and with every change: a message, who is
// writing, and that they are no more.
func TestWatchRooms(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "hello").Room
		bob.accept()
		bob.got()
		ctx, cancel := context.WithCancel(t.Context())
		last, lists := "", 0
		ended := make(chan error, 1)
		go func() {
			ended <- bob.c.WatchRooms(ctx, func(rooms []Room) error {
				lists++
				var out []string
				for _, r := range rooms {
					out = append(out, fmt.Sprint(r.Unread, len(r.Typing)))
				}
				last = strings.Join(out, ",")
				return nil
			})
		}()
		see := func(when, want string) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if last != want {
				t.Errorf("%s: %q, want %q", when, last, want)
			}
		}
		see("at once", "0 0")
		must(alice.c.Typing(alice.ctx(), room, false))
		see("while she writes", "0 1")
		time.Sleep(10 * time.Second)
		see("later", "0 0")
		alice.send(room, "words")
		see("with a message", "1 0")
		if lists > 20 {
			t.Errorf("%d lists", lists)
		}
		cancel()
		if err := <-ended; err == nil {
			t.Error("it ended without a word")
		}
	})
}
