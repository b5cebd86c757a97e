package core

import (
	"errors"
	"slices"
	"strings"
	"time"

	"hearth/content"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// What a device missed while it was out of a room, its siblings may have
// (protocol §5). A gap is left in the history's numbers where it fell out, so
// that what comes later finds its place in order. When it is back it asks in the
// self room, once that is in step, and again whenever a sibling comes there:
// nothing is asked by the clock, for a silent room makes no traffic. One sibling
// answers with an archive, as for a new device (handover.go); the others see that
// in the log, and keep silent unless the answer has gaps of its own.

// gap is a part of a history's numbers that is left for what a sibling hands
// over: lines First+1 to Last, of which those through Used are taken.
type gap struct {
	_                 struct{} `cbor:",toarray"`
	First, Used, Last uint64
	// Since is when what is missing begins, and Till when this device was back,
	// Unix seconds; Till 0: it is not back yet. Since beforeAll: the gap lies
	// before all lines of a linked device.
	Since, Till int64
	// Notice is the line that says so.
	Notice uint64
	// Open: nobody has handed over all of it yet.
	Open bool
}

const (
	beforeAll = -1
	// gapLines is how many lines fit into a gap.
	gapLines = 1 << 32
	// maxGaps bounds the gaps of a history; those that all lines have ended behind
	// go first.
	maxGaps = 64
	// askedAtOnce bounds the conversations that one post asks for.
	askedAtOnce = 100
	// Clocks differ, and messages wait in outboxes: an answer begins this long
	// before, and this many lines. What is known is passed over.
	askSlack      = 24 * time.Hour
	askSlackLines = 64
	// answerAfter is how long a sibling waits before it answers, for each that
	// comes before it.
	answerAfter = 2 * time.Minute
)

// missed is a part of a conversation that a device asks for.
type missed struct {
	_     struct{} `cbor:",toarray"`
	Conv  convID
	Since int64 // Unix seconds
}

// askHistory asks the account's other devices for what a device has missed; of
// nothing: for all they have.
type askHistory struct {
	_      struct{} `cbor:",toarray"`
	Missed []missed
}

// out reports whether the device has not come back from a gap.
func (g *gap) out() bool { return g.Since != beforeAll && g.Till == 0 }

// skip returns the newest line at or below n that there may be.
func (cv *conversation) skip(n uint64) uint64 {
	for i := len(cv.Gaps) - 1; i >= 0; i-- {
		if g := &cv.Gaps[i]; n <= g.Last && n > g.Used {
			n = g.Used
		}
	}
	return n
}

// handed reports whether a sibling has handed a line over.
func (cv *conversation) handed(n uint64) bool {
	for i := range cv.Gaps {
		if g := &cv.Gaps[i]; n > g.First && n <= g.Used {
			return true
		}
	}
	return false
}

// addGap leaves room behind the last line.
func (cv *conversation) addGap(g gap) *gap {
	g.First, g.Used, g.Last = cv.Lines, cv.Lines, cv.Lines+gapLines
	cv.Lines = g.Last
	cv.Gaps = append(cv.Gaps, g)
	return &cv.Gaps[len(cv.Gaps)-1]
}

// firstLine returns the number of the oldest line that is there; 0: there is none.
func (s *step) firstLine(id convID) (uint64, error) {
	items, err := s.c.vault.Scan(s.ctx, historyName(id), "", 1)
	if err != nil || len(items) == 0 {
		return 0, err
	}
	n, _ := vault.Number(items[0].Name)
	return n, nil
}

// fellOut leaves a gap in a conversation's history, for what is said while this
// device is out of its room: since then, or since the newest message.
func (s *step) fellOut(cv *conversation, since int64) error {
	if n := len(cv.Gaps); n > 0 && cv.Gaps[n-1].out() {
		return nil // it is out already
	}
	first, err := s.firstLine(cv.ID)
	if err != nil {
		return err
	}
	cv.Gaps = slices.DeleteFunc(cv.Gaps, func(g gap) bool { return g.Last < first })
	if len(cv.Gaps) >= maxGaps {
		return nil
	}
	if since == 0 {
		err := s.linesBack(cv, cv.Lines, func(_ uint64, h *happening) bool {
			if h.Type == EventMessage {
				since = h.At / 1000
			}
			return since == 0
		})
		if err != nil {
			return err
		}
	}
	cv.addGap(gap{Since: since})
	s.putConv(cv)
	return nil
}

// backAgain closes the time of a gap: the notice in a line says what is missing,
// and the siblings are asked for it.
func (s *step) backAgain(cv *conversation, notice uint64) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	if n := len(cv.Gaps); n > 0 && cv.Gaps[n-1].out() {
		g := &cv.Gaps[n-1]
		g.Till, g.Notice, g.Open = s.c.now().Unix(), notice, len(me.Chain) > 1
		s.putConv(cv)
	}
	return s.askMissed(me)
}

// missedInHole deals with entries that ended at the server before this device
// read them. Where messages stay longer than that, its siblings may have them.
func (s *step) missedInHole(r *room, cv *conversation) error {
	ro, err := s.lastRoster(r.ID)
	if err != nil || ro == nil || r.State != roomOK {
		return err
	}
	away := s.c.now().Sub(time.Unix(r.ReadAt, 0))
	if keep := time.Duration(ro.State().Retention) * time.Second; r.ReadAt == 0 || away < wire.MaxTTL || keep != 0 && keep <= wire.MaxTTL {
		return nil // their senders wanted them to end
	}
	if n := len(cv.Gaps); n > 0 && cv.Gaps[n-1].Since >= r.ReadAt {
		return nil // another hole of the same absence
	}
	if err := s.fellOut(cv, r.ReadAt); err != nil {
		return err
	}
	n, err := s.record(cv, happening{Type: EventNotice, At: s.c.now().UnixMilli(), Code: NoticeMissed,
		Text:  "This device was away longer than the server keeps messages. " + textMissing,
		Until: s.c.now().Add(noticeKept).Unix()})
	if err != nil {
		return err
	}
	return s.backAgain(cv, n)
}

// askAllName says that a restored device has not asked yet for what its siblings
// have and its backup has not.
const askAllName = "askall"

// askMissed asks the siblings for everything that is missing here. What has gone
// from everybody's history meanwhile is not asked for.
func (s *step) askMissed(me *account) error {
	self, _, err := s.selfRoom(me)
	if err != nil || canPost(self) != nil {
		return err // asked when that is back
	}
	ro, err := s.roster(self.ID)
	if err != nil || len(ro.LeavesOf(me.ID)) < 2 {
		return err // asked when a sibling comes
	}
	if all, err := s.has(askAllName); err != nil || all {
		s.del(askAllName)
		return errors.Join(err, s.askForHistory())
	}
	var ask []missed
	var gone []*conversation
	err = s.scan("conversation", func(_ string, b []byte) (bool, error) {
		cv := new(conversation)
		if err := decodeRecord(b, cv); err != nil {
			return false, err
		}
		since, open := cv.missing()
		if !open {
			return true, nil
		}
		cv, err := s.conv(cv.ID)
		if err != nil {
			return false, err
		}
		if ended, err := s.endedSince(cv); err != nil {
			return false, err
		} else if ended {
			gone = append(gone, cv)
			return true, nil
		}
		ask = append(ask, missed{Conv: cv.ID, Since: since})
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, cv := range gone {
		cv.close(false)
		s.putConv(cv)
	}
	for part := range slices.Chunk(ask, askedAtOnce) {
		if err := s.share(item(syncAsk, askHistory{Missed: part})); err != nil {
			return err
		}
	}
	return nil
}

// firstOpen returns the line before the first gap that is asked for.
func (cv *conversation) firstOpen() uint64 {
	i := slices.IndexFunc(cv.Gaps, func(g gap) bool { return g.Open })
	if i < 0 {
		return cv.Lines
	}
	return cv.Gaps[i].First
}

// missing says since when something is missing that can be asked for.
func (cv *conversation) missing() (since int64, open bool) {
	for i := range cv.Gaps {
		if g := &cv.Gaps[i]; g.Open {
			if !open || g.Since < since {
				since = g.Since
			}
			open = true
		}
	}
	return since, open
}

// lacks reports whether something that was said since then may be missing here.
func (cv *conversation) lacks(since int64) bool {
	for i := range cv.Gaps {
		if g := &cv.Gaps[i]; g.out() || g.Open && g.Till >= since {
			return true
		}
	}
	return false
}

// endedSince reports whether all that is missing in a conversation has ended by
// its timer.
func (s *step) endedSince(cv *conversation) (bool, error) {
	r, err := s.room(cv.Room)
	if err != nil || r == nil {
		return false, err
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil || ro == nil {
		return false, err
	}
	keep := int64(ro.State().Retention)
	newest := int64(0)
	for i := range cv.Gaps {
		if cv.Gaps[i].Open {
			newest = max(newest, cv.Gaps[i].Till)
		}
	}
	return keep != 0 && newest+keep < s.c.now().Unix(), nil
}

// close notes that nothing of a conversation is asked for any more, and returns
// the notices that say otherwise.
func (cv *conversation) close(filled bool) (notices []uint64) {
	for i := range cv.Gaps {
		if g := &cv.Gaps[i]; g.Open {
			g.Open = false
			if filled {
				notices = append(notices, g.Notice)
			}
		}
	}
	return notices
}

// askForHistory asks the siblings for all they have: an archive was lost.
func (s *step) askForHistory() error {
	return s.share(item(syncAsk, askHistory{}))
}

// askedHistory deals with a sibling's question: those of the others answer in
// turn, unless one before them has.
func (s *step) askedHistory(me *account, from identity.DeviceID, a askHistory) error {
	r, _, err := s.selfRoom(me)
	if err != nil || r == nil || r.State != roomOK {
		return err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil || from == key.ID() {
		return err
	}
	place := 0
	for _, l := range ro.LeavesOf(me.ID) {
		switch l.Device {
		case key.ID():
			return s.oweHistory(from, a.Missed, time.Duration(place)*answerAfter)
		case from:
		default:
			place++
		}
	}
	return nil
}

// oweHistory notes what another device is to be handed.
func (s *step) oweHistory(to identity.DeviceID, what []missed, wait time.Duration) error {
	h := &handover{For: to, After: s.c.now().Add(wait).Unix()}
	known, err := s.get(handoverName(to), h)
	if err != nil {
		return err
	}
	switch {
	case len(what) == 0:
		h.Only = nil
	case known && len(h.Only) == 0:
		// It is handed everything; these, which it missed until now, once more.
		h.Done = slices.DeleteFunc(h.Done, func(id convID) bool {
			return slices.ContainsFunc(what, func(m missed) bool { return m.Conv == id })
		})
		s.put(handoverName(to), h)
		s.then(func() { s.c.wakeHandover() })
		return nil
	default:
		for _, m := range what {
			h.Only = slices.DeleteFunc(h.Only, func(o missed) bool { return o.Conv == m.Conv })
			h.Only = append(h.Only, m)
		}
	}
	h.Done = nil
	s.put(handoverName(to), h)
	s.then(func() { s.c.wakeHandover() })
	return nil
}

// historyAnswered notes that another sibling has handed over what this one was asked
// for, too.
func (s *step) historyAnswered(h handed) error {
	var owed handover
	ok, err := s.get(handoverName(h.For), &owed)
	if err != nil || !ok || len(h.Of) == 0 {
		return err
	}
	if len(owed.Only) == 0 {
		if owed.After != 0 && !h.Answer && !h.More { // it was asked for, and is all
			s.del(handoverName(h.For))
		}
		return nil
	}
	owed.Only = slices.DeleteFunc(owed.Only, func(m missed) bool { return slices.Contains(h.Of, m.Conv) })
	if len(owed.Only) == 0 {
		s.del(handoverName(h.For))
		return nil
	}
	s.put(handoverName(h.For), owed)
	return nil
}

// handsFrom returns the line behind which a conversation's history answers for
// what was said since then.
func (s *step) handsFrom(id convID, since int64) (uint64, error) {
	from := time.Unix(since, 0).Add(-askSlack).UnixMilli()
	var last [askSlackLines]uint64 // those before, in a ring
	n := 0
	err := s.scan(historyName(id), func(name string, b []byte) (bool, error) {
		h := new(happening)
		if err := decodeRecord(b, h); err != nil || h.At >= from {
			return false, err
		}
		last[n%len(last)], _ = vault.Number(name)
		n++
		return true, nil
	})
	if n < len(last) {
		return 0, err
	}
	return last[n%len(last)], err
}

// arrivedMissed puts a line of an answer into the gap that it fell into: that
// behind the line which comes before it there. at is that line, as far as it is
// known here; it returns the next one's.
func (s *step) arrivedMissed(cv *conversation, at uint64, l handedLine) (uint64, error) {
	h := l.Line
	if h.said() {
		n, err := s.lineOf(cv.ID, h.ID)
		if err != nil {
			return at, err
		}
		if n != 0 {
			return n, nil
		}
	}
	if h.amends() {
		if known, err := s.amendMissed(cv, h); err != nil || known {
			return at, err
		}
	}
	when := h.At / 1000
	i := slices.IndexFunc(cv.Gaps, func(g gap) bool {
		return g.Since != beforeAll && g.Till != 0 && g.Last > at && when <= g.Till+int64(maxAhead.Seconds())
	})
	if i < 0 {
		return at, nil // said since this device is back: the room brings it
	}
	g := &cv.Gaps[i]
	switch {
	case g.Used == g.Last:
		return at, nil
	case !h.said() && (!g.Open || when < g.Since || when > g.Till):
		return at, nil // it was seen here, too
	}
	g.Used++
	s.putLine(cv, g.Used, h, l.Signed)
	return g.Used, nil
}

// putLine keeps a line that was handed over.
func (s *step) putLine(cv *conversation, n uint64, h happening, signed *signedBytes) {
	s.putUntil(lineName(cv.ID, n), h, h.Until)
	s.index(cv.ID, n, &h)
	if h.said() && signed != nil {
		s.putUntil(signedName(cv.ID, n), *signed, h.Until)
	}
	s.putConv(cv)
}

// amendMissed carries out what was said meanwhile of a message that this device
// had before. It reports false for other messages: those came as they are now.
func (s *step) amendMissed(cv *conversation, h happening) (bool, error) {
	n, err := s.lineOf(cv.ID, h.Reply)
	if err != nil || n == 0 {
		return true, err // it is not shown without its message
	}
	if target, err := s.line(cv.ID, n); err != nil || target != nil && target.Event == 0 && cv.handed(n) {
		return false, err
	}
	m, err := content.Parse(h.Body)
	if err != nil || len(h.ID) != len(content.MessageID{}) {
		return true, nil
	}
	ro, err := s.lastRoster(cv.Room)
	if err != nil || ro == nil {
		return true, err
	}
	_, err = s.keepAmendment(cv, ro.State(), h.Account, content.MessageID(h.ID), m, h.Body, false)
	if wrongSaid(err) {
		err = nil
	}
	return true, err
}

// tellLate gives a message out that a sibling had handed over before its room
// brought it: it is not an old one.
func (s *step) tellLate(cv *conversation, n uint64) error {
	if !cv.handed(n) {
		return nil
	}
	h, err := s.line(cv.ID, n)
	if err != nil || h == nil || h.Own || h.Event != 0 {
		return err
	}
	if h.Event, err = s.tell(pointer{Conv: cv.ID, N: n}, h.Until); err != nil {
		return err
	}
	s.putUntil(lineName(cv.ID, n), h, h.Until)
	if mine, err := s.isMe(h.Account); err != nil || mine {
		return err
	}
	cv.Unread++
	s.putConv(cv)
	return nil
}

// filled says that what was missing in a conversation has arrived.
func (s *step) filled(cv *conversation) error {
	notices := cv.close(true)
	if len(notices) == 0 {
		return nil
	}
	for _, n := range notices {
		h, err := s.line(cv.ID, n)
		if err != nil {
			return err
		}
		if h != nil && h.Type == EventNotice {
			h.Text = strings.ReplaceAll(h.Text, textMissing, textFilled)
			s.putUntil(lineName(cv.ID, n), h, h.Until)
		}
	}
	s.putConv(cv)
	return s.notice(cv, NoticeHistory, "What was said here while this device was away has arrived from your other device.")
}

const (
	textMissing = "What was said here in between is missing on it."
	textFilled  = "What was said here in between came from your other device."
)
