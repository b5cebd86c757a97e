package core

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// TestOneReadersEndKeepsTheConnection: whoever leaves a conversation does not
// lose the connection over which the others are read.
func TestOneReadersEndKeepsTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		alice.send("bob", "hello")
		bob.accept()
		for range 8 {
			g, err := alice.c.GroupNew(alice.ctx(), "friends", []string{"bob"})
			if err != nil {
				t.Fatal(err)
			}
			bob.accept()
			synctest.Wait()
			var dials atomic.Int32
			w.mu.Lock()
			w.wrap = func(c wire.Conn) wire.Conn { dials.Add(1); return c }
			w.mu.Unlock()
			if _, err := bob.c.GroupLeave(bob.ctx(), g.Room); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if n := dials.Load(); n != 0 {
				t.Fatalf("%d new connections after a leave", n)
			}
		}
	})
}
