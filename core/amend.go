package core

import (
	"context"
	"errors"
	"time"
	"unicode"

	"hearth/content"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/wire"
)

// Amendments: what is said of a message later. An edit takes the place of its
// text, a deletion of all of it, a reaction stands beside it. Each is a line of
// the history like a message, so that it reaches other devices, backups and
// successors the same way; it is shown with its message and never outlives it.

// Limits of what may be said of one message.
const (
	maxReaction     = 64   // bytes
	reactionsOfOne  = 16   // by one person
	amendmentsOfAll = 1024 // by all of them
)

// amends reports whether a line says something of another.
func (h *happening) amends() bool {
	switch h.Type {
	case EventEdit, EventDeletion, EventReaction, EventVote:
		return true
	}
	return false
}

// said reports whether a line was said by a member, under an id of its own.
func (h *happening) said() bool { return h.Type == EventMessage || h.amends() }

// amendName finds the line of an amendment by the message's id and its own.
func amendName(id convID, of, own []byte) string {
	return vault.Name("amend", b64(id[:]), b64(of), b64(own))
}

// goneName says that a message was deleted that has not come here.
func goneName(id convID, message []byte) string {
	return vault.Name("gone", b64(id[:]), b64(message))
}

var (
	errNoMessage = wire.Errorf(wire.NotFound, "there is no such message here").WithNext("it may have ended; look with: hearth history")
	errNotYours  = wire.Errorf(wire.Denied, "only who sent a message can change it").WithNext("answer it, or react to it")
	errNotToThis = wire.Errorf(wire.BadInput, "that cannot be said of this line").WithNext("only messages are edited, deleted and reacted to")
	errReaction  = wire.Errorf(wire.BadInput, "a reaction is one emoji or a short word, up to %d bytes", maxReaction)
	errReactions = wire.Errorf(wire.Full, "there are too many reactions to this message").WithNext("take one back first")
)

// amendment is one that was found to be allowed.
type amendment struct {
	kind   content.Kind
	target *happening
	line   uint64 // the target's
	of     []byte // the id of the message that it belongs to
}

// judge says what a message that changes another does, or why it may not. The
// error is a *wire.Error for that, any other one is ours.
func (s *step) judge(cv *conversation, from wire.AccountID, m *content.Message) (*amendment, error) {
	a := &amendment{kind: m.Kind()}
	of := m.Replaces
	if a.kind == content.React || a.kind == content.Vote {
		of = m.InReplyTo
	}
	n, err := s.lineOf(cv.ID, of[:])
	if err != nil {
		return nil, err
	}
	if a.target, err = s.line(cv.ID, n); err != nil {
		return nil, err
	}
	if a.target == nil {
		return nil, errNoMessage
	}
	a.line, a.of = n, of[:]
	if a.kind != content.React && a.kind != content.Vote && a.target.Account != from {
		return nil, errNotYours
	}
	switch {
	case a.kind == content.Delete && a.target.Type == EventReaction:
		a.of = a.target.Reply
		return a, nil
	case a.target.Type != EventMessage:
		return nil, errNotToThis
	case a.target.Deleted:
		return nil, errNoMessage
	case a.kind == content.React:
		return a, s.judgeReaction(cv, from, m, a)
	case a.kind == content.Vote:
		return a, s.judgeVote(cv, from, m, a)
	}
	if said, err := content.Parse(a.target.Body); err == nil && a.kind == content.Edit && !said.Kind().Editable() {
		return nil, errNotToThis // not what others have answered to
	}
	return a, nil
}

func (s *step) judgeReaction(cv *conversation, from wire.AccountID, m *content.Message, a *amendment) error {
	text, _ := m.Text()
	if len(text) > maxReaction {
		return errReaction
	}
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return errReaction
		}
	}
	all, own := 0, 0
	return s.amendments(cv.ID, a.of, func(_ uint64, h *happening) error {
		all++
		if h.Account == from && h.Kind != ReactionTaken {
			own++
		}
		if all == amendmentsOfAll || own == reactionsOfOne {
			return errReactions
		}
		return nil
	})
}

// amendments calls f for each line that says something of a message.
func (s *step) amendments(id convID, of []byte, f func(n uint64, h *happening) error) error {
	return s.scan(vault.Name("amend", b64(id[:]), b64(of)), func(_ string, b []byte) (bool, error) {
		var n uint64
		if err := decodeRecord(b, &n); err != nil {
			return false, err
		}
		h, err := s.line(id, n)
		if err != nil || h == nil {
			return err == nil, err
		}
		err = f(n, h)
		return err == nil, err
	})
}

// keepAmendment writes what is said of another message once. It returns its
// line; 0 if it means nothing here, and then why as a *wire.Error.
func (s *step) keepAmendment(cv *conversation, st roster.State, from wire.AccountID, id content.MessageID, m *content.Message, body []byte, own bool) (uint64, error) {
	if n, err := s.lineOf(cv.ID, id[:]); err != nil || n != 0 {
		return 0, err
	}
	a, err := s.judge(cv, from, m)
	if errors.Is(err, errNoMessage) && m.Kind() == content.Delete && !own {
		// It may come later: by another way, or said again in a new room.
		s.putUntil(goneName(cv.ID, m.Replaces[:]), from, s.keepUntil(st))
	}
	if err != nil {
		return 0, err
	}
	now := s.c.now()
	until := a.target.Until
	if ends := m.End(now, time.Time{}, time.Duration(st.Retention)*time.Second); !ends.IsZero() && (until == 0 || ends.Unix() < until) {
		until = ends.Unix()
	}
	if until != 0 && until <= now.Unix() {
		return 0, errNoMessage
	}
	h := happening{At: sentAt(m, now), Account: from, ID: id[:], Reply: a.of, Body: body, Until: until, Own: own}
	if own {
		h.Room, h.State = cv.Room, StateQueued
	}
	switch {
	case a.kind == content.React:
		h.Type = EventReaction
	case a.kind == content.Vote:
		err = s.votes(cv, from, m, a, &h)
	case a.kind == content.Edit:
		h.Type = EventEdit
		before := a.target.Until
		if err := s.endSooner(cv.ID, a.line, a.target, until); err != nil {
			return 0, err
		}
		if a.target.Until != before {
			if err := s.fileEndsEarly(cv.ID, a.target); err != nil {
				return 0, err
			}
		}
		err = s.dropAmendments(cv.ID, a.of, func(k *happening) bool { return k.Type == EventEdit })
	case a.target.Type == EventReaction:
		h.Type, h.Kind = EventReaction, ReactionTaken
		h.Text = textOf(a.target)
		err = s.dropAmendments(cv.ID, a.of, func(k *happening) bool {
			return string(k.ID) == string(a.target.ID) || k.Account == from && k.Kind == ReactionTaken
		})
	default:
		h.Type = EventDeletion
		err = s.wipe(cv, a)
	}
	if err != nil {
		return 0, err
	}
	n, err := s.record(cv, h)
	if err != nil {
		return 0, err
	}
	if h.Type != EventDeletion && a.target.Type == EventMessage && !a.target.Amended {
		a.target.Amended = true
		s.putUntil(lineName(cv.ID, a.line), a.target, a.target.Until)
	}
	return n, nil
}

// sentAt returns when a message says it was sent, Unix milliseconds; now if it
// does not say, or cannot be right.
func sentAt(m *content.Message, now time.Time) int64 {
	sent, known := m.Sent()
	if !known || sent.After(now.Add(maxAhead)) {
		sent = now
	}
	return sent.UnixMilli()
}

func textOf(h *happening) string {
	m, err := content.Parse(h.Body)
	if err != nil {
		return ""
	}
	text, _ := m.Words()
	return text
}

// wipe takes a message's content away, and all that was said of it. Its line
// stays until it would have ended, and says that there was one.
func (s *step) wipe(cv *conversation, a *amendment) error {
	h := a.target
	if err := s.dropAmendments(cv.ID, a.of, func(*happening) bool { return true }); err != nil {
		return err
	}
	s.del(signedName(cv.ID, a.line))
	s.del(mentionName(cv.ID, a.line))
	if err := s.dropFile(cv.ID, h.ID); err != nil {
		return err
	}
	var q queue
	if _, err := s.get(queueName, &q); err != nil {
		return err
	}
	if !h.Own && len(h.Device) == 0 && h.Event > q.Mark && cv.Unread > 0 {
		cv.Unread--
	}
	h.Body, h.Reply, h.Text, h.Deleted, h.Amended = nil, nil, "", true, false
	s.putUntil(lineName(cv.ID, a.line), h, h.Until)
	return nil
}

// unsay takes a message out of the outbox if nobody can have it yet. One that was
// sealed may be on its way, and is deleted behind it.
func (s *step) unsay(id convID, r *room, message []byte) (done bool, err error) {
	if held, err := s.heldBack(id, message); err != nil || held {
		return held, err
	}
	var waits *row
	err = s.rows(r.ID, func(w *row) (bool, error) {
		if string(w.Message) == string(message) {
			waits = w
		}
		return waits == nil, nil
	})
	if err != nil || waits == nil || waits.Count != 0 || len(waits.Sealed) > 0 {
		return false, err
	}
	s.dropRow(r.ID, waits)
	return true, nil
}

// dropAmendments removes what was said of a message, as far as which says. The
// ids stay known, so that nothing comes back.
func (s *step) dropAmendments(id convID, of []byte, which func(*happening) bool) error {
	return s.amendments(id, of, func(n uint64, h *happening) error {
		if which(h) {
			s.del(lineName(id, n))
			s.del(signedName(id, n))
			s.del(amendName(id, of, h.ID))
		}
		return nil
	})
}

// endSooner brings a message's end forward, and that of all that belongs to it.
// until is in Unix seconds.
func (s *step) endSooner(id convID, n uint64, h *happening, until int64) error {
	if until == 0 || h.Until != 0 && h.Until <= until {
		return nil
	}
	h.Until = until
	s.putUntil(lineName(id, n), h, until)
	s.putUntil(idName(id, h.ID), n, until)
	signed := new(signedBytes)
	if ok, err := s.get(signedName(id, n), signed); err != nil {
		return err
	} else if ok {
		s.putUntil(signedName(id, n), signed, until)
	}
	if mentioned, err := s.has(mentionName(id, n)); err != nil {
		return err
	} else if mentioned {
		s.putUntil(mentionName(id, n), true, until)
	}
	if err := s.fileEndsSooner(id, h); err != nil {
		return err
	}
	p := new(pointer)
	if ok, err := s.get(eventName(h.Event), p); err != nil {
		return err
	} else if ok && h.Event != 0 {
		s.putUntil(eventName(h.Event), p, until)
	}
	if !h.Amended {
		return nil
	}
	return s.amendments(id, h.ID, func(m uint64, k *happening) error {
		s.putUntil(amendName(id, h.ID, k.ID), m, until)
		return s.endSooner(id, m, k, until)
	})
}

// showAmendments writes into a message's event what was said of it.
func (s *step) showAmendments(id convID, h *happening, e *Event) error {
	e.Deleted = h.Deleted
	if !h.Amended {
		return nil
	}
	return s.amendments(id, h.ID, func(_ uint64, k *happening) error {
		switch k.Type {
		case EventEdit:
			m, err := content.Parse(k.Body)
			if err != nil {
				return err
			}
			e.Text, _ = m.Text()
			if err := s.looks(id, k.Account, m, e); err != nil {
				return err
			}
			at := time.UnixMilli(k.At).UTC()
			e.Edited = &at
		case EventReaction:
			if k.Kind == ReactionTaken {
				return nil
			}
			name, err := s.show(k.Account)
			if err != nil {
				return err
			}
			r := Reacted{ID: b64(k.ID), Reaction: textOf(k), Account: k.Account.String()}
			if name != r.Account {
				r.Handle = name
			}
			if r.Nickname, err = s.nickname(k.Account); err != nil {
				return err
			}
			e.Reactions = append(e.Reactions, r)
		}
		return nil
	})
}

// saidNow returns what a message says, with its newest edit.
func (s *step) saidNow(id convID, h *happening) (*content.Message, error) {
	m, err := content.Parse(h.Body)
	if err != nil || !h.Amended {
		return m, err
	}
	err = s.amendments(id, h.ID, func(_ uint64, k *happening) error {
		if k.Type != EventEdit {
			return nil
		}
		e, err := content.Parse(k.Body)
		if err == nil {
			m.Part = m.WithText(e).Part
			err = m.Mark(e.Marks())
		}
		return err
	})
	return m, err
}

// Amend says something of a message: it edits or deletes one of this account's,
// or reacts to anybody's. It waits until that is sent, as Send does.
func (c *Client) Amend(ctx context.Context, o AmendOptions) (Sent, error) {
	opts := content.Options{Sent: c.now()}
	id, err := c.roomByText(ctx, o.Room)
	if err != nil {
		return Sent{}, err
	}
	of, err := content.ParseMessageID(o.ID)
	if err != nil {
		return Sent{}, err
	}
	var m *content.Message
	switch {
	case o.React != "" && o.TakeBack:
		if of, err = c.ownReaction(ctx, id, of, o.React); err != nil {
			return Sent{}, err
		}
		m = content.NewDelete(of, opts)
	case o.React != "":
		m, err = content.NewReaction(of, o.React, opts)
	case o.Delete:
		m = content.NewDelete(of, opts)
	default:
		m, err = c.edited(ctx, of, o, opts)
	}
	if err != nil {
		return Sent{}, err
	}
	body, err := m.Encode()
	if err != nil {
		return Sent{}, err
	}
	return c.utter(ctx, id, nil, m, body, opts.Sent)
}

func (c *Client) edited(ctx context.Context, of content.MessageID, o AmendOptions, opts content.Options) (m *content.Message, err error) {
	var marks []content.Mark
	if o.Format {
		if o.Text, marks, err = c.formatted(ctx, o.Room, o.Text); err != nil {
			return nil, err
		}
	}
	if m, err = content.NewEdit(of, o.Text, opts); err == nil {
		err = m.Mark(marks)
	}
	return m, err
}

// ownReaction finds the id of a reaction of this account's.
func (c *Client) ownReaction(ctx context.Context, id convID, of content.MessageID, reaction string) (own content.MessageID, err error) {
	err = c.look(ctx, func(s *step) error {
		me, err := s.me()
		if err != nil {
			return err
		}
		err = s.amendments(id, of[:], func(_ uint64, h *happening) error {
			if h.Type == EventReaction && h.Account == me.ID && textOf(h) == reaction {
				own = content.MessageID(h.ID)
			}
			return nil
		})
		if err == nil && own == (content.MessageID{}) {
			err = wire.Errorf(wire.NotFound, "you have no such reaction to this message")
		}
		return err
	})
	return own, err
}

// AmendOptions are the parameters of Amend: one of Text, Delete and React is
// set.
type AmendOptions struct {
	Room string
	ID   string // the message's
	// Text takes the place of the message's; with Format as in SendOptions.
	Text   string
	Format bool
	// Delete takes the message away, everywhere.
	Delete bool
	// React is a reaction, such as one emoji; TakeBack takes it away again.
	React    string
	TakeBack bool
}
