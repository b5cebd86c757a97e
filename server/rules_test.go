package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

const day = 24 * time.Hour

// bubble runs a test with a server in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}

func TestCreateIsIdempotentAndRefusesStrangers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		k, tok := newKey(), wire.NewSecret()
		req := wire.RoomCreate{Room: wire.NewRoomID(1), TokenHash: tok.Hash(), Payload: []byte("p"), Seats: []wire.NewSeat{k.seat()}}
		for range 2 {
			var a wire.Appended
			c.must(wire.OpRoomCreate, req, &a)
			if a != (wire.Appended{Number: 1, Epoch: 1}) {
				t.Fatalf("got %v", a)
			}
		}
		other := req
		other.Payload = []byte("q")
		c.refused(wire.Denied, wire.OpRoomCreate, other)
		elsewhere := req
		elsewhere.Room = wire.NewRoomID(2)
		c.refused(wire.BadInput, wire.OpRoomCreate, elsewhere)
		none := req
		none.Room, none.Seats = wire.NewRoomID(1), nil
		c.refused(wire.BadInput, wire.OpRoomCreate, none)
		twice := req
		twice.Room, twice.Seats = wire.NewRoomID(1), []wire.NewSeat{k.seat(), k.seat()}
		c.refused(wire.BadInput, wire.OpRoomCreate, twice)
		w.restart()
		c = w.client()
		c.must(wire.OpRoomCreate, req, &wire.Appended{})
		c.refused(wire.Denied, wire.OpRoomCreate, other)
	})
}

func TestPostAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(1)
		first := r.post("one")
		if n := c.send(r, "one"); n != 2 {
			t.Fatalf("got %d", n)
		}
		wrong := r.post("two")
		wrong.Token = wire.NewSecret()
		c.refused(wire.Stuck, wire.OpRoomPost, wrong)
		late := r.post("two")
		late.Epoch = 2
		c.refused(wire.Stale, wire.OpRoomPost, late)
		late.Token = wire.NewSecret()
		c.refused(wire.Stale, wire.OpRoomPost, late)
		for _, ttl := range []uint32{0, 30*86400 + 1} {
			bad := r.post("two")
			bad.TTL = ttl
			c.refused(wire.BadInput, wire.OpRoomPost, bad)
		}
		c.refused(wire.BadInput, wire.OpRoomPost, r.post(""))
		c.refused(wire.BadInput, wire.OpRoomPost, r.post(strings.Repeat("x", wire.MaxPost+1)))
		absent := r.post("x")
		absent.Room = wire.NewRoomID(1)
		c.refused(wire.Denied, wire.OpRoomPost, absent)

		// A repeat is known before the epoch is looked at, in memory and on disk.
		com, moved := r.commit(0, "c")
		c.must(wire.OpRoomCommit, com, &wire.Appended{})
		moved()
		for range 2 {
			var a wire.Appended
			c.must(wire.OpRoomPost, first, &a)
			if a != (wire.Appended{Number: 2, Epoch: 1}) {
				t.Errorf("repeat: got %v", a)
			}
			c.must(wire.OpRoomCommit, com, &a)
			if a != (wire.Appended{Number: 3, Epoch: 2}) {
				t.Errorf("repeated commit: got %v", a)
			}
			time.Sleep(5 * time.Second) // a checkpoint has moved both to SQLite
			synctest.Wait()
		}
		if n := c.send(r, "two"); n != 4 {
			t.Errorf("after repeats: got %d, want 4", n)
		}
	})
}

func TestCommitIsCompareAndSet(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(3)
		c.openLive(r, 2, 1)
		added := newKey()
		req, moved := r.commit(0, "first")
		req.Add, req.Remove = []wire.NewSeat{added.seat()}, []wire.SeatID{r.seats[2].id, wire.NewSeatID(1)}
		other, _ := r.commit(1, "second")
		c.send(r, "before")
		var a wire.Appended
		c.must(wire.OpRoomCommit, req, &a)
		if a != (wire.Appended{Number: 3, Epoch: 2}) {
			t.Fatalf("got %v", a)
		}
		c.refused(wire.Stale, wire.OpRoomCommit, other)
		old := r.post("with the old token")
		moved()
		c.refused(wire.Stale, wire.OpRoomPost, old)
		old.Epoch = 2
		c.refused(wire.Stuck, wire.OpRoomPost, old)

		// The removed seat sees its removal, then nothing, and is refused.
		if e := c.entry(); string(e.Payload) != "before" {
			t.Errorf("got %q", e.Payload)
		}
		e := c.entry()
		if e.Kind != wire.KindCommit || e.Epoch != 1 || *e.Seat != r.seats[0].id || !slices.Equal(e.Add, []wire.SeatID{added.id}) || !slices.Equal(e.Remove, req.Remove) {
			t.Errorf("the commit shows %+v", e)
		}
		if x := c.closed(); x.Code != wire.Denied {
			t.Errorf("got %v", x)
		}
		c.send(r, "after")
		c.silent()
		c.refused(wire.Denied, wire.OpSeatOpen, r.open(2, 1))
		gone, _ := r.commit(2, "from the removed")
		c.refused(wire.Denied, wire.OpRoomCommit, gone)

		// The added seat starts at the commit.
		r.seats = append(r.seats, added)
		var o wire.SeatOpened
		c.must(wire.OpSeatOpen, r.open(3, 5), &o)
		if o.Cursor != 3 || o.Head != 4 || o.Epoch != 2 {
			t.Errorf("got %+v", o)
		}
		if e := c.entry(); e.Number != 4 || string(e.Payload) != "after" {
			t.Errorf("got %+v", e)
		}
		again, _ := r.commit(0, "adds it twice")
		again.Add = []wire.NewSeat{added.seat()}
		c.refused(wire.BadInput, wire.OpRoomCommit, again)
	})
}

func TestWrongTokenPassesOnlyFromASeatThatHasShownARightOne(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(4)
		wrong := func(i int) wire.RoomCommit {
			req, _ := r.commit(i, fmt.Sprint("wrong ", i, r.epoch))
			req.Token = wire.NewSecret()
			return req
		}
		c.refused(wire.Stuck, wire.OpRoomCommit, wrong(0)) // shown nothing yet
		c.openLive(r, 0, 1)                                // shows it
		w.restart()                                        // and it is remembered
		c = w.client()
		req := wrong(0)
		next := wire.NewSecret()
		req.NewHash = next.Hash()
		c.must(wire.OpRoomCommit, req, &wire.Appended{})
		r.epoch, r.token = 2, next
		c.refused(wire.Stuck, wire.OpRoomCommit, wrong(1))

		rm, moved := r.commit(1, "removes 3")
		rm.Remove = []wire.SeatID{r.seats[3].id}
		c.must(wire.OpRoomCommit, rm, &wire.Appended{})
		moved()
		for i := range 3 {
			c.refused(wire.Stuck, wire.OpRoomCommit, wrong(i)) // nobody has, since the removal
		}
		ok, moved := r.commit(2, "right")
		c.must(wire.OpRoomCommit, ok, &wire.Appended{})
		moved()
		c.must(wire.OpRoomCommit, wrong(2), &wire.Appended{}) // committing showed it
	})
}

func TestCommitBudget(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(2)
		one := func(i int) wire.RoomCommit {
			req, _ := r.commit(i, fmt.Sprint(i, " ", r.epoch, time.Now()))
			return req
		}
		for range wire.CommitsPerHour {
			req, moved := r.commit(0, fmt.Sprint(r.epoch))
			c.must(wire.OpRoomCommit, req, &wire.Appended{})
			moved()
		}
		c.refused(wire.Full, wire.OpRoomCommit, one(0))
		req, moved := r.commit(1, "the other seat")
		c.must(wire.OpRoomCommit, req, &wire.Appended{})
		moved()
		time.Sleep(time.Hour + time.Second)
		c = w.client()
		c.must(wire.OpRoomCommit, one(0), &wire.Appended{})
	})
}

func TestEphemeralIsNeverStored(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c, d := w.client(), w.client()
		r := c.room(2)
		c.openLive(r, 0, 3)
		q := wire.RoomEphemeral{Room: r.id, Epoch: 1, Token: r.token, Payload: []byte("MARKER-ephemeral")}
		c.must(wire.OpRoomEphemeral, q, nil)
		if e := c.entry(); e.Kind != wire.KindEphemeral || e.Number != 0 || e.Epoch != 1 || string(e.Payload) != "MARKER-ephemeral" || e.Handle != 3 {
			t.Errorf("got %+v", e)
		}
		w.mustNotContain("MARKER-ephemeral")
		d.openLive(r, 1, 3)
		d.silent()
		bad := q
		bad.Epoch = 2
		c.refused(wire.Stale, wire.OpRoomEphemeral, bad)
		bad = q
		bad.Token = wire.NewSecret()
		c.refused(wire.Stuck, wire.OpRoomEphemeral, bad)
		if n := c.send(r, "x"); n != 2 {
			t.Errorf("an ephemeral post took a number: got %d", n)
		}
	})
}

func TestNoticesPassWhenStuckAndAreFewAndSmall(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(2)
		notice := func(text string) wire.RoomNotice {
			return wire.RoomNotice{Room: r.id, Seat: r.seats[0].id, SeatSecret: r.seats[0].secret, Payload: []byte(text)}
		}
		c.refused(wire.BadInput, wire.OpRoomNotice, notice(strings.Repeat("x", wire.MaxNotice+1)))
		bad := notice("x")
		bad.SeatSecret = wire.NewSecret()
		c.refused(wire.Denied, wire.OpRoomNotice, bad)
		for i := range wire.NoticesPerDay {
			c.must(wire.OpRoomNotice, notice(fmt.Sprint("n", i)), &wire.Appended{})
		}
		c.refused(wire.Full, wire.OpRoomNotice, notice("one more"))
		c.must(wire.OpRoomNotice, notice("n0"), &wire.Appended{}) // a repeat costs nothing
		c.must(wire.OpSeatOpen, r.open(1, 1), &wire.SeatOpened{})
		if e := c.entry(); e.Kind != wire.KindNotice || e.Epoch != 0 || *e.Seat != r.seats[0].id || e.Number != 2 {
			t.Errorf("got %+v", e)
		}
		time.Sleep(day + time.Second)
		c.must(wire.OpRoomNotice, notice("next day"), &wire.Appended{})
	})
}

func TestTracedPostsShowTheirSeat(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(2)
		c.openLive(r, 0, 1)
		req, moved := r.commit(0, "traced")
		req.Traced = true
		c.must(wire.OpRoomCommit, req, &wire.Appended{})
		moved()
		c.entry()
		c.refused(wire.Denied, wire.OpRoomPost, r.post("hidden"))
		p := r.post("shown")
		p.Seat, p.SeatSecret = &r.seats[1].id, wire.NewSecret()
		c.refused(wire.Denied, wire.OpRoomPost, p)
		p.SeatSecret = r.seats[1].secret
		c.must(wire.OpRoomPost, p, &wire.Appended{})
		if e := c.entry(); e.Seat == nil || *e.Seat != r.seats[1].id {
			t.Errorf("got %+v", e)
		}
		req, moved = r.commit(0, "untraced")
		c.must(wire.OpRoomCommit, req, &wire.Appended{})
		moved()
		c.entry()
		p = r.post("hidden again")
		p.Seat, p.SeatSecret = &r.seats[1].id, r.seats[1].secret
		c.must(wire.OpRoomPost, p, &wire.Appended{})
		if e := c.entry(); e.Seat != nil {
			t.Error("a seat was kept that the room did not ask for")
		}
	})
}

// TestWhatWasAcceptedStaysUnderALowerLimit: the limit is stated and kept, and
// what came under a higher one stays until its end (decision 0025).
func TestWhatWasAcceptedStaysUnderALowerLimit(t *testing.T) {
	synctestWorld(t, func(c *Config) { c.Keep = 2 * day }, func(w *world) {
		c := w.client()
		if c.welcome.Keep != 2*86400 || c.welcome.Now != time.Now().Unix() {
			w.t.Errorf("stated: %d s, at %d", c.welcome.Keep, c.welcome.Now)
		}
		r := c.room(2)
		long := r.post("long")
		long.TTL = 2*86400 + 1
		c.refused(wire.BadInput, wire.OpRoomPost, long)
		long.TTL--
		c.must(wire.OpRoomPost, long, &wire.Appended{})
		w.cfg.Keep = time.Hour
		w.restart()
		c = w.client()
		if c.welcome.Keep != 3600 {
			w.t.Errorf("stated after the limit fell: %d s", c.welcome.Keep)
		}
		late := r.post("late")
		late.TTL = 3601
		c.refused(wire.BadInput, wire.OpRoomPost, late)
		time.Sleep(day)
		synctest.Wait()
		c = w.client()
		c.must(wire.OpSeatOpen, r.open(0, 1), &wire.SeatOpened{})
		if e := c.entry(); string(e.Payload) != string(long.Payload) {
			w.t.Error("what was accepted went with the limit")
		}
		// A commit is kept as ever.
		q, _ := r.commit(0, "commit")
		c.must(wire.OpRoomCommit, q, &wire.Appended{})
		time.Sleep(20 * day)
		synctest.Wait()
		c = w.client()
		c.must(wire.OpSeatOpen, r.open(1, 1), &wire.SeatOpened{})
		var h wire.Hole
		c.event(wire.OpHole, &h)
		if h.From != 2 || h.To != 2 || h.Early {
			w.t.Errorf("got %+v", h)
		}
		if e := c.entry(); e.Kind != wire.KindCommit {
			w.t.Errorf("got %+v", e)
		}
	})
}

func TestHolesAreRanges(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(2)
		send := func(text string, ttl uint32) {
			p := r.post(text)
			p.TTL = ttl
			c.must(wire.OpRoomPost, p, &wire.Appended{})
		}
		send("MARKER-short-1", 60) // 2
		send("MARKER-short-2", 60) // 3
		send("long", 3600)         // 4
		send("MARKER-short-3", 60) // 5
		for _, restart := range []bool{false, true} {
			time.Sleep(70 * time.Second)
			synctest.Wait()
			if restart {
				w.restart()
				c = w.client()
			}
			w.mustNotContain("MARKER-short")
			var o wire.SeatOpened
			c.must(wire.OpSeatOpen, r.open(0, 1), &o)
			if o.Cursor != 1 || o.Head != 5 || o.Lapsed {
				t.Errorf("got %+v", o)
			}
			var h wire.Hole
			c.event(wire.OpHole, &h)
			if h != (wire.Hole{Handle: 1, From: 2, To: 3}) {
				t.Errorf("got %+v", h)
			}
			if e := c.entry(); e.Number != 4 {
				t.Errorf("got %+v", e)
			}
			c.event(wire.OpHole, &h)
			if h != (wire.Hole{Handle: 1, From: 5, To: 5}) {
				t.Errorf("got %+v", h)
			}
			if l := c.live(); l.Head != 5 {
				t.Errorf("got %+v", l)
			}
			c.must(wire.OpSeatClose, wire.SeatClose{Handle: 1}, nil)
		}
	})
}

func TestSeatThatMissedADroppedCommitIsLapsed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(2)
		c.openLive(r, 0, 1)
		req, moved := r.commit(0, "MARKER-commit")
		c.must(wire.OpRoomCommit, req, &wire.Appended{})
		moved()
		c.entry()
		c.ack(1, 2)
		time.Sleep(29 * day)
		synctest.Wait()
		if len(w.contains("MARKER-commit")) == 0 {
			t.Fatal("the commit went before its time")
		}
		time.Sleep(2 * day)
		synctest.Wait()
		w.mustNotContain("MARKER-commit")
		c.send(r, "MARKER-after")
		c.entry()
		c.ack(1, 3)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		w.mustNotContain("MARKER-after") // the lapsed seat holds nothing back
		d := w.client()
		var o wire.SeatOpened
		d.must(wire.OpSeatOpen, r.open(1, 1), &o)
		if !o.Lapsed || o.Cursor != 1 {
			t.Errorf("got %+v", o)
		}
		if x := d.closed(); x.Code != wire.Lapsed {
			t.Errorf("got %+v", x)
		}
		c.must(wire.OpSeatClose, wire.SeatClose{Handle: 1}, nil)
		c.must(wire.OpSeatOpen, r.open(0, 1), &o)
		if o.Lapsed {
			t.Error("the seat that had acknowledged the commit is lapsed")
		}
	})
}

func TestStoredEntriesAreForgottenOnceAllAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(2)
		c.openLive(r, 0, 1)
		for i := range 20 {
			c.send(r, fmt.Sprint("MARKER-stored ", i))
			c.entry()
		}
		c.ack(1, 21)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(w.contains("MARKER-stored")) == 0 {
			t.Fatal("the entries are nowhere, though a seat lacks them")
		}
		w.restart()
		c = w.client()
		c.must(wire.OpSeatOpen, r.open(1, 1), &wire.SeatOpened{})
		for i := range 20 {
			if e := c.entry(); string(e.Payload) != fmt.Sprint("MARKER-stored ", i) {
				t.Fatalf("got %q", e.Payload)
			}
		}
		c.live()
		c.ack(1, 21)
		w.stop() // at once on a graceful stop
		w.mustNotContain("MARKER-stored")
		w.start()
	})
}

func TestProvisionalSeatIsDroppedUnlessClaimed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(1)
		unclaimed, claimed := newKey(), newKey()
		req, moved := r.commit(0, "adds two")
		req.Add = []wire.NewSeat{{ID: unclaimed.id, Hash: unclaimed.secret.Hash(), Provisional: true}, {ID: claimed.id, Hash: claimed.secret.Hash(), Provisional: true}}
		c.must(wire.OpRoomCommit, req, &wire.Appended{})
		moved()
		own := newKey()
		rename := wire.SeatRename{Room: r.id, Seat: claimed.id, Secret: claimed.secret, New: own.seat()}
		c.must(wire.OpSeatRename, rename, nil)
		r.seats = append(r.seats, unclaimed, own)
		time.Sleep(30 * day)
		c = w.client()
		c.must(wire.OpSeatOpen, r.open(1, 1), &wire.SeatOpened{})
		c.must(wire.OpSeatClose, wire.SeatClose{Handle: 1}, nil)
		time.Sleep(3 * day)
		synctest.Wait()
		c = w.client()
		c.refused(wire.Denied, wire.OpSeatOpen, r.open(1, 1))
		c.must(wire.OpSeatOpen, r.open(2, 1), &wire.SeatOpened{})
	})
}

func TestSeatThatNeverShowsTheTokenAfterARemovalIsDropped(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(4)
		req, moved := r.commit(0, "removes 3")
		req.Remove = []wire.SeatID{r.seats[3].id}
		c.must(wire.OpRoomCommit, req, &wire.Appended{})
		moved()
		show := func(i int) {
			o := r.open(i, 1)
			o.Credit = 0
			c.must(wire.OpSeatOpen, o, &wire.SeatOpened{})
			c.must(wire.OpSeatClose, wire.SeatClose{Handle: 1}, nil)
		}
		show(0)
		time.Sleep(20 * day)
		c = w.client()
		show(1)
		// A second removal does not give the silent seat more time.
		req, moved = r.commit(0, "removes a stranger")
		req.Remove = []wire.SeatID{wire.NewSeatID(1)}
		c.must(wire.OpRoomCommit, req, &wire.Appended{})
		moved()
		show(0)
		time.Sleep(13 * day)
		synctest.Wait()
		c = w.client()
		c.refused(wire.Denied, wire.OpSeatOpen, r.open(2, 1))
		show(1) // had shown it after the first; the second is not 31 days old
		show(0)
		time.Sleep(40 * day)
		synctest.Wait()
		c = w.client()
		show(0)
		show(1)
	})
}

func TestRoomThatNobodyOpensIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		left, kept := c.room(1), c.room(1)
		c.openLive(kept, 0, 1) // and stays open
		time.Sleep(89 * day)
		synctest.Wait()
		if _, err := openOnce(c, left); err != nil {
			t.Fatalf("before its time: %v", err)
		}
		time.Sleep(92 * day)
		synctest.Wait()
		d := w.client()
		d.refused(wire.Gone, wire.OpSeatOpen, left.open(0, 9))
		d.refused(wire.Gone, wire.OpRoomPost, left.post("x"))
		w.restart()
		d = w.client()
		d.refused(wire.Gone, wire.OpSeatOpen, left.open(0, 9))
		if _, err := openOnce(d, kept); err != nil {
			t.Errorf("the room that stayed open: %v", err)
		}
	})
}

// A room ages from when it was last open, not from when it was opened: who stays
// connected for months may be away for some weeks like anybody.
func TestRoomAgesFromWhenItWasClosed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(1)
		c.openLive(r, 0, 1)
		time.Sleep(80 * day)
		synctest.Wait()
		c.must(wire.OpSeatClose, wire.SeatClose{Handle: 1}, nil)
		time.Sleep(80 * day)
		synctest.Wait()
		w.restart()
		d := w.client()
		if _, err := openOnce(d, r); err != nil {
			t.Errorf("80 days after it was closed: %v", err)
		}
		time.Sleep(92 * day)
		synctest.Wait()
		w.client().refused(wire.Gone, wire.OpSeatOpen, r.open(0, 9))
	})
}

func openOnce(c *client, r *testRoom) (o wire.SeatOpened, err error) {
	q := r.open(0, 77)
	q.Credit = 0
	if err = c.call(wire.OpSeatOpen, q, &o); err == nil {
		err = c.call(wire.OpSeatClose, wire.SeatClose{Handle: 77}, nil)
	}
	return o, err
}
