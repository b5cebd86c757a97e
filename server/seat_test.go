package server

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

func TestCreditIsAWindow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(1)
		for i := range 200 {
			c.send(r, fmt.Sprint(i))
		}
		q := r.open(0, 1)
		q.Credit = 2
		c.must(wire.OpSeatOpen, q, &wire.SeatOpened{})
		c.entry()
		c.entry()
		c.silent()
		c.must(wire.OpSeatCredit, wire.SeatCredit{Handle: 1, More: 150}, nil)
		for i := range 150 {
			if e := c.entry(); e.Number != wire.Number(4+i) {
				t.Fatalf("got %d, want %d", e.Number, 4+i)
			}
		}
		c.silent()
		c.must(wire.OpSeatCredit, wire.SeatCredit{Handle: 1, More: 1000}, nil)
		for range 48 {
			c.entry()
		}
		if l := c.live(); l.Head != 201 {
			t.Errorf("got %+v", l)
		}
		c.refused(wire.Denied, wire.OpSeatCredit, wire.SeatCredit{Handle: 2, More: 1})
		c.refused(wire.BadInput, wire.OpSeatOpen, r.open(0, 1))
	})
}

func TestSeatOpenedElsewhereEndsTheFirst(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.client(), w.client()
		r := a.room(1)
		a.openLive(r, 0, 1)
		b.openLive(r, 0, 1)
		if x := a.closed(); x.Code != wire.Denied || x.Handle != 1 {
			t.Errorf("got %+v", x)
		}
		a.refused(wire.Denied, wire.OpSeatAck, wire.SeatAck{Handle: 1, Through: 1})
		b.send(r, "x")
		b.entry()
		a.silent()
	})
}

func TestAcknowledgementsAreCumulative(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(2)
		for i := range 5 {
			c.send(r, fmt.Sprint(i))
		}
		open := func() wire.SeatOpened {
			var o wire.SeatOpened
			c.must(wire.OpSeatOpen, r.open(0, 1), &o)
			return o
		}
		open()
		for range 5 {
			c.entry()
		}
		c.live()
		c.ack(1, 4)
		c.ack(1, 2) // takes nothing back
		c.refused(wire.BadInput, wire.OpSeatAck, wire.SeatAck{Handle: 1, Through: 7})
		time.Sleep(3 * time.Second)
		w.restart()
		c = w.client()
		if o := open(); o.Cursor != 4 || o.Head != 6 {
			t.Errorf("got %+v", o)
		}
		if e := c.entry(); e.Number != 5 {
			t.Errorf("got %d, want 5", e.Number)
		}
		c.entry()
		c.live()
		c.must(wire.OpSeatClose, wire.SeatClose{Handle: 1}, nil)
		q := r.open(0, 2)
		q.After = 5 // the device has more than it acknowledged
		c.must(wire.OpSeatOpen, q, &wire.SeatOpened{})
		if e := c.entry(); e.Number != 6 {
			t.Errorf("got %d, want 6", e.Number)
		}
	})
}

func TestRename(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(2)
		c.openLive(r, 0, 1)
		own := newKey()
		q := wire.SeatRename{Room: r.id, Seat: r.seats[0].id, Secret: r.seats[0].secret, New: own.seat()}
		wrong := q
		wrong.Secret = wire.NewSecret()
		c.refused(wire.Denied, wire.OpSeatRename, wrong)
		taken := q
		taken.New.ID = r.seats[1].id
		c.refused(wire.Denied, wire.OpSeatRename, taken)
		c.must(wire.OpSeatRename, q, nil)
		if x := c.closed(); x.Code != wire.Denied {
			t.Errorf("got %+v", x)
		}
		c.must(wire.OpSeatRename, q, nil)                                                                                               // repeated
		c.must(wire.OpSeatRename, wire.SeatRename{Room: r.id, Seat: own.id, Secret: own.secret, New: own.seat()}, nil)                  // with the new secret
		c.refused(wire.Denied, wire.OpSeatRename, wire.SeatRename{Room: r.id, Seat: own.id, Secret: wire.NewSecret(), New: own.seat()}) // with neither
		c.refused(wire.Denied, wire.OpSeatOpen, r.open(0, 1))
		r.seats[0] = own
		w.restart()
		c = w.client()
		c.openLive(r, 0, 1)
	})
}

func TestWrongSeatsAndSecretsAreDeniedAlike(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(1)
		var texts []string
		for _, q := range []wire.SeatOpen{
			{Handle: 1, Room: wire.NewRoomID(1), Seat: r.seats[0].id, Secret: r.seats[0].secret},
			{Handle: 1, Room: r.id, Seat: wire.NewSeatID(1), Secret: r.seats[0].secret},
			{Handle: 1, Room: r.id, Seat: r.seats[0].id, Secret: wire.NewSecret()},
			{Handle: 1, Room: r.id, Seat: r.seats[0].id},
		} {
			texts = append(texts, fmt.Sprint(c.call(wire.OpSeatOpen, q, &wire.SeatOpened{})))
			c.refused(wire.Denied, wire.OpSeatOpen, q)
		}
		for _, s := range texts {
			if s != texts[0] {
				t.Errorf("%q tells more than %q", s, texts[0])
			}
		}
	})
}

func TestOrderHoldsAcrossManySendersAndCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Store.JournalBytes = 64 << 10 })
		reader := w.client()
		r := reader.room(1)
		q := r.open(0, 1)
		q.Credit = 1 << 30
		reader.must(wire.OpSeatOpen, q, &wire.SeatOpened{})
		reader.live()
		const senders, posts = 8, 200
		for i := range senders {
			c := w.client()
			go func() {
				for j := range posts {
					var a wire.Appended
					if err := c.call(wire.OpRoomPost, r.post(fmt.Sprintf("%d/%04d %s", i, j, make([]byte, 500))), &a); err != nil {
						t.Errorf("post: %v", err)
					}
				}
			}()
		}
		last := map[string]string{}
		for n := range senders * posts {
			e := reader.entry()
			if e.Number != wire.Number(n+2) {
				t.Fatalf("got number %d, want %d", e.Number, n+2)
			}
			who, what := string(e.Payload[:1]), string(e.Payload[2:6])
			if what <= last[who] && last[who] != "" {
				t.Fatalf("sender %s: %s after %s", who, what, last[who])
			}
			last[who] = what
			if n%50 == 0 {
				reader.ack(1, e.Number)
			}
		}
		synctest.Wait()
	})
}
