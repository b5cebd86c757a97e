package core

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth/content"
	"hearth/core/roster"
	"hearth/wire"
)

// marks returns what receipts among events say, as "from state id".
func marks(events []Event) []string {
	var out []string
	for _, e := range events {
		if e.Type == EventReceipt {
			out = append(out, e.From+" "+e.State+" "+e.ID)
		}
	}
	return out
}

// pass lets time go by, with everything that goes on by itself.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// own returns the messages of a home's own in a history.
func (h *home) own(room string) []Event {
	h.t.Helper()
	events, err := h.c.History(h.ctx(), room, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return slices.DeleteFunc(events, func(e Event) bool { return e.State == "" })
}

// readers are two people who have read each other, past the renewals that follow
// joining.
func readers(t *testing.T) (alice, bob *home, room string) {
	w := newWorld(t)
	alice, bob = w.person("alice"), w.person("bob")
	room = alice.send("bob", "hello").Room
	bob.accept()
	bob.got()
	pass(20 * time.Minute)
	alice.got()
	return alice, bob, room
}

func TestDeliveredThenRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "hello").Room
		pass(10 * time.Minute)
		if got := marks(alice.got()); got != nil {
			t.Errorf("before bob accepts: %q", got)
		}
		if got := alice.own(room); len(got) != 1 || got[0].State != StateSent || got[0].Receipts != nil {
			t.Errorf("before bob accepts: %+v", got)
		}
		bob.accept()
		pass(10 * time.Second)
		first := alice.own(room)[0].ID
		if got, want := marks(alice.got()), []string{"bob@home.example delivered " + first}; !slices.Equal(got, want) {
			t.Errorf("after bob accepted: got %q, want %q", got, want)
		}
		bob.got()
		pass(2 * time.Minute)
		if got, want := marks(alice.got()), []string{"bob@home.example read " + first}; !slices.Equal(got, want) {
			t.Errorf("after bob was shown it: got %q, want %q", got, want)
		}
		one, two := alice.send(room, "one").ID, alice.send(room, "two").ID
		pass(2 * time.Minute)
		if got, want := marks(alice.got()), []string{"bob@home.example delivered " + one, "bob@home.example delivered " + two}; !slices.Equal(got, want) {
			t.Errorf("one receipt for both: got %q, want %q", got, want)
		}
		if _, err := bob.c.History(bob.ctx(), room, 0); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Minute)
		if got, want := marks(alice.got()), []string{"bob@home.example read " + one, "bob@home.example read " + two}; !slices.Equal(got, want) {
			t.Errorf("after a history: got %q, want %q", got, want)
		}
		for _, e := range alice.own(room) {
			if e.State != StateRead || len(e.Receipts) != 1 || e.Receipts[0].State != StateRead || e.Receipts[0].Handle != "bob@home.example" || e.Receipts[0].At.IsZero() {
				t.Errorf("in alice's history: %+v", e)
			}
		}
		if got := marks(append(alice.got(), bob.got()...)); got != nil {
			t.Errorf("once more: %q", got)
		}
	})
}

func (h *home) receipts(on bool) {
	h.t.Helper()
	s, err := h.c.Configure(h.ctx(), SettingsChange{Receipts: &on})
	if err != nil || s.Receipts != on {
		h.t.Fatalf("%s: settings: %+v, %v", h.name, s, err)
	}
}

// head returns how many entries the room's log has had.
func (h *home) head(room string) int {
	r, _ := h.record(room)
	return int(r.Read)
}

// TestAtMostOneReceiptAMinute counts on the server's log, where nothing else
// happens: alice writes every five seconds and bob reads along. Receipts are not
// receipted, and once all is said there is silence.
func TestAtMostOneReceiptAMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		alice, bob, room := readers(t)
		start, last, receipts := alice.head(room), time.Time{}, 0
		sent := 0
		watch := func() {
			if n := alice.head(room) - start - sent - receipts; n > 0 {
				if n > 1 || !last.IsZero() && time.Since(last) < time.Minute {
					t.Errorf("%d receipts, %v after the last", n, time.Since(last))
				}
				receipts, last = receipts+n, time.Now()
			}
		}
		for range 120 {
			alice.send(room, "another")
			sent++
			for range 4 {
				pass(time.Second)
				watch()
			}
			bob.got() // takes the fifth
			watch()
		}
		if receipts < 7 || receipts > 10 {
			t.Errorf("%d receipts in ten minutes, want one a minute at most, and not many fewer", receipts)
		}
		for range 300 {
			pass(time.Second)
			watch()
		}
		for _, e := range alice.own(room) {
			if e.State != StateRead {
				t.Errorf("in the end a message is %s", e.State)
			}
		}
		quiet := alice.head(room)
		alice.got()
		pass(24 * time.Hour)
		if n := alice.head(room) - quiet; n != 0 {
			t.Errorf("a silent room made %d entries", n)
		}
	})
}

func TestReceiptsInAGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol, dave := w.person("alice"), w.person("bob"), w.person("carol"), w.person("dave")
		room := groupOf(t, "friends", alice, bob, carol)
		state := func(text string) string {
			t.Helper()
			for _, e := range alice.own(room) {
				if e.Text == text {
					return e.State
				}
			}
			t.Fatalf("alice has no message %q", text)
			return ""
		}
		carol.stop()
		early := alice.send(room, "early").ID
		bob.got()
		pass(2 * time.Minute)
		if got, want := marks(alice.got()), []string{"bob@home.example read " + early}; !slices.Equal(got, want) {
			t.Errorf("bob read it: got %q, want %q", got, want)
		}
		if got := state("early"); got != StateSent {
			t.Errorf("carol has not got it, and it is %s", got)
		}
		carol.start()
		pass(2 * time.Minute)
		if got := state("early"); got != StateDelivered {
			t.Errorf("all have got it, and it is %s", got)
		}
		if _, err := alice.c.GroupAdd(alice.ctx(), room, []string{"dave"}); err != nil {
			t.Fatal(err)
		}
		alice.send(room, "dave is invited")
		carol.got()
		bob.got()
		pass(2 * time.Minute)
		if got := state("dave is invited"); got != StateRead {
			t.Errorf("all who have joined have read it, and it is %s", got)
		}
		alice.got()
		dave.accept()
		dave.got()
		alice.send(room, "dave is here")
		dave.got()
		pass(2 * time.Minute)
		if got := state("dave is here"); got != StateDelivered {
			t.Errorf("only dave has read it, and it is %s", got)
		}
		// Dave read what came since he was added, and nothing before.
		for _, e := range alice.own(room) {
			dave := slices.ContainsFunc(e.Receipts, func(m Mark) bool { return m.Handle == "dave@home.example" })
			if dave != (e.Text != "early") {
				t.Errorf("%q: dave has got it: %v", e.Text, dave)
			}
		}
		if got := state("early"); got != StateRead {
			t.Errorf("who could read it has, and it is %s", got)
		}
		// Whoever goes does not hold the others up.
		bob.got()
		carol.stop()
		alice.send(room, "carol never saw it")
		bob.got()
		dave.got()
		pass(2 * time.Minute)
		if got := state("carol never saw it"); got != StateSent {
			t.Errorf("carol has not got it, and it is %s", got)
		}
		if _, err := alice.c.GroupRemove(alice.ctx(), room, []string{"carol"}); err != nil {
			t.Fatal(err)
		}
		if got := state("carol never saw it"); got != StateRead {
			t.Errorf("all who are still here have read it, and it is %s", got)
		}
	})
}

func TestNoReceiptsAmongMany(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		var homes []*home
		for _, name := range []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan"} {
			homes = append(homes, w.person(name))
		}
		alice := homes[0]
		room := groupOf(t, "many", homes...)
		pass(5 * 24 * time.Hour) // all have renewed
		said := func(text string) int {
			before := alice.head(room)
			alice.send(room, text)
			for _, h := range homes[1:] {
				h.got()
			}
			pass(5 * time.Minute)
			return alice.head(room) - before - 1
		}
		if n := said("to nine"); n != 0 {
			t.Errorf("among nine people: %d receipts", n)
		}
		if got := marks(alice.got()); got != nil {
			t.Errorf("among nine people: %q", got)
		}
		if _, err := alice.c.GroupRemove(alice.ctx(), room, []string{"ivan"}); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Minute)
		homes = homes[:8]
		if n := said("to eight"); n < 7 || n > 14 { // some tell of reading apart
			t.Errorf("among eight people: %d receipts", n)
		}
		got := alice.own(room)
		if got[0].State != StateSent || got[1].State != StateRead || len(got[1].Receipts) != 7 {
			t.Errorf("alice's messages: %+v", got)
		}
	})
}

// TestReceiptsOff: off is off both ways, for what waits and for what came
// meanwhile.
func TestReceiptsOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		alice, bob, room := readers(t)
		alice.send(room, "one")
		synctest.Wait() // bob has it, and owes a receipt
		bob.receipts(false)
		bob.send(room, "from bob")
		alice.got()
		bob.got()
		pass(2 * time.Minute) // alice's receipt
		before := alice.head(room)
		alice.send(room, "two")
		bob.got()
		pass(time.Hour)
		if n := alice.head(room) - before; n != 1 {
			t.Errorf("receipts are off, and there are %d entries more than the message", n-1)
		}
		if got := append(marks(alice.got()), marks(bob.got())...); got != nil {
			t.Errorf("receipts are off: got %q", got)
		}
		if got := bob.own(room); got[0].State != StateSent || got[0].Receipts != nil {
			t.Errorf("bob gives no receipts and is given some: %+v", got)
		}
		bob.stop()
		bob.start()
		if s, err := bob.c.Configure(bob.ctx(), SettingsChange{}); err != nil || s.Receipts {
			t.Errorf("after a restart: %+v, %v", s, err)
		}
		bob.receipts(true)
		pass(time.Hour)
		if n := alice.head(room) - before; n != 1 {
			t.Error("what came while receipts were off was told by switching them on")
		}
		three := alice.send(room, "three").ID
		bob.got()
		pass(5 * time.Minute)
		if got := marks(alice.got()); len(got) == 0 || got[len(got)-1] != "bob@home.example read "+three {
			t.Errorf("receipts are on again: got %q", got)
		}
	})
}

func TestTheBlockedGetNoReceipts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		alice, bob, room := readers(t)
		bob.send(room, "before the block")
		alice.send(room, "seen, and then")
		bob.got()
		if _, err := bob.c.Block(bob.ctx(), "alice"); err != nil {
			t.Fatal(err)
		}
		before := alice.head(room)
		alice.send(room, "unheard")
		alice.got()
		bob.got()
		pass(5 * time.Minute)
		if n := alice.head(room) - before; n != 2 { // alice's message, alice's receipt
			t.Errorf("%d entries after the block, want 2", n)
		}
		for _, e := range alice.own(room)[1:] {
			if e.State != StateSent {
				t.Errorf("%q is %s for the blocked", e.Text, e.State)
			}
		}
		if got := bob.own(room); got[0].State != StateSent {
			t.Errorf("bob hears the receipts of whom he has blocked: %+v", got)
		}
	})
}

// TestReceiptsDoNotPileUp: a receipt that waits says, when it leaves, what is
// true then.
func TestReceiptsDoNotPileUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		alice, bob, room := readers(t)
		bob.stop()
		for _, text := range []string{"1", "2", "3"} {
			alice.send(room, text)
		}
		// Bob reads them, and the server takes no posts of his: rows wait.
		var hold atomic.Bool
		hold.Store(true)
		bob.wrap = func(c wire.Conn) wire.Conn { return withheld{c, &hold} }
		bob.start()
		bob.got()
		pass(10 * time.Minute)
		waiting := func() (n int) {
			r, _ := bob.record(room)
			err := bob.c.look(context.Background(), func(s *step) error {
				return s.rows(r.ID, func(*row) (bool, error) { n++; return true, nil })
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := waiting(); n != 1 {
			t.Errorf("%d rows wait, want one receipt", n)
		}
		before := alice.head(room)
		last := alice.send(room, "4").ID
		bob.got()
		// Another epoch: the receipt is written anew.
		day := "1d"
		if _, err := alice.c.GroupSet(alice.ctx(), room, GroupSettings{Retention: &day}); err != nil {
			t.Fatal(err)
		}
		bob.got()
		pass(10 * time.Minute)
		if n := waiting(); n != 1 {
			t.Errorf("%d rows wait, want one receipt", n)
		}
		bob.kill() // what waits survives
		hold.Store(false)
		bob.start()
		pass(time.Minute)
		if n := alice.head(room) - before; n != 3 {
			t.Errorf("%d entries, want a message, a commit and one receipt", n)
		}
		if got := marks(alice.got()); len(got) != 4 || got[3] != "bob@home.example read "+last {
			t.Errorf("alice: got %q", got)
		}
		if n := waiting(); n != 0 {
			t.Errorf("%d rows still wait", n)
		}
	})
}

// withheld loses the posts of a client while hold is set.
type withheld struct {
	wire.Conn
	hold *atomic.Bool
}

func (c withheld) Write(ctx context.Context, b []byte) error {
	var f wire.Frame
	if c.hold.Load() && wire.Decode(b, &f) == nil && f.Op == wire.OpRoomPost {
		return errors.New("lost")
	}
	return c.Conn.Write(ctx, b)
}

// TestReceiptsDieWithWhatTheyShow: what ended leaves nothing behind, and hides
// nothing that goes on.
func TestReceiptsDieWithWhatTheyShow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		alice, bob, room := readers(t)
		long := alice.send(room, "long").ID
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "short", Expire: 10 * time.Minute}); err != nil {
			t.Fatal(err)
		}
		alice.stop()
		bob.got()
		pass(5 * time.Minute)
		bob.stop() // its receipt is in the log
		pass(time.Hour)
		alice.start()
		if got, want := marks(alice.got()), []string{"bob@home.example read " + long}; !slices.Equal(got, want) {
			t.Errorf("after the newest message ended: got %q, want %q", got, want)
		}

		bob.start()
		s, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "brief", Expire: 2 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		bob.got()
		pass(90 * time.Second) // the receipt was heard, and alice was not told yet
		if e := alice.own(room); e[len(e)-1].State != StateRead {
			t.Fatalf("alice: %+v", e)
		}
		pass(time.Minute)
		if got := marks(alice.got()); got != nil {
			t.Errorf("a receipt outlived its message: %q", got)
		}
		id, _ := parseConv(room)
		pass(31 * 24 * time.Hour)
		for _, h := range []*home{alice, bob} {
			err := h.c.look(context.Background(), func(st *step) error {
				if has, err := st.has(owingName(id)); err != nil || has {
					t.Errorf("%s still owes receipts for what has ended: %v", h.name, err)
				}
				if n, err := st.lineOf(id, []byte(s.ID)); err != nil || n != 0 {
					t.Errorf("%s: line %d, %v", h.name, n, err)
				}
				return st.scan("event", func(_ string, b []byte) (bool, error) {
					var p pointer
					if err := decodeRecord(b, &p); err != nil {
						return false, err
					}
					if p.Who != (wire.AccountID{}) {
						t.Errorf("%s still has a receipt to give out", h.name)
					}
					return true, nil
				})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestMarksOutliveEachOther: whatever has ended, the newest message that has not
// is among the marks.
func TestMarksOutliveEachOther(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var all, marks []mark
		ends := []int64{0, 10, 20, 30} // as many as a receipt names
		for n := range uint64(1 + r.IntN(12)) {
			m := mark{Line: n + 1, Until: ends[r.IntN(len(ends))]}
			all, marks = append(all, m), climb(marks, m)
		}
		for _, now := range []int64{5, 15, 25, 35} {
			newest := func(list []mark) uint64 {
				return top(slices.DeleteFunc(slices.Clone(list), func(m mark) bool { return m.Until != 0 && m.Until <= now }))
			}
			if got, want := newest(marks), newest(all); got != want {
				t.Fatalf("of %v at %d: got %d from %v, want %d", all, now, got, marks, want)
			}
		}
	}
	var marks []mark
	for n := range uint64(100) {
		marks = climb(marks, mark{Line: n + 1, Until: int64(1000 - n)})
	}
	if len(marks) != maxMarks || marks[0].Line != 1 || top(marks) != 100 {
		t.Errorf("of a hundred that end ever sooner: %v", marks)
	}
	if got := climb(marks, mark{Line: 50}); top(got) != 100 {
		t.Errorf("an older one took the place of a newer: %v", got)
	}
}

// TestForgedReceipts: a receipt counts for its sender alone, for messages that
// this account has sent, and never backwards.
func TestForgedReceipts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "friends", alice, bob, carol)
		alice.receipts(true)
		for _, h := range []*home{bob, carol} {
			h.receipts(false) // what they say is forged below
		}
		one := alice.send(room, "one").ID
		two := alice.send(room, "two").ID
		theirs := bob.send(room, "bob's own").ID
		alice.got()
		w.cut()
		ctx, cancel := shortly()
		defer cancel()
		queued, err := alice.c.Send(ctx, SendOptions{To: room, Text: "queued"})
		if err != nil || queued.State != StateQueued {
			t.Fatalf("send: %+v, %v", queued, err)
		}
		id, _ := parseConv(room)
		from := func(name string) (l roster.Leaf) {
			r, _ := alice.record(room)
			alice.c.look(context.Background(), func(s *step) error {
				ro, err := s.roster(r.ID)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range ro.Leaves() {
					if who, _ := s.show(x.Account); who == name+"@home.example" {
						l = x
					}
				}
				return nil
			})
			return l
		}
		hear := func(who roster.Leaf, delivered, read string) {
			t.Helper()
			var rc content.Receipt
			for list, text := range map[*[]content.MessageID]string{&rc.Delivered: delivered, &rc.Read: read} {
				if text != "" {
					m, err := content.ParseMessageID(text)
					if err != nil {
						t.Fatal(err)
					}
					*list = append(*list, m)
				}
			}
			body, err := rc.Encode()
			if err != nil {
				t.Fatal(err)
			}
			err = alice.c.step(context.Background(), func(s *step) error {
				cv, err := s.conv(id)
				if err != nil {
					return err
				}
				r, err := s.room(cv.Room)
				if err != nil {
					return err
				}
				_, err = s.hearReceipt(r, cv, who, body)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		check := func(what string, want ...string) {
			t.Helper()
			var got []string
			for _, e := range alice.own(room) {
				for _, m := range e.Receipts {
					got = append(got, e.Text+": "+m.Handle+" "+m.State)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", what, got, want)
			}
		}
		b, c := from("bob"), from("carol")
		hear(c, content.MessageID{1, 2, 3}.String(), "")
		check("for what was never sent")
		hear(c, "", theirs)
		check("for another's message")
		hear(c, "", queued.ID)
		check("for what is still queued")
		hear(c, "", one)
		check("for one", "one: carol@home.example read")
		hear(c, two, "")
		check("for two", "one: carol@home.example read", "two: carol@home.example delivered")
		hear(c, one, "")
		check("backwards", "one: carol@home.example read", "two: carol@home.example delivered")
		hear(b, two, one)
		check("bob's", "one: bob@home.example read", "one: carol@home.example read", "two: bob@home.example delivered", "two: carol@home.example delivered")
		hear(b, one, two)
		check("another device's of bob, behind the first, then ahead", "one: bob@home.example read", "one: carol@home.example read", "two: bob@home.example read", "two: carol@home.example delivered")
		hear(from("alice"), "", two)
		check("alice's own", "one: bob@home.example read", "one: carol@home.example read", "two: bob@home.example read", "two: carol@home.example delivered")
	})
}

// TestReceiptsWhenRoomsAndLeavesChange: two rooms for one conversation become
// one, a member comes back as another leaf, and what was read is still known.
func TestReceiptsWhenRoomsAndLeavesChange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		done := make(chan Sent, 2)
		go func() { done <- alice.send("bob", "from alice") }()
		go func() { done <- bob.send("alice", "from bob") }()
		room := (<-done).Room
		<-done
		pass(time.Minute)
		alice.got()
		bob.got()
		pass(5 * time.Minute)
		for _, h := range []*home{alice, bob} {
			if got := h.own(room); len(got) != 1 || got[0].State != StateRead {
				t.Errorf("%s: two rooms became one: %+v", h.name, got)
			}
		}

		group := groupOf(t, "club", alice, bob, carol)
		alice.send(group, "first")
		pass(time.Second)
		if _, err := alice.c.GroupRemove(alice.ctx(), group, []string{"carol"}); err != nil {
			t.Fatal(err)
		}
		alice.send(group, "without carol")
		if _, err := alice.c.GroupAdd(alice.ctx(), group, []string{"carol"}); err != nil {
			t.Fatal(err)
		}
		carol.accept()
		alice.send(group, "with carol")
		carol.got()
		bob.got()
		pass(5 * time.Minute)
		var got []string
		for _, e := range alice.own(group) {
			var who []string
			for _, m := range e.Receipts {
				who = append(who, m.Handle+" "+m.State)
			}
			slices.Sort(who)
			got = append(got, strings.Join(append([]string{e.Text}, who...), ", "))
		}
		slices.Sort(got)
		want := []string{
			"first, bob@home.example read",
			"with carol, bob@home.example read, carol@home.example read",
			"without carol, bob@home.example read",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestReceiptsOfAHomeOpenedForMoments: commands without a daemon open the home,
// act and go. What one has shown it tells before it goes; what has only come
// waits, so that reading can be told within the minute.
func TestReceiptsOfAHomeOpenedForMoments(t *testing.T) {
	bubble(t, func(t *testing.T) {
		alice, bob, room := readers(t)
		bob.stop()
		visit := func(act func()) time.Duration {
			began := time.Now()
			bob.start()
			settle := bob.c.Begin()
			if err := bob.c.CatchUp(bob.ctx()); err != nil {
				t.Fatal(err)
			}
			act()
			if err := settle(bob.ctx()); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			bob.stop()
			synctest.Wait()
			return took
		}
		read := func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			bob.c.Receive(ctx, func(Event) error { return nil })
		}
		one := alice.send(room, "one").ID
		if took := visit(func() {}); took > time.Second {
			t.Errorf("a command waited %v for a receipt", took)
		}
		if got := marks(alice.got()); got != nil {
			t.Errorf("before it was read: %q", got)
		}
		pass(10 * time.Second)
		if took := visit(read); took > time.Second {
			t.Errorf("reading took %v", took)
		}
		if got, want := marks(alice.got()), []string{"bob@home.example read " + one}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		two := alice.send(room, "two").ID
		if took := visit(read); took > time.Second {
			t.Errorf("reading within the minute took %v", took)
		}
		if got := marks(alice.got()); got != nil {
			t.Errorf("within the minute: %q", got)
		}
		pass(2 * time.Minute)
		visit(func() {})
		if got, want := marks(alice.got()), []string{"bob@home.example read " + two}; !slices.Equal(got, want) {
			t.Errorf("after the minute: got %q, want %q", got, want)
		}
	})
}
