package core

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/content"
	"hearth/wire"
)

// TestHostileContent: whatever a member's client puts into messages, the others read
// words or nothing, nobody's words change, and the conversation goes on.
func TestHostileContent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, mallory := w.person("alice"), w.person("mallory")
		room := alice.send("mallory", "hello").Room
		mallory.accept()
		mine := messageID(t, alice.send(room, "mine").ID)
		short, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "over soon", Expire: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		alice.got()
		time.Sleep(2 * time.Minute)
		over := messageID(t, short.ID)
		o := content.Options{Sent: time.Now()}
		quote := o
		quote.InReplyTo = &over
		typed := func(ct string, b []byte) *content.Message {
			m := must(content.NewText("x", o))
			m.Part = content.Part{Disposition: content.Render, Body: content.Multi{Semantics: content.ChooseOne, Parts: []content.Part{
				{Body: content.Single{ContentType: ct, Content: b}}, {Body: content.Single{ContentType: content.TextPlain, Content: []byte("words")}}}}}
			return m
		}
		poll := must(content.NewPoll(content.Question{Question: "q?", Options: []string{"a", "b"}}, o))
		asEdit := *poll
		asEdit.Replaces = &mine
		voteOn := func(of content.MessageID) *content.Message {
			return must(content.NewVote(of, content.Ballot{Choices: []uint8{0}}, "Voted: a", o))
		}
		forged := must(content.NewText("forged", o))
		forged.Extensions[content.KeySent] = wire.Encode(int64(1) << 62)
		deep := bytes.Repeat([]byte{0x81}, 20000)
		for name, c := range map[string]struct {
			m    *content.Message
			want string // the text that alice reads; "" for nothing
		}{
			"an edit of another's":        {must(content.NewEdit(mine, "not mine", o)), ""},
			"a poll in another's place":   {&asEdit, ""},
			"a deletion of another's":     {content.NewDelete(mine, o), ""},
			"a huge reaction":             {must(content.NewReaction(mine, strings.Repeat("👍", 8000), o)), ""},
			"a reaction to what is over":  {must(content.NewReaction(over, "👍", o)), ""},
			"an edit of what is over":     {must(content.NewEdit(over, "back again", o)), ""},
			"a vote on a text":            {voteOn(mine), ""},
			"a vote on what is over":      {voteOn(over), ""},
			"a quote of what is over":     {must(content.NewText("about that", quote)), "about that"},
			"a poll that is a bomb":       {typed(content.PollType, deep), "words"},
			"a place that is text":        {typed(content.PlaceType, []byte("52.5,13.4")), "words"},
			"a card that is a poll":       {typed(content.ContactType, wire.Encode(content.Question{Question: "q", Options: []string{"a", "b"}})), "words"},
			"a vote without a poll":       {typed(content.VoteType, wire.Encode(content.Ballot{Choices: []uint8{0}})), "words"},
			"what nobody knows":           {typed("text/html", []byte("<script>alert(1)</script>")), "words"},
			"a message from year 2^62":    {forged, "forged"},
			"a text of controls":          {must(content.NewText("\x1b[2J\u202e", o)), "\x1b[2J\u202e"},
			"a largest text":              {must(content.NewText(strings.Repeat("*_~`@", content.MaxText/5), o)), strings.Repeat("*_~`@", content.MaxText/5)},
			"a message that is over":      {must(content.NewText("late", content.Options{Sent: o.Sent, Expires: content.EndsAt(o.Sent.Add(-time.Hour))})), ""},
			"marks over another's length": {marked(o, content.Mark{Style: content.Bold, From: 1 << 30, Len: 1 << 30}), "short"},
		} {
			mallory.inject(room, c.m)
			synctest.Wait()
			var got []string
			for _, e := range alice.got() {
				if e.Room == room && e.Type != EventExpired && e.Type != EventReceipt {
					got = append(got, e.Type+" "+e.Text)
				}
			}
			want := ""
			if c.want != "" {
				want = "message " + c.want
			}
			if strings.Join(got, "; ") != want {
				t.Errorf("%s: alice was given %.200q, want %.100q", name, got, want)
			}
		}
		e := must(alice.c.Details(alice.ctx(), room, mine.String())).Message
		if e.Text != "mine" || e.Edited != nil || e.Deleted || len(e.Reactions) != 0 || e.Poll != nil {
			t.Errorf("her own message is %+v", e)
		}
		if got := alice.search("script"); len(got) != 0 {
			t.Errorf("found %q", got)
		}
		mallory.send(room, "and on")
		if got := texts(alice.got()); len(got) != 1 || got[0] != "and on" {
			t.Errorf("then alice got %q", got)
		}
	})
}

// marked returns a message whose marks lie as they like.
func marked(o content.Options, marks ...content.Mark) *content.Message {
	m := must(content.NewText("short", o))
	m.Extensions[content.KeyMarks] = wire.Encode(marks)
	return m
}
