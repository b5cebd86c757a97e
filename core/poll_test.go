package core

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/content"
	"hearth/wire"
)

// standing writes a poll as a home sees it.
func (h *home) standing(room, id string) string {
	h.t.Helper()
	synctest.Wait()
	e := must(h.c.Details(h.ctx(), room, id)).Message
	if e.Poll == nil {
		return "no poll: " + e.Text
	}
	out := e.Poll.Question
	for _, o := range e.Poll.Options {
		var names []string
		for _, v := range o.Voters {
			names = append(names, strings.TrimSuffix(v.Handle, "@home.example"))
		}
		if len(names) == 2 && names[0] > names[1] {
			names[0], names[1] = names[1], names[0]
		}
		out += fmt.Sprintf(" %s[%s]", o.Text, strings.Join(names, " "))
	}
	if len(e.Poll.Own) > 0 {
		out += fmt.Sprint(" own ", e.Poll.Own)
	}
	if e.Poll.Closed {
		out += " closed"
	}
	return out
}

// TestPolls: each member's newest vote counts for everybody, until who made the poll
// closes it; nothing is left of either.
func TestPolls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "club", alice, bob, carol)
		poll := func(p *NewPoll) string {
			t.Helper()
			s, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Poll: p, Expire: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return s.ID
		}
		vote := func(h *home, id string, want wire.Code, choices ...int) {
			t.Helper()
			_, err := h.c.Vote(h.ctx(), VoteOptions{Room: room, ID: id, Choices: choices})
			if code(err) != want {
				t.Errorf("%s votes %v: %v, want %q", h.name, choices, err, want)
			}
			synctest.Wait()
		}
		one := poll(&NewPoll{Question: "when?", Options: []string{"now", "later"}})
		vote(bob, one, "", 1)
		vote(carol, one, "", 1)
		vote(bob, one, "", 2)
		for h, own := range map[*home]string{alice: "", bob: " own [2]", carol: " own [1]"} {
			if got := h.standing(room, one); got != "when? now[carol] later[bob]"+own {
				t.Errorf("%s sees %q", h.name, got)
			}
		}
		var told []string
		for _, e := range alice.got() {
			if e.Type == EventVote && e.Of == one {
				told = append(told, e.From[:3]+" "+e.Text)
			}
		}
		if got := strings.Join(told, ", "); got != "car now, bob later" {
			t.Errorf("alice was told: %s", got)
		}
		vote(bob, one, wire.BadInput, 1, 2)
		vote(bob, one, wire.BadInput, 3)
		vote(bob, one, wire.BadInput, 0)
		vote(bob, one, "")
		if got := bob.standing(room, one); got != "when? now[carol] later[]" {
			t.Errorf("taken back: %q", got)
		}
		// Its text is not to change under the votes.
		for _, h := range []*home{alice, bob} {
			if _, err := h.c.Amend(h.ctx(), AmendOptions{Room: room, ID: one, Text: "never?"}); err == nil {
				t.Errorf("%s edited a poll", h.name)
			}
		}
		if _, err := bob.c.Vote(bob.ctx(), VoteOptions{Room: room, ID: one, Close: true}); code(err) != wire.Denied {
			t.Errorf("bob closes alice's poll: %v", err)
		}
		must(alice.c.Vote(alice.ctx(), VoteOptions{Room: room, ID: one, Close: true}))
		synctest.Wait()
		vote(bob, one, wire.Denied, 1)
		vote(carol, one, wire.Denied)
		if got := carol.standing(room, one); got != "when? now[carol] later[] own [1] closed" {
			t.Errorf("closed: %q", got)
		}
		many := poll(&NewPoll{Question: "what?", Options: []string{"tea", "cake", "soup"}, Multi: true})
		vote(bob, many, "", 3, 1)
		vote(alice, many, "", 1)
		if got := bob.standing(room, many); got != "what? tea[alice bob] cake[] soup[bob] own [1 3]" {
			t.Errorf("several: %q", got)
		}
		if got := carol.search("soup"); len(got) != 1 {
			t.Errorf("found %q", got)
		}
		// A vote is for a poll.
		text := alice.send(room, "no poll").ID
		vote(bob, text, wire.BadInput, 1)
		// A device that is linked later sees it as it stands.
		phone := w.link(bob, "phone")
		if got := phone.standing(room, many); got != "what? tea[alice bob] cake[] soup[bob] own [1 3]" {
			t.Errorf("a later device sees %q", got)
		}
		for _, p := range []*NewPoll{{}, {Question: "x", Options: []string{"a"}}, {Question: "x", Options: []string{"a", "a"}}, {Question: "x", Options: []string{"a", "b\u202ec"}},
			{Question: "x\ny", Options: []string{"a", "b"}}, {Question: "x", Options: make([]string, 21)}} {
			if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Poll: p}); code(err) != wire.BadInput {
				t.Errorf("%+v: %v", p, err)
			}
		}
		alice.amend(AmendOptions{Room: room, ID: many, Delete: true})
		synctest.Wait()
		carol.holdsNone(t, "soup")
		time.Sleep(2 * time.Hour)
		for _, h := range []*home{alice, bob, carol, phone} {
			h.holdsNone(t, "later", "when?", "soup")
		}
	})
}

// TestForgedVotes: a client that does as it likes votes once, for what there is, and
// closes nothing.
func TestForgedVotes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "hello").Room
		bob.accept()
		s, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Poll: &NewPoll{Question: "q", Options: []string{"a", "b"}}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		o := content.Options{Sent: time.Now()}
		of := messageID(t, s.ID)
		for _, b := range []content.Ballot{{Choices: []uint8{0, 1}}, {Choices: []uint8{7}}, {Close: true}} {
			bob.inject(room, must(content.NewVote(of, b, "x", o)))
		}
		if got := alice.standing(room, s.ID); got != "q a[] b[]" {
			t.Errorf("of forged votes alice sees %q", got)
		}
		for range 5 {
			bob.inject(room, must(content.NewVote(of, content.Ballot{Choices: []uint8{1}}, "Voted: a", o)))
		}
		if got := alice.standing(room, s.ID); got != "q a[] b[bob]" {
			t.Errorf("alice sees %q", got)
		}
		// What it says in words is not what counts, and not what is shown.
		for _, e := range alice.got() {
			if e.Type == EventVote && e.Text != "b" {
				t.Errorf("alice was told %q", e.Text)
			}
		}
	})
}

// TestPlacesAndContacts: a place, and a person whom somebody introduces; a card whose
// link leads elsewhere is not taken in.
func TestPlacesAndContacts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := alice.send("bob", "hello").Room
		bob.accept()
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Place: &NewPlace{Lat: 52.52, Lon: -13.405, Accuracy: 20, Label: "café"}}); err != nil {
			t.Fatal(err)
		}
		e := bob.last(room)
		if p := e.Place; e.Kind != "place" || p == nil || p.Label != "café" || p.Accuracy != 20 || p.Lat != 52.52 || p.Lon != -13.405 {
			t.Errorf("bob sees %+v, %+v", e, e.Place)
		}
		for _, p := range []NewPlace{{Lat: 91}, {Lon: -181}, {Label: "a\nb"}} {
			if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Place: &p}); code(err) != wire.BadInput {
				t.Errorf("%+v: %v", p, err)
			}
		}
		share := func(o IntroduceOptions) error {
			o.To = room
			_, err := alice.c.Introduce(alice.ctx(), o)
			return err
		}
		if err := share(IntroduceOptions{Who: "carol", Name: "Caz"}); err != nil {
			t.Fatal(err)
		}
		c := bob.last(room).Contact
		if c == nil || c.Name != "Caz" || c.Handle != "carol@home.example" || c.Known || c.Link != "" {
			t.Fatalf("bob sees %+v", c)
		}
		// Herself, with a link that works once.
		carol.send("bob", "hi")
		bob.accept()
		if _, err := carol.c.Introduce(carol.ctx(), IntroduceOptions{SendOptions: SendOptions{To: "bob"}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, r := range must(bob.c.Rooms(bob.ctx())) {
			if r.Room != room {
				if c := bob.last(r.Room).Contact; c == nil || c.Link == "" || !c.Known || c.Name != "carol" {
					t.Errorf("her own card: %+v", c)
				} else if got := must(alice.c.AddContact(alice.ctx(), c.Link)); got.Account != c.Account {
					t.Errorf("the link leads to %+v", got)
				}
			}
		}
		other := must(bob.c.Invite(bob.ctx(), 1, time.Hour)).Link
		if err := share(IntroduceOptions{Who: "carol", Link: other}); code(err) != wire.BadInput {
			t.Errorf("with another's link: %v", err)
		}
		me := must(carol.c.self(carol.ctx())).ID
		alice.inject(room, must(content.NewContact(content.Card{Account: me, Name: "Carol", Link: other}, content.Options{Sent: time.Now()})))
		if e := bob.last(room); e.Contact != nil || !strings.Contains(e.Text, "somebody else") || strings.Contains(e.Text, "i#") {
			t.Errorf("a forged card: %q, %+v", e.Text, e.Contact)
		}
	})
}
