package core

import (
	"context"
	"slices"
	"time"

	"hearth/content"
	"hearth/core/lane"
	"hearth/mls"
	"hearth/wire"
)

// That somebody is writing is told to those whose devices are there now, by an
// ephemeral post, where receipts are given (protocol §3), and is held in memory
// alone. Who gives no receipts neither says it nor hears it.

const (
	// typingEvery is how far apart two of these posts of a conversation are.
	typingEvery = 5 * time.Second
	// typingLasts is how long one counts: a little longer, so that nothing flickers.
	typingLasts = 8 * time.Second
	// typingWait bounds how long one is tried: later it would not be true.
	typingWait = 2 * time.Second
)

// typist is an account in a conversation.
type typist struct {
	conv    convID
	account wire.AccountID
}

// Writer is a person who is writing something now; Until is when that is not
// known any more, unless they say it again.
type Writer struct {
	Account  string    `json:"account"`
	Handle   string    `json:"handle,omitempty"`
	Nickname string    `json:"nickname,omitempty"`
	Until    time.Time `json:"until"`
}

// Told answers Typing: whether it was told to anybody.
type Told struct {
	Room string `json:"room"`
	Told bool   `json:"told"`
}

// Typing tells the others in a conversation that this person is writing, or has
// stopped. It is told at most every few seconds, and not where no receipts are
// given; that is no error, and neither is a server that does not answer.
func (c *Client) Typing(ctx context.Context, room string, stopped bool) (out Told, err error) {
	id, err := c.roomByText(ctx, room)
	if err != nil {
		return out, err
	}
	out.Room = room
	var post *wire.RoomEphemeral
	server := ""
	err = c.step(ctx, func(s *step) error {
		post, server, err = s.typingPost(id, stopped)
		return err
	})
	if err != nil || post == nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, typingWait)
	defer cancel()
	session, err := c.net.To(server, lane.Posts).Up(ctx)
	if err == nil {
		err = session.Call(ctx, wire.OpRoomEphemeral, post, nil)
	}
	if err != nil {
		c.debug("typing was not told", err)
	}
	out.Told = err == nil
	return out, nil
}

// typingPost seals that this person is writing; nil if it is not to be told now.
// The ratchet is on disk before it leaves, as with any post.
func (s *step) typingPost(id convID, stopped bool) (*wire.RoomEphemeral, string, error) {
	cv, err := s.conv(id)
	if err != nil || cv == nil {
		return nil, "", err
	}
	r, err := s.room(cv.Room)
	if err != nil {
		return nil, "", err
	}
	if ok, err := s.receipts(r, cv); err != nil || !ok || !s.c.live(r.ID) {
		return nil, "", err
	}
	now := s.c.now()
	told, before := s.c.typed[id]
	if since := now.Sub(told); !stopped && before && since >= 0 && since < typingEvery || stopped && !before {
		return nil, "", nil
	}
	g, err := s.group(r.ID)
	if err != nil || g == nil {
		return nil, "", err
	}
	if p, err := s.firstPlan(r.ID); err != nil || p != nil {
		return nil, "", err // a commit is about to end the epoch
	}
	if due, err := s.mustRenew(r, g); err != nil || due {
		return nil, "", err
	}
	kind := content.Typing
	if stopped {
		kind = content.Stopped
	}
	plain := content.Fleeting{Kind: kind}.Encode()
	sealed, err := s.sealed(r, g, plain, content.PadTo(len(plain)))
	if err != nil {
		return nil, "", err
	}
	token, err := postToken(g, r.ID)
	if err != nil {
		return nil, "", err
	}
	s.then(func() {
		if stopped {
			delete(s.c.typed, id)
			return
		}
		s.c.typed[id] = now
	})
	return &wire.RoomEphemeral{Room: r.ID, Epoch: wire.Epoch(g.Epoch()), Token: token, Payload: sealed}, r.Server, nil
}

// fleeting deals with an ephemeral post. Whatever it is, it leaves no more behind
// than a key that was used: what does not open, or is anything but fleeting, leaves
// not even that, so that a server cannot make a message go unheard by passing it
// off as one of these.
func (s *step) fleeting(r *room, cv *conversation, e *wire.Entry) error {
	if ok, err := s.receipts(r, cv); err != nil || !ok || e.Epoch != r.Epoch {
		return err
	}
	g, err := s.group(r.ID)
	if err != nil || g == nil {
		return err
	}
	staged, err := g.Process(e.Payload)
	if err != nil || staged.Kind() != mls.ContentApplication || len(staged.AuthenticatedData()) > 0 {
		return nil
	}
	f, err := content.ParseFleeting(staged.Application())
	if err != nil {
		return nil
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	index, member := staged.Sender()
	from, ok := ro.Leaf(index)
	if !member || !ok {
		return nil
	}
	s.putRatchets(r.ID, staged.Apply())
	mine, err := s.isMe(from.Account)
	if err != nil || mine {
		return err
	}
	p, err := s.person(from.Account)
	if err != nil || p.Blocked {
		return err
	}
	if f.Kind == content.Typing || f.Kind == content.Stopped {
		s.writes(typist{cv.ID, from.Account}, f.Kind == content.Typing)
	}
	return nil
}

// writes notes that somebody is writing, or not any more.
func (s *step) writes(who typist, now bool) {
	until := s.c.now().Add(typingLasts)
	s.then(func() {
		delete(s.c.typing, who)
		if now {
			s.c.typing[who] = until
		}
	})
}

// writers lists who is writing in a conversation now.
func (s *step) writers(id convID) (out []Writer, err error) {
	now := s.c.now()
	for who, until := range s.c.typing {
		if until.Before(now) || until.Sub(now) > typingLasts { // a clock that went back
			delete(s.c.typing, who)
			continue
		}
		if who.conv != id {
			continue
		}
		w := Writer{Account: who.account.String(), Until: until.UTC()}
		name, err := s.show(who.account)
		if err != nil {
			return nil, err
		}
		if name != w.Account {
			w.Handle = name
		}
		if w.Nickname, err = s.nickname(who.account); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Writer) int { return a.Until.Compare(b.Until) })
	return out, nil
}
