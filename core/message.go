package core

import (
	"errors"
	"time"

	"hearth/content"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// What members say to each other: envelopes inside MLS application messages.

// kindVoid stands for a message that ended before it was sent: it keeps the
// running count without a gap. Others count and skip it.
const kindVoid content.EnvelopeKind = 0x7f

// announcement is what a leaf says of itself when it has joined, and when it
// renews itself (protocol §2).
type announcement struct {
	_     struct{} `cbor:",toarray"`
	Seat  wire.SeatID
	Doors []address
}

// envelope writes a row as it goes into the group, and to which size.
func envelope(r *room, g *mls.Group, w *row) (plain []byte, padTo int, err error) {
	plain, err = content.Envelope{
		Kind: w.Kind, Count: w.Count, Ends: w.Before, Commit: r.Commit, CommitHash: commitHash(g), Body: w.Body,
	}.Encode()
	return plain, content.PadTo(len(plain)), err
}

// commitHash names the newest commit and all before it: every member has it, the
// joiner too, who never saw the commit's bytes.
func commitHash(g *mls.Group) (h [32]byte) {
	copy(h[:], g.ConfirmedTranscriptHash())
	return h
}

// hear deals with one message of another leaf. It returns false for one that
// means nothing; an error is ours, never the sender's.
func (s *step) hear(r *room, cv *conversation, g *mls.Group, staged *mls.Staged) (bool, error) {
	e, err := content.ParseEnvelope(staged.Application())
	if err != nil {
		return false, nil
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return false, err
	}
	index, member := staged.Sender()
	from, ok := ro.Leaf(index)
	if !member || !ok {
		return false, nil
	}
	if e.Commit != r.Commit || e.CommitHash != commitHash(g) {
		// The same epoch with another number: the server shows different logs
		// to different members.
		if err := s.noticeOnce(r, cv, NoticeForked, "Another member sees a different log of this conversation than you do."); err != nil {
			return false, err
		}
	}
	fresh, err := s.countUp(r, cv, index, e)
	if err != nil {
		return false, err
	}
	if err := s.arrived(r, cv, ro, index); err != nil {
		return false, err
	}
	switch e.Kind {
	case content.KindContent:
		return s.hearMessage(r, cv, ro, from, e.Body, staged)
	case content.KindAnnounce:
		if !fresh {
			return true, nil
		}
		return s.hearAnnouncement(r, cv, from, e.Body)
	case content.KindCard:
		return s.hearCard(r, ro, from, e.Body)
	case content.KindSync:
		return s.hearSync(cv, from, e.Body)
	case content.KindLeave:
		return s.hearLeave(r, ro, from, e.Body)
	case content.KindReceipt:
		return s.hearReceipt(r, cv, from, e.Body)
	case kindVoid:
		return true, nil
	}
	return false, nil // a later version's
}

// arrived notes that a leaf has spoken or committed: its device has accepted,
// and its person is a member who was invited before.
func (s *step) arrived(r *room, cv *conversation, ro *roster.Roster, index mls.LeafIndex) error {
	l, err := s.leaf(r.ID, index)
	if err != nil || l.Joined {
		return err
	}
	from, ok := ro.Leaf(index)
	if !ok {
		return nil
	}
	joined, err := s.hasJoined(r.ID, ro, from.Account)
	if err != nil {
		return err
	}
	l.came(s.c.now())
	s.putLeaf(r.ID, index, l)
	if joined {
		return nil // another device of somebody who is here
	}
	h := happening{Type: EventJoined, At: s.c.now().UnixMilli(), Account: from.Account, Until: s.keepUntil(ro.State())}
	if l.By != from.Account {
		h.By = l.By
	}
	_, err = s.record(cv, h)
	return err
}

// hasJoined reports whether a device of an account has accepted.
func (s *step) hasJoined(id wire.RoomID, ro *roster.Roster, account wire.AccountID) (bool, error) {
	me, err := s.me()
	if err != nil {
		return false, err
	}
	if account == me.ID {
		return true, nil
	}
	for _, l := range ro.LeavesOf(account) {
		known, err := s.leaf(id, l.Index)
		if err != nil {
			return false, err
		}
		if known.Joined {
			return true, nil
		}
	}
	return false, nil
}

// hearMessage keeps a message, unless it was kept before.
func (s *step) hearMessage(r *room, cv *conversation, ro *roster.Roster, from roster.Leaf, body []byte, staged *mls.Staged) (bool, error) {
	m, err := content.Parse(body)
	if err != nil {
		return false, nil
	}
	id, err := content.ID(from.Account, cv.ID, body)
	if err != nil {
		return false, nil
	}
	p, err := s.person(from.Account)
	if err != nil {
		return false, err
	}
	if p.Blocked {
		return true, nil // protocol §6: what the blocked say is dropped
	}
	n, err := s.keep(cv, ro.State(), from.Account, id, m, body, false)
	if wrongSaid(err) {
		return true, nil // it is counted, and changes nothing
	}
	if err != nil || n == 0 {
		return true, err
	}
	h, err := s.line(cv.ID, n)
	if err != nil || h == nil {
		return true, err
	}
	if own, err := s.isMe(from.Account); err != nil {
		return true, err
	} else if own {
		h.Device = from.Device[:]
	}
	if h.amends() {
		s.putUntil(lineName(cv.ID, n), h, h.Until)
	} else if err := s.keepSender(r, cv, ro, from, n, h); err != nil {
		return true, err
	}
	tbs, sig := staged.SignedContent()
	s.putUntil(signedName(cv.ID, n), signedBytes{Content: tbs, Signature: sig, Leaf: staged.SenderLeaf().Marshal()}, h.Until)
	return true, nil
}

// signedBytes are the exact bytes that a message's sender signed, kept as long
// as the message: what a later report shows.
type signedBytes struct {
	_         struct{} `cbor:",toarray"`
	Content   []byte   // FramedContentTBS, RFC 9420 §6.1
	Signature []byte
	Leaf      []byte // the sender's leaf
}

func signedName(id convID, n uint64) string {
	return vault.Numbered(vault.Name("signed", b64(id[:])), n)
}

// idName finds a message's line by its id.
func idName(id convID, message []byte) string {
	return vault.Name("message", b64(id[:]), b64(message))
}

// lineOf returns the number of a message's line; 0 if it is not there.
func (s *step) lineOf(id convID, message []byte) (n uint64, err error) {
	_, err = s.get(idName(id, message), &n)
	return n, err
}

// maxAhead is how far ahead of our clock a sender's may be.
const maxAhead = time.Hour

// keep writes what somebody said into the history once: a message, or what
// changes another.
func (s *step) keep(cv *conversation, st roster.State, from wire.AccountID, id content.MessageID, m *content.Message, body []byte, own bool) (uint64, error) {
	switch m.Kind().Spec().Rule {
	case content.EndsItself:
		return s.keepMessage(cv, st, from, id, m, body, own)
	case content.EndsWithTarget:
		return s.keepAmendment(cv, st, from, id, m, body, own)
	}
	return 0, errNoEnd
}

var errNoEnd = wire.Errorf(wire.Unsupported, "that cannot be said here").WithNext("update this client")

// wrongSaid reports whether an error says what is wrong with what was said, and not
// what went wrong with us.
func wrongSaid(err error) bool {
	var we *wire.Error
	return errors.As(err, &we)
}

// keepMessage writes a message into the history once, whatever way it came: by
// room, by request, or encrypted again. It returns its line if the line is new
// or lacks its signed bytes, else 0.
func (s *step) keepMessage(cv *conversation, st roster.State, from wire.AccountID, id content.MessageID, m *content.Message, body []byte, own bool) (uint64, error) {
	n, err := s.lineOf(cv.ID, id[:])
	if err != nil {
		return 0, err
	}
	if n != 0 {
		if err := s.tellLate(cv, n); err != nil {
			return 0, err
		}
		signed, err := s.has(signedName(cv.ID, n))
		if err != nil || signed || own {
			return 0, err
		}
		return n, nil
	}
	mine, err := s.isMe(from)
	if err != nil {
		return 0, err
	}
	now := s.c.now()
	var read time.Time
	if mine {
		read = now // its author knows it
	}
	timer, err := s.timer(cv.ID, st)
	if err != nil {
		return 0, err
	}
	ends := m.End(now, read, timer)
	if !ends.IsZero() && !ends.After(now) {
		return 0, nil // over before it came
	}
	until := int64(0)
	if !ends.IsZero() {
		until = ends.Unix()
	}
	var deleter wire.AccountID
	if gone, err := s.get(goneName(cv.ID, id[:]), &deleter); err != nil || gone && deleter == from {
		return 0, err
	}
	h := happening{Type: EventMessage, At: sentAt(m, now), Account: from, ID: id[:], Body: body, Until: until, Own: own}
	if m.InReplyTo != nil {
		h.Reply = m.InReplyTo[:]
	}
	if own {
		h.Room = cv.Room
		h.State = StateQueued
	} else if !mine {
		cv.Unread++
	}
	if m.Expires != nil && m.Expires.Relative && !mine {
		h.Fuse = m.Expires.Time
	}
	n, err = s.record(cv, h)
	s.writes(typist{cv.ID, from}, false)
	if err == nil && !own && !mine {
		err = s.noteMention(cv, n, m, until)
	}
	return n, err
}

// has reports whether there is a record.
func (s *step) has(name string) (bool, error) {
	_, ok, err := s.recall(name)
	return ok, err
}

// hearAnnouncement learns a leaf's seat and its account's doors. A seat belongs
// to the leaf that announced it first (protocol §2).
func (s *step) hearAnnouncement(r *room, cv *conversation, from roster.Leaf, body []byte) (bool, error) {
	var a announcement
	if err := wire.Decode(body, &a); err != nil || a.Seat.Region() != r.ID.Region() || len(a.Doors) > maxDoors {
		return false, nil
	}
	// Ours is not among the others' leaves: whoever announced it would have us
	// take our own seat away with theirs.
	taken := a.Seat == r.Seat.ID || r.Old != nil && a.Seat == r.Old.ID
	err := s.scan(vault.Name("leaf", b64(r.ID[:])), func(name string, b []byte) (bool, error) {
		l := new(leaf)
		if err := decodeRecord(b, l); err != nil {
			return false, err
		}
		if i, _ := vault.Number(name); l.Seat != nil && *l.Seat == a.Seat && mls.LeafIndex(i) != from.Index {
			taken = true
		}
		return !taken, nil
	})
	if err != nil || taken {
		return false, err
	}
	l, err := s.leaf(r.ID, from.Index)
	if err != nil {
		return false, err
	}
	l.Seat = &a.Seat
	s.putLeaf(r.ID, from.Index, l)
	if mine, err := s.isMe(from.Account); err != nil || mine {
		return true, errors.Join(err, s.hearSibling(cv, from, a.Doors))
	}
	if cv.Kind == KindGroup {
		return true, s.learnFellow(from.Account, a.Doors)
	}
	return true, s.learnDoors(from.Account, a.Doors)
}

// maxDoors bounds the doors that a person may name: one a device.
const maxDoors = 32

// learnDoors keeps where a person can be reached, as said by itself.
func (s *step) learnDoors(account wire.AccountID, doors []address) error {
	if len(doors) == 0 {
		return nil
	}
	p, err := s.person(account)
	if err != nil {
		return err
	}
	p.Doors = mergeDoors(p.Doors, doors)
	s.putPerson(p)
	return nil
}

// noticeOnce records a notice unless the room's last one says the same, and is not
// a day old.
func (s *step) noticeOnce(r *room, cv *conversation, code, text string) error {
	now := s.c.now().Unix()
	if ago := now - r.NoticedAt; r.Noticed == code && max(ago, -ago) < noticeAgain {
		return nil
	}
	r.Noticed, r.NoticedAt = code, now
	return s.notice(cv, code, text)
}

// noticeAgain is after how long the same is said again, seconds.
const noticeAgain = 24 * 3600
