package core

import (
	"time"

	"hearth/content"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/wire"
)

// Marks: what others say of our messages, and how it is shown. They lie in the
// message's own line and die with it.

// seen is how far a message has come with one person who could get it.
type seen struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	State   seenState // the highest that any of the person's devices said
	At      int64     // when we heard of it, Unix milliseconds
}

type seenState uint8

const (
	seenNot seenState = iota
	seenDelivered
	seenRead
)

func (s seenState) String() string {
	switch s {
	case seenDelivered:
		return StateDelivered
	case seenRead:
		return StateRead
	}
	return StateSent
}

// addressed notes who could get a message of this account's that was just seen
// in the log: those with a leaf in the group then, and nobody who joins later.
// Only their receipts will count.
func (h *happening) addressed(from roster.Leaf, ro *roster.Roster) {
	h.Sender = from.Device
	st := ro.State()
	if len(st.Members) > receiptPeople {
		return
	}
	for _, m := range st.Members {
		if m.Account != from.Account && h.mark(m.Account) == nil && len(ro.LeavesOf(m.Account)) > 0 {
			h.Seen = append(h.Seen, seen{Account: m.Account})
		}
	}
}

// keepSender notes which device a message came from: of another's, to be
// receipted; of one of this account's, to be marked.
func (s *step) keepSender(r *room, cv *conversation, ro *roster.Roster, from roster.Leaf, n uint64, h *happening) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	h.Sender = from.Device
	if from.Account == me.ID {
		h.addressed(from, ro)
	}
	s.putUntil(lineName(cv.ID, n), h, h.Until)
	if from.Account == me.ID {
		return nil
	}
	return s.owe(r, cv, from, n, h)
}

// addressees notes who could get a message of this device's.
func (s *step) addressees(r *room, h *happening) error {
	g, err := s.group(r.ID)
	if err != nil || g == nil {
		return err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	if from, ok := ro.Leaf(g.OwnLeaf()); ok {
		h.addressed(from, ro)
	}
	return nil
}

func (h *happening) mark(account wire.AccountID) *seen {
	for i := range h.Seen {
		if h.Seen[i].Account == account {
			return &h.Seen[i]
		}
	}
	return nil
}

// hearReceipt deals with a member's receipt. It speaks for its sender alone, of
// messages of ours that were sent and are still here; what is known already, or
// goes back, changes nothing. Whoever gives no receipts hears none.
func (s *step) hearReceipt(r *room, cv *conversation, from roster.Leaf, body []byte) (bool, error) {
	rc, err := content.ParseReceipt(body)
	if err != nil {
		return false, nil
	}
	ok, err := s.receipts(r, cv)
	if err != nil || !ok {
		return true, err
	}
	me, err := s.me()
	if err != nil || from.Account == me.ID {
		return true, err
	}
	p, err := s.person(from.Account)
	if err != nil || p.Blocked {
		return true, err
	}
	for _, id := range rc.Read {
		if err := s.reached(cv, me.ID, from.Account, id, seenRead); err != nil {
			return false, err
		}
	}
	for _, id := range rc.Delivered {
		if err := s.reached(cv, me.ID, from.Account, id, seenDelivered); err != nil {
			return false, err
		}
	}
	return true, nil
}

// reached marks a message of ours, and those that the same device sent before
// it, for one person.
func (s *step) reached(cv *conversation, me, who wire.AccountID, id content.MessageID, state seenState) error {
	n, err := s.lineOf(cv.ID, id[:])
	if err != nil || n == 0 {
		return err // never sent here, or it has ended
	}
	named, err := s.line(cv.ID, n)
	if err != nil || named == nil || named.Type != EventMessage || named.Account != me || named.mark(who) == nil {
		return err // another's message, or not seen in the log, or before this person came
	}
	var lines []uint64
	err = s.linesBack(cv, n, func(m uint64, h *happening) bool {
		if h.Type != EventMessage || h.Account != me || h.Sender != named.Sender || h.State == StateQueued {
			return true
		}
		k := h.mark(who)
		if k == nil || k.State >= state {
			return false // and so it is with those before it
		}
		lines = append(lines, m)
		return true
	})
	if err != nil {
		return err
	}
	now := s.c.now().UnixMilli()
	for i := len(lines) - 1; i >= 0; i-- {
		h, err := s.line(cv.ID, lines[i])
		if err != nil || h == nil {
			return err
		}
		k := h.mark(who)
		k.State, k.At = state, now
		s.putUntil(lineName(cv.ID, lines[i]), h, h.Until)
		if _, err := s.tell(pointer{Conv: cv.ID, N: lines[i], Who: who, State: state.String(), At: now}, h.Until); err != nil {
			return err
		}
	}
	return nil
}

// linesBack calls f for the lines of a history that are still there, from n
// back, until f returns false.
func (s *step) linesBack(cv *conversation, n uint64, f func(n uint64, h *happening) bool) error {
	id := cv.ID
	oldest, err := s.firstLine(id)
	if err != nil {
		return err
	}
	for n = cv.skip(n); n > 0 && n >= oldest; n = cv.skip(n) {
		first := uint64(1)
		if n > scanPage {
			first = n - scanPage + 1
		}
		items, err := s.c.vault.Scan(s.ctx, historyName(id), lineName(id, first-1), scanPage)
		if err != nil {
			return err
		}
		for i := len(items) - 1; i >= 0; i-- {
			m, _ := vault.Number(items[i].Name)
			if m > n {
				continue
			}
			h, err := s.line(id, m) // as this step has left it
			if err != nil {
				return err
			}
			if h != nil && !f(m, h) {
				return nil
			}
		}
		n = first - 1
	}
	return nil
}

// receiptEvent is one person's mark on a message, as an event.
func (s *step) receiptEvent(p pointer, h *happening) (Event, error) {
	e := Event{Type: EventReceipt, Room: p.Conv.String(), Account: p.Who.String(), Sent: time.UnixMilli(p.At).UTC(),
		ID: b64(h.ID), State: p.State}
	var err error
	if e.From, err = s.show(p.Who); err != nil {
		return e, err
	}
	e.Nickname, err = s.nickname(p.Who)
	return e, err
}

// audience is who of a conversation's people must have got or read a message
// before it is said to be delivered or read.
type audience struct {
	here, joined map[wire.AccountID]bool
	open         bool // who has joined is known
}

func (s *step) audience(cv *conversation) (audience, error) {
	a := audience{here: map[wire.AccountID]bool{}, joined: map[wire.AccountID]bool{}}
	r, err := s.room(cv.Room)
	if err != nil || r == nil {
		return a, err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return a, err
	}
	a.open = r.State == roomOK || r.State == roomOutOfStep
	for _, m := range ro.State().Members {
		a.here[m.Account] = true
		if a.joined[m.Account], err = s.hasJoined(r.ID, ro, m.Account); err != nil {
			return a, err
		}
	}
	return a, nil
}

// markOf shows how far a message has come with one person.
func (s *step) markOf(k seen) (Mark, error) {
	m := Mark{Account: k.Account.String(), State: k.State.String()}
	if k.State != seenNot {
		m.At = time.UnixMilli(k.At).UTC()
	}
	name, err := s.show(k.Account)
	if err != nil {
		return m, err
	}
	if name != m.Account {
		m.Handle = name
	}
	m.Nickname, err = s.nickname(k.Account)
	return m, err
}

// showMarks writes what is known of an own message's way into its event.
func (s *step) showMarks(e *Event, h *happening, to audience) error {
	if h.Type != EventMessage || len(h.Seen) == 0 || h.State != "" && h.State != StateSent {
		return nil
	}
	all, counted := seenRead, false
	for _, k := range h.Seen {
		if k.State != seenNot {
			m, err := s.markOf(k)
			if err != nil {
				return err
			}
			e.Receipts = append(e.Receipts, m)
		}
		// Whoever left does not hold the others up, nor whoever never came.
		if to.here[k.Account] && (!to.open || to.joined[k.Account] || k.State != seenNot) {
			all, counted = min(all, k.State), true
		}
	}
	if !counted {
		// All of them have left: what they said last.
		for _, k := range h.Seen {
			all = min(all, k.State)
		}
	}
	e.State = all.String()
	return nil
}
