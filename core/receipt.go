package core

import (
	"slices"
	"time"

	"hearth/content"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// Receipts, the side that gives them (protocol §3): what of the others' messages
// has come here, and what the person was shown, in one cumulative post, at most
// one a minute. How they are heard and shown is in marks.go.
//
// A receipt is one row of the outbox like any other, but for its body: that is
// written anew whenever the row is sealed, so that a receipt that waited says
// what is true when it leaves, and none piles up behind another. Only a message
// of somebody else makes one due: receipts are not receipted, and a silent room
// makes no traffic.

const (
	// receiptPeople is up to how many people a conversation has receipts.
	receiptPeople = 8
	// receiptEvery is how far apart two receipts of a conversation are.
	receiptEvery = time.Minute
	// receiptSoon and receiptLate are how much of chance is added: to the first
	// receipt, so that its time tells little of what this device was doing
	// (attack A44), and to those that follow each other.
	receiptSoon = 4 * time.Second
	receiptLate = 15 * time.Second
	// receiptGrace is how long after a home was opened no receipt leaves: its
	// person may be about to read what came, and one receipt says both.
	receiptGrace = 3 * time.Second
	// receiptTTL bounds how long a receipt waits for those who are away: the
	// next one says it again.
	receiptTTL = 7 * 24 * time.Hour
	// maxMarks bounds how many messages of one device a receipt names.
	maxMarks = 4
)

// owing is what a conversation's members have not been told yet.
type owing struct {
	_       struct{} `cbor:",toarray"`
	Conv    convID
	Authors []author
	// Due is when the next receipt may leave, Last when the last one was
	// written, Unix milliseconds; Due is 0 if there is nothing to say.
	Due, Last int64
}

// author is a device whose messages were heard.
type author struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	Device  identity.DeviceID
	// Got and Read are the messages that stand for all before them.
	Got, Read []mark
	// Told is up to which lines a receipt of ours was seen in the log; Telling,
	// what the one that waits says.
	Told, Telling told
}

type told struct {
	_         struct{} `cbor:",toarray"`
	Got, Read uint64
}

// mark is a message, by its line in the history, and when it ends. Of a list of
// marks each ends before the one in front of it: whoever hears late has the
// newest that there still is.
type mark struct {
	_     struct{} `cbor:",toarray"`
	Line  uint64
	Until int64 // 0: kept
}

func (m mark) outlives(o mark) bool { return o.Until != 0 && (m.Until == 0 || m.Until > o.Until) }

// top is the newest line among marks.
func top(marks []mark) uint64 {
	if len(marks) == 0 {
		return 0
	}
	return marks[len(marks)-1].Line
}

// climb adds a newer message: it takes the place of those that do not outlive
// it.
func climb(marks []mark, m mark) []mark {
	if m.Line <= top(marks) {
		return marks
	}
	for len(marks) > 0 && !marks[len(marks)-1].outlives(m) {
		marks = marks[:len(marks)-1]
	}
	marks = append(marks, m)
	if len(marks) > maxMarks {
		marks = slices.Delete(marks, 1, 2) // the longest-lived and the newest stay
	}
	return marks
}

func owingName(id convID) string { return vault.Name("receipt", b64(id[:])) }

// owing returns what is owed in a conversation; never nil.
func (s *step) owing(id convID) (*owing, error) {
	o := &owing{Conv: id}
	_, err := s.get(owingName(id), o)
	return o, err
}

// putOwing keeps what is owed, without what has ended. It dies with the last
// message that it tells of, though not before the next receipt may leave.
func (s *step) putOwing(o *owing) {
	now := s.c.now()
	over := func(m mark) bool { return m.Until != 0 && m.Until <= now.Unix() }
	until := time.UnixMilli(o.Last).Add(receiptEvery + receiptLate).Unix()
	kept := false
	for i := range o.Authors {
		a := &o.Authors[i]
		a.Got, a.Read = slices.DeleteFunc(a.Got, over), slices.DeleteFunc(a.Read, over)
		for _, m := range a.Got {
			kept = kept || m.Until == 0
			until = max(until, m.Until)
		}
	}
	o.Authors = slices.DeleteFunc(o.Authors, func(a author) bool { return len(a.Got) == 0 })
	switch {
	case kept:
		until = 0
	case until <= now.Unix():
		s.del(owingName(o.Conv))
		return
	}
	s.putUntil(owingName(o.Conv), o, until)
}

func (o *owing) author(account wire.AccountID, device identity.DeviceID) *author {
	for i := range o.Authors {
		if a := &o.Authors[i]; a.Account == account && a.Device == device {
			return a
		}
	}
	return nil
}

// news reports whether there is something that no receipt has said.
func (o *owing) news() bool {
	return slices.ContainsFunc(o.Authors, func(a author) bool { return top(a.Got) > a.Told.Got || top(a.Read) > a.Told.Read })
}

// readNews reports whether something was read that no receipt has said.
func (o *owing) readNews() bool {
	return slices.ContainsFunc(o.Authors, func(a author) bool { return top(a.Read) > a.Told.Read })
}

// due sets when the next receipt leaves, unless that is set already, and keeps
// the record.
func (s *step) due(cv *conversation, o *owing) {
	if o.Due == 0 && o.news() {
		o.Due = max(s.c.now().Add(time.Second+s.c.jitter(receiptSoon)).UnixMilli(),
			o.Last+(receiptEvery+s.c.jitter(receiptLate)).Milliseconds())
		id := cv.Room
		s.then(func() { s.c.wakeRoom(id) })
	}
	s.putOwing(o)
}

// receipts reports whether a conversation has receipts: the person wants them,
// it is of few people, and in a conversation of two the other is not blocked
// (protocol §6). Whoever has not accepted has no room to say anything in, and
// whoever is only invited has said nothing.
func (s *step) receipts(r *room, cv *conversation) (bool, error) {
	if r == nil || r.State != roomOK || r.Leaving || cv.Room != r.ID || cv.Kind == KindSelf {
		return false, nil
	}
	if p, err := s.preferences(); err != nil || p.NoReceipts {
		return false, err
	}
	ro, err := s.roster(r.ID)
	if err != nil || len(ro.State().Members) > receiptPeople {
		return false, err
	}
	if cv.Kind == KindDirect {
		p, err := s.person(cv.Peer)
		return !p.Blocked, err
	}
	return true, nil
}

// owe notes a message of another's that was heard, for the receipts.
func (s *step) owe(r *room, cv *conversation, from roster.Leaf, n uint64, h *happening) error {
	if ok, err := s.receipts(r, cv); err != nil || !ok {
		return err
	}
	o, err := s.owing(cv.ID)
	if err != nil {
		return err
	}
	a := o.author(from.Account, from.Device)
	if a == nil {
		o.Authors = append(o.Authors, author{Account: from.Account, Device: from.Device})
		a = &o.Authors[len(o.Authors)-1]
	}
	a.Got = climb(a.Got, mark{Line: n, Until: h.Until})
	// A message that came with a request was shown before it came by the room.
	var q queue
	if _, err := s.get(queueName, &q); err != nil {
		return err
	}
	if h.Event != 0 && h.Event <= q.Mark {
		a.Read = climb(a.Read, mark{Line: n, Until: h.Until})
	}
	s.due(cv, o)
	return nil
}

// shown notes that a message was given out to the person.
func (s *step) shown(cv *conversation, message string) error {
	id, err := content.ParseMessageID(message)
	if err != nil {
		return nil
	}
	n, err := s.lineOf(cv.ID, id[:])
	if err != nil || n == 0 {
		return err
	}
	h, err := s.line(cv.ID, n)
	if err != nil || h == nil {
		return err
	}
	o, err := s.owing(cv.ID)
	if err != nil {
		return err
	}
	if a := o.author(h.Account, h.Sender); a != nil {
		a.Read = climb(a.Read, mark{Line: n, Until: h.Until})
		s.due(cv, o)
	}
	return nil
}

// allShown notes that everything in a conversation was given out.
func (s *step) allShown(cv *conversation) error {
	o, err := s.owing(cv.ID)
	if err != nil || len(o.Authors) == 0 {
		return err
	}
	for i := range o.Authors {
		o.Authors[i].Read = slices.Clone(o.Authors[i].Got)
	}
	s.due(cv, o)
	return nil
}

// forgetOwing drops what is owed; only when the last receipt left is kept.
func (s *step) forgetOwing(o *owing) {
	o.Authors, o.Due = nil, 0
	s.putOwing(o)
}

// dueReceipt puts a receipt into a room's outbox once its time has come. It
// returns how long that is to be waited for; 0: there is nothing to wait for.
func (s *step) dueReceipt(r *room) (time.Duration, error) {
	o, err := s.owing(r.Conv)
	if err != nil || o.Due == 0 {
		return 0, err
	}
	cv, err := s.conv(r.Conv)
	if err != nil || cv == nil || cv.Room != r.ID {
		return 0, err // the conversation goes on in another room
	}
	if ok, err := s.receipts(r, cv); err != nil || !ok {
		if err == nil && r.State == roomOK {
			s.forgetOwing(o)
		}
		return 0, err
	}
	now := s.c.now()
	left := time.UnixMilli(o.Due).Sub(now)
	if !s.c.hurried || !o.readNews() {
		left = max(left, time.Until(s.c.opened.Add(receiptGrace)))
	}
	if left > 0 {
		return left, nil
	}
	waits := false
	err = s.rows(r.ID, func(w *row) (bool, error) {
		waits = w.Kind == content.KindReceipt
		return !waits, nil
	})
	if err != nil || waits {
		return 0, err
	}
	_, err = s.enqueue(r, row{Kind: content.KindReceipt, Until: now.Add(receiptTTL).Unix()})
	s.putRoom(r)
	return 0, err
}

// writeReceipt writes the body of a receipt that is about to be sealed. It
// reports whether there is anything to seal.
func (s *step) writeReceipt(r *room, w *row) (bool, error) {
	cv, err := s.conv(r.Conv)
	if err != nil || cv == nil {
		return false, err
	}
	o, err := s.owing(cv.ID)
	if err != nil {
		return false, err
	}
	ok, err := s.receipts(r, cv)
	if err != nil {
		return false, err
	}
	var rc content.Receipt
	ends := int64(0)
	if ok {
		if rc, ends, err = s.newReceipt(r, o); err != nil {
			return false, err
		}
	}
	if len(rc.Delivered)+len(rc.Read) == 0 {
		o.Due = 0
		s.putOwing(o)
		s.dropRow(r.ID, w)
		if w.Count == 0 {
			return false, nil
		}
		// The running count that it took must not be missing to others.
		*w = *s.c.void(w)
		return true, nil
	}
	if w.Body, err = rc.Encode(); err != nil {
		return false, err
	}
	w.Until = ends
	o.Last = s.c.now().UnixMilli()
	s.putOwing(o)
	return true, nil
}

// newReceipt says what is new, and until when that matters: no longer than the
// last of what it names, which ends with the conversation's timer at most.
func (s *step) newReceipt(r *room, o *owing) (rc content.Receipt, ends int64, err error) {
	ro, err := s.roster(r.ID)
	if err != nil {
		return rc, 0, err
	}
	st, most := ro.State(), s.c.now().Add(receiptTTL).Unix()
	name := func(list []content.MessageID, m mark) ([]content.MessageID, error) {
		h, err := s.line(o.Conv, m.Line)
		if err != nil || h == nil || len(h.ID) != len(content.MessageID{}) || len(rc.Delivered)+len(rc.Read) == content.MaxReceipt {
			return list, err
		}
		if m.Until == 0 || m.Until > most {
			m.Until = most
		}
		ends = max(ends, m.Until)
		return append(list, content.MessageID(h.ID)), nil
	}
	for i := range o.Authors {
		a := &o.Authors[i]
		a.Telling = a.Told
		_, here := st.Member(a.Account)
		if !here || top(a.Got) <= a.Told.Got && top(a.Read) <= a.Told.Read {
			continue
		}
		for _, m := range a.Read {
			if rc.Read, err = name(rc.Read, m); err != nil {
				return rc, 0, err
			}
		}
		for _, m := range a.Got {
			if m.Line <= top(a.Read) {
				continue
			}
			if rc.Delivered, err = name(rc.Delivered, m); err != nil {
				return rc, 0, err
			}
		}
		a.Telling.Got, a.Telling.Read = top(a.Got), top(a.Read)
	}
	return rc, ends, nil
}

// receiptSent deals with a receipt of ours that was seen in the log. What came
// meanwhile is told by the next one.
func (s *step) receiptSent(cv *conversation) error {
	o, err := s.owing(cv.ID)
	if err != nil {
		return err
	}
	for i := range o.Authors {
		a := &o.Authors[i]
		a.Told = told{Got: max(a.Told.Got, a.Telling.Got), Read: max(a.Told.Read, a.Telling.Read)}
	}
	o.Due = 0
	s.due(cv, o)
	return nil
}

// hurryReceipts lets receipts for what was read leave at once, unless one left
// within the minute. What has only come waits for the next time: a home that
// is opened for moments would say so again and again, and with it that nothing
// was read.
func (s *step) hurryReceipts() error {
	s.then(func() { s.c.hurried = true })
	now := s.c.now()
	return s.scan("receipt", func(_ string, b []byte) (bool, error) {
		o := new(owing)
		if err := decodeRecord(b, o); err != nil {
			return false, err
		}
		if o.Due == 0 || !o.readNews() || now.Sub(time.UnixMilli(o.Last)) < receiptEvery {
			return true, nil
		}
		cv, err := s.conv(o.Conv)
		if err != nil || cv == nil || !s.c.live(cv.Room) {
			return err == nil, err
		}
		if o.Due > now.UnixMilli() {
			o.Due = now.UnixMilli()
			s.putOwing(o)
		}
		id := cv.Room
		s.then(func() { s.c.wakeRoom(id) })
		return true, nil
	})
}

// owesNow reports whether a receipt of a room was hurried and is about to leave.
func (s *step) owesNow(r *room) (bool, error) {
	o, err := s.owing(r.Conv)
	if err != nil || !s.c.hurried || o.Due == 0 || o.Due > s.c.now().UnixMilli() || !o.readNews() || !s.c.live(r.ID) {
		return false, err
	}
	cv, err := s.conv(r.Conv)
	if err != nil || cv == nil {
		return false, err
	}
	return s.receipts(r, cv)
}
