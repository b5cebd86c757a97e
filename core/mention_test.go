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

// pieces writes a message's text as a screen would show it.
func pieces(e Event) string {
	var b strings.Builder
	for _, r := range e.Runs {
		switch {
		case r.Mention != "":
			fmt.Fprintf(&b, "[%s]", strings.TrimSuffix(r.Handle, "@home.example"))
		case len(r.Style) > 0:
			fmt.Fprintf(&b, "<%s:%s>", strings.Join(r.Style, " "), r.Text)
		default:
			b.WriteString(r.Text)
		}
	}
	if e.Mentioned {
		b.WriteString(" (you)")
	}
	return b.String()
}

// last returns the newest message of a conversation.
func (h *home) last(room string) Event {
	h.t.Helper()
	synctest.Wait()
	events := must(h.c.History(h.ctx(), room, 1))
	if len(events) != 1 {
		h.t.Fatalf("%s: no line", h.name)
	}
	return events[0]
}

// TestFormattedAndMentioned: how a text looks and whom it mentions is the same for
// all members; an edit changes it, and what is sent on mentions nobody.
func TestFormattedAndMentioned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol, eve := w.person("alice"), w.person("bob"), w.person("carol"), w.person("eve")
		room := groupOf(t, "club", alice, bob, carol)
		direct := alice.send("eve", "hello").Room
		eve.accept()
		say := func(h *home, to, text string) Sent {
			t.Helper()
			s, err := h.c.Send(h.ctx(), SendOptions{To: to, Text: text, Format: true})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		m := say(alice, room, "*now*, @bob and @carol@home.example, not @eve")
		want := "<bold:now>, [bob] and [carol], not @eve"
		for h, you := range map[*home]string{alice: "", bob: " (you)", carol: " (you)"} {
			if e := h.last(room); pieces(e) != want+you || e.Text != "now, @bob and @carol@home.example, not @eve" {
				t.Errorf("%s has %q, text %q", h.name, pieces(e), e.Text)
			}
		}
		if got := bob.search("now"); len(got) != 1 {
			t.Errorf("it is found as %q", got)
		}
		if _, err := alice.c.Forward(alice.ctx(), ForwardOptions{Room: room, ID: m.ID, To: direct}); err != nil {
			t.Fatal(err)
		}
		if e := eve.last(direct); pieces(e) != "<bold:now>, @bob and @carol@home.example, not @eve" {
			t.Errorf("sent on: %q", pieces(e))
		}
		alice.amend(AmendOptions{Room: room, ID: m.ID, Text: "_later_, @carol", Format: true})
		if e := bob.last(room); pieces(e) != "<italic:later>, [carol]" || e.Text != "later, @carol" {
			t.Errorf("edited: %q, %q", pieces(e), e.Text)
		}
		if e := carol.last(room); !e.Mentioned {
			t.Error("carol does not know that she is mentioned now")
		}
		if _, err := alice.c.Forward(alice.ctx(), ForwardOptions{Room: room, ID: m.ID, To: direct}); err != nil {
			t.Fatal(err)
		}
		if e := eve.last(direct); pieces(e) != "<italic:later>, @carol" {
			t.Errorf("edited and sent on: %q", pieces(e))
		}
		alice.amend(AmendOptions{Room: room, ID: m.ID, Text: "*plain*"})
		if e := bob.last(room); len(e.Runs) != 0 || e.Text != "*plain*" {
			t.Errorf("edited without format: %q, %q", pieces(e), e.Text)
		}
		say(bob, room, "@Bob @"+must(alice.c.self(alice.ctx())).ID.String())
		if e := bob.last(room); pieces(e) != "[bob] [alice]" { // who mentions themselves is not told
			t.Errorf("bob has %q", pieces(e))
		}
		// By the name that alice calls her.
		nick := "Caz"
		must(alice.c.Arrange(alice.ctx(), "carol", Arrangement{Nickname: &nick}))
		say(alice, room, "@caz?")
		if e := carol.last(room); pieces(e) != "[carol]? (you)" {
			t.Errorf("by a nickname: %q", pieces(e))
		}
		// Who has left is not mentioned any more.
		if _, err := carol.c.GroupLeave(carol.ctx(), room); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		say(alice, room, "@bob and @carol")
		if e := bob.last(room); pieces(e) != "[bob] and @carol (you)" {
			t.Errorf("after she left: %q", pieces(e))
		}
		many := strings.Repeat("*a* ", content.MaxMarks+1)
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: many, Format: true}); code(err) != wire.BadInput {
			t.Errorf("too many marks: %v", err)
		}
	})
}

// TestForgedMarks: marks that lie wrong, or mention who is not there, leave a text.
func TestForgedMarks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, eve := w.person("alice"), w.person("bob"), w.person("eve")
		room := alice.send("bob", "hello").Room
		bob.accept()
		stranger := must(eve.c.self(eve.ctx())).ID
		for name, marks := range map[string]any{
			"beyond the text": []content.Mark{{Style: content.Bold, From: 1, Len: 1 << 31}},
			"a stranger":      []content.Mark{{Style: content.Mention, Len: 4, Account: &stranger}},
			"no list":         "x",
			"a long list":     make([]content.Mark, 500),
		} {
			m := must(content.NewText("text of "+name, content.Options{Sent: time.Now()}))
			m.Extensions[content.KeyMarks] = wire.Encode(marks)
			alice.inject(room, m)
			e := bob.last(room)
			if e.Text != "text of "+name || e.Mentioned {
				t.Errorf("%s: bob has %q", name, e.Text)
			}
			for _, r := range e.Runs {
				if r.Mention != "" || len(r.Style) > 0 {
					t.Errorf("%s: shown as %+v", name, r)
				}
			}
		}
	})
}
