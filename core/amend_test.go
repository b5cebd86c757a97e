package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/content"
	"hearth/wire"
)

// told writes the messages of a conversation as a person sees them: the text, and
// what was said of it.
func (h *home) told(room string) (out []string) {
	h.t.Helper()
	synctest.Wait()
	events, err := h.c.History(h.ctx(), room, 0)
	if err != nil {
		h.t.Fatalf("%s: history: %v", h.name, err)
	}
	for _, e := range events {
		if e.Type != EventMessage {
			continue
		}
		line := e.Text
		if e.Edited != nil {
			line += " (edited)"
		}
		if e.Deleted {
			line += "(deleted)"
		}
		for _, r := range e.Reactions {
			line += " " + r.Reaction + strings.TrimSuffix(r.Handle, "@home.example")
		}
		out = append(out, line)
	}
	return out
}

func (h *home) amend(o AmendOptions) Sent {
	h.t.Helper()
	s, err := h.c.Amend(h.ctx(), o)
	if err != nil {
		h.t.Fatalf("%s: amend: %v", h.name, err)
	}
	return s
}

// inject puts a message into a room that this client would not make.
func (h *home) inject(room string, m *content.Message) {
	h.t.Helper()
	id, _ := parseConv(room)
	body, err := m.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	err = h.c.step(context.Background(), func(s *step) error {
		cv, err := s.conv(id)
		if err != nil {
			return err
		}
		r, err := s.room(cv.Room)
		if err != nil {
			return err
		}
		_, err = s.enqueue(r, row{Kind: content.KindContent, Body: body, Until: s.c.now().Add(time.Hour).Unix()})
		s.putRoom(r)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
}

func messageID(t testing.TB, s string) content.MessageID {
	t.Helper()
	id, err := content.ParseMessageID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestAmendments: an edit, reactions and a deletion reach everybody, are shown
// with their message, and leave nothing of what they took away.
func TestAmendments(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "first").Room
		bob.accept()
		m := alice.send(room, "teh plan")
		bob.got()
		alice.amend(AmendOptions{Room: room, ID: m.ID, Text: "a plan"})
		alice.amend(AmendOptions{Room: room, ID: m.ID, Text: "the plan"})
		bob.amend(AmendOptions{Room: room, ID: m.ID, React: "👍"})
		alice.amend(AmendOptions{Room: room, ID: m.ID, React: "🎉"})
		want := []string{"first", "the plan (edited) 👍bob 🎉alice"}
		for _, h := range []*home{alice, bob} {
			got := h.told(room)
			for i := range got { // reactions stand in no order
				if got[i] == "the plan (edited) 🎉alice 👍bob" {
					got[i] = want[1]
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s has %q, want %q", h.name, got, want)
			}
		}
		var kinds []string
		for _, e := range bob.got() {
			if e.Of == m.ID {
				kinds = append(kinds, e.Type+" "+e.Text)
			}
		}
		if got := strings.Join(kinds, ", "); got != "edit the plan, reaction 🎉" {
			t.Errorf("bob was told: %s", got) // the first edit is nobody's text any more
		}
		bob.amend(AmendOptions{Room: room, ID: m.ID, React: "👍", TakeBack: true})
		if got := alice.told(room)[1]; got != "the plan (edited) 🎉alice" {
			t.Errorf("after a reaction was taken back: %q", got)
		}
		alice.amend(AmendOptions{Room: room, ID: m.ID, Delete: true})
		for _, h := range []*home{alice, bob} {
			if got, want := h.told(room), []string{"first", "(deleted)"}; !slices.Equal(got, want) {
				t.Errorf("%s has %q, want %q", h.name, got, want)
			}
			h.holdsNone(t, "plan", "🎉", "👍")
		}
		for o, want := range map[AmendOptions]wire.Code{
			{Room: room, ID: m.ID, Text: "again"}:                                    wire.Denied,
			{Room: room, ID: m.ID, React: "👍"}:                                       wire.NotFound,
			{Room: room, ID: "x", React: "👍"}:                                        wire.BadInput,
			{Room: room, ID: m.ID, React: "👍", TakeBack: true}:                       wire.NotFound,
			{Room: room, ID: alice.own(room)[0].ID, Text: "not mine"}:                wire.Denied,
			{Room: room, ID: alice.own(room)[0].ID, Delete: true}:                    wire.Denied,
			{Room: room, ID: alice.own(room)[0].ID, React: "a\u202eb"}:               wire.BadInput,
			{Room: room, ID: alice.own(room)[0].ID, React: string(make([]byte, 65))}: wire.BadInput,
		} {
			if _, err := bob.c.Amend(bob.ctx(), o); code(err) != want {
				t.Errorf("%+v: got %v, want %v", o, err, want)
			}
		}
	})
}

// holdsNone fails if a home's records hold one of these texts, opened with every
// key that the home has.
func (h *home) holdsNone(t *testing.T, texts ...string) {
	t.Helper()
	for _, kind := range []string{"history", "signed", "event", "outbox", "amend", "message"} {
		err := h.c.look(context.Background(), func(s *step) error {
			return s.scan(kind, func(name string, b []byte) (bool, error) {
				for _, text := range texts {
					if strings.Contains(string(b), text) {
						t.Errorf("%s still holds %q in a record of %s", h.name, text, kind)
					}
				}
				return true, nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestForgedAmendments: a member's client that does as it likes changes nothing
// of what others said, and cannot fill anybody's home.
func TestForgedAmendments(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "first").Room
		bob.accept()
		m := messageID(t, alice.send(room, "mine").ID)
		o := content.Options{Sent: time.Now()}
		edit, _ := content.NewEdit(m, "bob's", o)
		bob.inject(room, edit)
		bob.inject(room, content.NewDelete(m, o))
		huge, _ := content.NewReaction(m, strings.Repeat("x", 30000), o)
		bob.inject(room, huge)
		turn, _ := content.NewReaction(m, "a\u202eb", o)
		bob.inject(room, turn)
		for i := range reactionsOfOne + 4 {
			r, _ := content.NewReaction(m, fmt.Sprint(i), o)
			bob.inject(room, r)
		}
		var of content.MessageID
		of[0] = 1
		nothing, _ := content.NewEdit(of, "of nothing", o)
		bob.inject(room, nothing)
		got := alice.told(room)
		if len(got) != 2 || !strings.HasPrefix(got[1], "mine ") || strings.Contains(got[1], "edited") {
			t.Fatalf("alice has %q", got)
		}
		if n := strings.Count(got[1], "bob"); n != reactionsOfOne {
			t.Errorf("bob has %d reactions, want %d", n, reactionsOfOne)
		}
		// And a reaction of somebody else's cannot be taken back.
		alice.amend(AmendOptions{Room: room, ID: m.String(), React: "❤"})
		var own content.MessageID
		for _, e := range must(alice.c.History(alice.ctx(), room, 0)) {
			for _, r := range e.Reactions {
				if r.Reaction == "❤" {
					own = messageID(t, r.ID)
				}
			}
		}
		bob.inject(room, content.NewDelete(own, o))
		if got := alice.told(room)[1]; !strings.Contains(got, "❤alice") {
			t.Errorf("bob took alice's reaction away: %q", got)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestDeletedBeforeItCame: what its sender deleted is not shown when it comes
// later, by another way; a deletion by somebody else means nothing.
func TestDeletedBeforeItCame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		g, err := alice.c.GroupNew(alice.ctx(), "friends", []string{"bob", "carol"})
		if err != nil {
			t.Fatal(err)
		}
		room := g.Room
		bob.accept()
		carol.accept()
		alice.send(room, "first")
		o := content.Options{Sent: time.Now()}
		id, _ := parseConv(room)
		account := must(alice.c.self(alice.ctx())).ID
		for _, own := range []bool{true, false} {
			m, _ := content.NewText("late", o)
			body, _ := m.Encode()
			mid := must(content.ID(account, id, body))
			by := bob
			if own {
				by = alice
			}
			by.inject(room, content.NewDelete(mid, o))
			alice.inject(room, m)
			h := carol.told(room)
			if shown := h[len(h)-1] == "late"; shown == own {
				t.Errorf("deleted by its sender %v: shown %v", own, shown)
			}
		}
	})
}

// TestDeletedBeforeItLeft: what waits in the outbox is deleted there, and nobody
// ever sees it.
func TestDeletedBeforeItLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "first").Room
		bob.accept()
		w.cut()
		time.Sleep(time.Second) // the device knows: it seals nothing now
		ctx, cancel := shortly()
		defer cancel()
		s, err := alice.c.Send(ctx, SendOptions{To: room, Text: "rash"})
		if err != nil || s.State != StateQueued {
			t.Fatalf("%+v, %v", s, err)
		}
		ctx, cancel = shortly()
		defer cancel()
		if s, err = alice.c.Amend(ctx, AmendOptions{Room: room, ID: s.ID, Delete: true}); err != nil {
			t.Fatal(err)
		}
		w.mend()
		time.Sleep(10 * time.Minute)
		alice.send(room, "calm")
		if got := bob.told(room); !slices.Equal(got, []string{"first", "calm"}) {
			t.Errorf("bob has %q", got)
		}
		bob.holdsNone(t, "rash")
		alice.holdsNone(t, "rash")
	})
}

// TestAmendmentsReachANewDevice: a device that is linked later shows the same.
func TestAmendmentsReachANewDevice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "one").Room
		bob.accept()
		two := alice.send(room, "two")
		synctest.Wait()
		three := bob.send(room, "three")
		alice.amend(AmendOptions{Room: room, ID: two.ID, Text: "zwei"})
		bob.amend(AmendOptions{Room: room, ID: two.ID, React: "👍"})
		bob.amend(AmendOptions{Room: room, ID: three.ID, Delete: true})
		want := alice.told(room)
		phone := w.link(alice, "phone")
		if got := phone.told(room); !slices.Equal(got, want) {
			t.Fatalf("the phone has %q, want %q", got, want)
		}
		// And says of what it was given what any device may.
		phone.amend(AmendOptions{Room: room, ID: two.ID, Text: "deux"})
		for _, h := range []*home{alice, bob, phone} {
			if got, want := h.told(room), []string{"one", "deux (edited) 👍bob", "(deleted)"}; !slices.Equal(got, want) {
				t.Errorf("%s has %q, want %q", h.name, got, want)
			}
		}
	})
}

// TestAmendmentsDieWithTheirMessage: nothing that was said of a message outlives
// it, and a shorter end of an edit is the message's.
func TestAmendmentsDieWithTheirMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "kept").Room
		bob.accept()
		s, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "secret one", Expire: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		alice.amend(AmendOptions{Room: room, ID: s.ID, Text: "secret two"})
		bob.amend(AmendOptions{Room: room, ID: s.ID, React: "🤫"})
		if got := bob.told(room)[1]; got != "secret two (edited) 🤫bob" {
			t.Fatalf("bob has %q", got)
		}
		time.Sleep(time.Hour + time.Minute)
		for _, h := range []*home{alice, bob} {
			if got := h.told(room); !slices.Equal(got, []string{"kept"}) {
				t.Errorf("%s has %q", h.name, got)
			}
			h.holdsNone(t, "secret", "🤫")
			if err := h.c.look(context.Background(), func(st *step) error {
				any, err := st.any("amend")
				if any {
					t.Errorf("%s still knows of amendments", h.name)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestForward: what is sent on says what the message says now, not who said it,
// and ends when the original does; what is for one reading stays where it is.
func TestForward(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := alice.send("bob", "hello").Room
		bob.accept()
		other := bob.send("carol", "hello carol").Room
		carol.accept()
		s, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "teh word", Expire: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		alice.amend(AmendOptions{Room: room, ID: s.ID, Text: "the word"})
		synctest.Wait()
		time.Sleep(50 * time.Minute)
		if _, err := bob.c.Forward(bob.ctx(), ForwardOptions{Room: room, ID: s.ID, To: other}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		events := must(carol.c.History(carol.ctx(), other, 1))
		if e := events[0]; e.Text != "the word" || !e.Forwarded || e.From != "bob@home.example" || e.Expires == nil || time.Until(*e.Expires) > 11*time.Minute {
			t.Errorf("carol has %+v", e)
		}
		time.Sleep(11 * time.Minute)
		if got := carol.told(other); !slices.Equal(got, []string{"hello carol"}) {
			t.Errorf("after its end carol has %q", got)
		}
		once, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "once", Expire: time.Hour, FromReading: true})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := bob.c.Forward(bob.ctx(), ForwardOptions{Room: room, ID: once.ID, To: other}); code(err) != wire.Denied {
			t.Errorf("what is for one reading: %v", err)
		}
		if _, err := bob.c.Forward(bob.ctx(), ForwardOptions{Room: room, ID: s.ID, To: other}); code(err) != wire.NotFound {
			t.Errorf("what has ended: %v", err)
		}
	})
}
