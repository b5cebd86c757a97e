package core

import (
	"cmp"
	"context"
	"slices"
	"time"

	"hearth/content"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// What happened in a conversation is kept once, in its history, and dies there
// when its time is over. The queue of events for Receive holds only pointers
// into histories, so nothing outlives its end in the queue.

// happening is one line of a conversation's history.
type happening struct {
	_    struct{} `cbor:",toarray"`
	Type string   // as in Event
	// At is when it was sent or happened, Unix milliseconds.
	At int64
	// Account did it, By did it to them.
	Account wire.AccountID
	By      wire.AccountID
	// ID is the message's id; Reply that of the one it answers or changes.
	ID    []byte
	Reply []byte
	// Body is a message's content, as it travels.
	Body []byte
	// Room carried an own message, as the entry Number; 0: not yet.
	Room   wire.RoomID
	Number wire.Number
	Text   string
	// Until is when it ends, Unix seconds; 0: kept.
	Until int64
	Kind  string
	Name  string
	State string
	Code  string
	// Own: this account's own message; given out in histories, not by Receive.
	Own bool
	// Sender is the device that sent a message; unknown until it was seen in a
	// room.
	Sender identity.DeviceID
	// Seen is how far a message of this account's has come with each of those
	// who could get it.
	Seen []seen
	// Device is what a notice is about, or the sibling that sent an own message.
	Device []byte
	// Number of the event in the queue, 0 if it is not in it.
	Event uint64
	// Amended: something was said of this message later (amend.go). Deleted: its
	// content was taken away.
	Amended, Deleted bool
	// Fuse is how many seconds a message has once it is read; 0: its end does not
	// wait for that.
	Fuse uint32
}

// queue is the state of the event queue.
type queue struct {
	_    struct{} `cbor:",toarray"`
	Next uint64   // the number of the next event, from 1
	Mark uint64   // everything through Mark was given out
}

// pointer is one event in the queue.
type pointer struct {
	_    struct{} `cbor:",toarray"`
	Conv convID
	N    uint64
	// Of a receipt: who has got or read the message in that line, as State says,
	// known At, Unix milliseconds.
	Who   wire.AccountID
	State string
	At    int64
}

const queueName = "events"

func eventName(n uint64) string { return vault.Numbered("event", n) }

func historyName(id convID) string { return vault.Name("history", b64(id[:])) }

func lineName(id convID, n uint64) string { return vault.Numbered(historyName(id), n) }

// end returns a Unix second as a time, the zero time for 0.
func end(until int64) time.Time {
	if until == 0 {
		return time.Time{}
	}
	return time.Unix(until, 0).UTC()
}

// putUntil keeps a record until it ends.
func (s *step) putUntil(name string, v any, until int64) {
	s.putBytesUntil(name, encodeRecord(v), until)
}

func (s *step) putBytesUntil(name string, b []byte, until int64) {
	s.over[name] = change{value: b}
	s.batch.PutUntil(name, b, end(until))
}

// record adds a line to a conversation's history, and to the queue unless it is
// our own. It returns the line's number.
func (s *step) record(cv *conversation, h happening) (uint64, error) {
	cv.Lines++
	n := cv.Lines
	if !h.Own {
		var err error
		if h.Event, err = s.tell(pointer{Conv: cv.ID, N: n}, h.Until); err != nil {
			return 0, err
		}
	}
	s.putUntil(lineName(cv.ID, n), h, h.Until)
	s.index(cv.ID, n, &h)
	s.putConv(cv)
	return n, nil
}

// index writes by what a line that somebody said is found.
func (s *step) index(id convID, n uint64, h *happening) {
	if !h.said() {
		return
	}
	s.putUntil(idName(id, h.ID), n, h.Until)
	if h.amends() && h.Type != EventDeletion {
		s.putUntil(amendName(id, h.Reply, h.ID), n, h.Until)
	}
	if h.Fuse != 0 {
		s.putUntil(fuseName(id, n), true, h.Until)
	}
}

// tell adds an event to the queue and returns its number.
func (s *step) tell(p pointer, until int64) (uint64, error) {
	var q queue
	if _, err := s.get(queueName, &q); err != nil {
		return 0, err
	}
	n := max(q.Next, 1)
	s.putUntil(eventName(n), p, until)
	q.Next = n + 1
	s.put(queueName, q)
	return n, nil
}

// line reads one line of a history; nil if it has ended.
func (s *step) line(id convID, n uint64) (*happening, error) {
	h := new(happening)
	ok, err := s.get(lineName(id, n), h)
	if err != nil || !ok {
		return nil, err
	}
	return h, nil
}

// event writes a line as people and programs see it.
func (s *step) event(id convID, h *happening) (e Event, err error) {
	e = Event{Type: h.Type, Room: id.String(), Sent: time.UnixMilli(h.At).UTC(),
		Text: h.Text, Kind: h.Kind, Name: h.Name, State: h.State, Code: h.Code}
	if len(h.Body) > 0 {
		if m, err := content.Parse(h.Body); err == nil {
			if text, ok := m.Words(); ok {
				e.Text = text
			} else if h.Type == EventMessage && m.Kind() == content.Unknown {
				e.Text, e.Kind = m.Line(), m.Kind().String()
			}
			e.Forwarded = m.Forwarded()
			if err := s.looks(id, h.Account, m, &e); err != nil {
				return e, err
			}
			if err := s.showTyped(id, h, m, &e); err != nil {
				return e, err
			}
			if e.File, err = s.fileInfo(id, h, m); err != nil {
				return e, err
			}
		}
	}
	if len(h.Device) > 0 {
		e.Device = b64(h.Device)
	}
	if len(h.ID) > 0 {
		e.ID = b64(h.ID)
	}
	if len(h.Reply) > 0 && h.amends() {
		e.Of = b64(h.Reply)
	} else if len(h.Reply) > 0 {
		e.Reply = b64(h.Reply)
	}
	if err := s.showAmendments(id, h, &e); err != nil {
		return e, err
	}
	if h.Until != 0 && (h.Type == EventMessage || h.Type == EventRequest) {
		t := end(h.Until)
		e.Expires = &t
	}
	e.AfterReading = h.Fuse
	if h.Account != (wire.AccountID{}) {
		switch h.Type {
		case EventJoined, EventLeft:
			e.Account = h.Account.String()
			if e.Who, err = s.show(h.Account); err != nil {
				return e, err
			}
		default:
			e.Account = h.Account.String()
			if e.From, err = s.show(h.Account); err != nil {
				return e, err
			}
		}
	}
	if h.By != (wire.AccountID{}) {
		if e.By, err = s.show(h.By); err != nil {
			return e, err
		}
		if e.ByNickname, err = s.nickname(h.By); err != nil {
			return e, err
		}
	}
	e.Nickname, err = s.nickname(h.Account)
	return e, err
}

// Receive gives out every event that this home has not given out yet, even when
// ctx has ended, then new ones until ctx ends. The mark is saved after fn
// returns nil, so that each event is given out once in a home.
func (c *Client) Receive(ctx context.Context, fn func(Event) error) error {
	c.receiving.Lock() // two receivers would give an event out twice
	defer c.receiving.Unlock()
	// What is to be given out, and the mark behind it, don't depend on how long
	// more is waited for.
	saving := context.WithoutCancel(ctx)
	for {
		changed := c.changes()
		ended := ctx.Err() // before the look: what came until then is given out
		e, conv, n, err := c.nextEvent(saving)
		if err != nil {
			return err
		}
		if n == 0 && ended != nil {
			return ended
		}
		if n == 0 {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		if err := fn(e); err != nil {
			return err
		}
		err = c.step(saving, func(s *step) error {
			var q queue
			if _, err := s.get(queueName, &q); err != nil {
				return err
			}
			q.Mark = max(q.Mark, n)
			s.put(queueName, q)
			s.del(eventName(n))
			return s.markRead(conv, e)
		})
		if err != nil {
			return err
		}
	}
}

// nextEvent returns the first event behind the mark; n 0: there is none.
func (c *Client) nextEvent(ctx context.Context) (e Event, conv convID, n uint64, err error) {
	err = c.look(ctx, func(s *step) error {
		var q queue
		if _, err := s.get(queueName, &q); err != nil {
			return err
		}
		for q.Mark+1 < q.Next {
			items, err := c.vault.Scan(s.ctx, "event", eventName(q.Mark), 1)
			if err != nil || len(items) == 0 {
				return err
			}
			m, _ := vault.Number(items[0].Name)
			var p pointer
			if err := decodeRecord(items[0].Value, &p); err != nil {
				return err
			}
			h, err := s.line(p.Conv, p.N)
			if err != nil {
				return err
			}
			if h == nil {
				q.Mark = m // it ended before it was given out
				continue
			}
			n, conv = m, p.Conv
			if p.Who != (wire.AccountID{}) {
				e, err = s.receiptEvent(p, h)
			} else {
				e, err = s.event(p.Conv, h)
			}
			if err != nil {
				return err
			}
			e.Muted, err = s.hushed(conv, e.Mentioned)
			return err
		}
		return nil
	})
	return e, conv, n, err
}

// markRead counts a message that was given out as read.
func (s *step) markRead(id convID, e Event) error {
	if e.Type != EventMessage || e.Device != "" {
		return nil
	}
	if err := s.marked(id, e.ID); err != nil {
		return err
	}
	if m, err := content.ParseMessageID(e.ID); err == nil {
		n, err := s.lineOf(id, m[:])
		if err != nil {
			return err
		}
		if err := s.light(id, n, n); err != nil {
			return err
		}
	}
	cv, err := s.conv(id)
	if err != nil || cv == nil {
		return err
	}
	if err := s.shown(cv, e.ID); err != nil || cv.Unread == 0 {
		return err
	}
	cv.Unread--
	s.putConv(cv)
	return nil
}

// History returns the newest limit events of a conversation, oldest first;
// limit 0 means all.
func (c *Client) History(ctx context.Context, room string, limit int) ([]Event, error) {
	id, err := c.roomByText(ctx, room)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, wire.Errorf(wire.BadInput, "a limit is a number from 0")
	}
	var out []Event
	read, first, last := false, uint64(0), uint64(0)
	err = c.look(ctx, func(s *step) error {
		cv, err := s.conv(id)
		if err != nil {
			return err
		}
		if cv == nil {
			return errNoRoom
		}
		to, err := s.audience(cv)
		if err != nil {
			return err
		}
		last = cv.Lines
		var failed error
		err = s.linesBack(cv, last, func(n uint64, h *happening) bool {
			if h.amends() {
				return true // it is shown with its message
			}
			e, err := s.event(id, h)
			if failed = cmp.Or(err, s.showMarks(&e, h, to)); failed != nil {
				return false
			}
			out, first = append(out, e), n
			return limit == 0 || len(out) < limit
		})
		slices.Reverse(out)
		if err := cmp.Or(err, failed); err != nil {
			return err
		}
		fuses, err := s.any(fusesName(id))
		read = cv.Unread > 0 || fuses
		return err
	})
	if err == nil && read {
		err = c.step(ctx, func(s *step) error {
			cv, err := s.conv(id)
			if err != nil || cv == nil {
				return err
			}
			cv.Unread = 0
			s.putConv(cv)
			if err := s.light(id, first, last); err != nil {
				return err
			}
			if err := s.markedAll(cv); err != nil {
				return err
			}
			return s.allShown(cv)
		})
	}
	return out, err
}

// notice records something that a person must be told about a conversation.
func (s *step) notice(cv *conversation, code, text string) error {
	_, err := s.record(cv, happening{Type: EventNotice, At: s.c.now().UnixMilli(), Code: code, Text: text,
		Until: s.c.now().Add(noticeKept).Unix()})
	return err
}

// noticeKept is how long a notice stays in a history.
const noticeKept = 30 * 24 * time.Hour

// Codes of notices.
const (
	// NoticeWithheld: the server keeps entries back, or says that they expired
	// when their senders count them.
	NoticeWithheld = "log_withheld"
	// NoticeKeepsLess: the server keeps posts for less long than it did, or for
	// much less long than what is said here asks for.
	NoticeKeepsLess = "server_keeps_less"
	// NoticeClocks: this device's clock and the server's do not agree, and what
	// was said here ends by the server's.
	NoticeClocks = "clocks_differ"
	// NoticeEarly: the server dropped what was said here before its time, since
	// this device alone held back half of the room.
	NoticeEarly = "dropped_early"
	// NoticeForked: a member sees another log than this device.
	NoticeForked = "log_forked"
	// NoticeReordered: entries came in another order than they were sent.
	NoticeReordered = "log_reordered"
	// NoticeRolledBack: the server has fewer entries than this device has read.
	NoticeRolledBack = "server_rolled_back"
	// NoticeOutOfStep: a change of the group could not be accepted.
	NoticeOutOfStep = "out_of_step"
	// NoticeLapsed: the device was away longer than the server keeps changes.
	NoticeLapsed = "away_too_long"
	// NoticeMissed: it was away longer than the server keeps messages.
	NoticeMissed = "messages_missed"
	// NoticeStateLost: the device's own keys for the conversation are gone.
	NoticeStateLost = "state_lost"
	// NoticeRejoined: the device is back in step; what was said meanwhile is
	// missing.
	NoticeRejoined = "rejoined"
	// NoticeUnproven: a member who is no admin has put the device back into a
	// conversation that has changed since.
	NoticeUnproven = "rejoined_unproven"
	// NoticeRefreshed: another device was put back into step.
	NoticeRefreshed = "member_refreshed"
	// NoticeSuspect: a member gave another one a place that does not open.
	NoticeSuspect = "seat_suspect"
	// NoticeSeats: a change of the group and the server's seats do not agree.
	NoticeSeats = "seats_differ"
	// NoticeSeatLost: the server no longer opens this device's seat.
	NoticeSeatLost = "seat_lost"
	// NoticeTwin: a copy of this home is sending.
	NoticeTwin = "home_copied"
	// NoticeChanged: the conversation's settings were changed.
	NoticeChanged = "settings_changed"
	// NoticeRequest: a request turned out not to be what it said.
	NoticeRequest = "request_refused"
	// NoticeMoved: the conversation goes on in a new room.
	NoticeMoved = "moved"
	// NoticeNotMoved: it could not move as an owner or admin wanted.
	NoticeNotMoved = "not_moved"
	// NoticeMovedUntold: it does, on the word of a member alone: the old room's
	// log could not be read.
	NoticeMovedUntold = "moved_untold"
	// NoticeSuccessorRefused: a new room of the conversation is not what it must
	// be.
	NoticeSuccessorRefused = "successor_refused"
	// NoticeClosing: the server closes the conversation's room.
	NoticeClosing = "server_closing"
	// NoticeGone: the server has dropped the conversation's room.
	NoticeGone = "room_gone"
	// NoticeServerLost: the conversation's server does not answer any more.
	NoticeServerLost = "server_lost"
	// NoticeFoundedOften: three new rooms in a day.
	NoticeFoundedOften = "moved_often"
	// NoticeFlood: somebody floods a group with what does not open; NoticeFlooder:
	// who it is, where posts are traced.
	NoticeFlood   = "flood"
	NoticeFlooder = "flooder"
	// NoticeUndelivered: something could not be delivered before it ended.
	NoticeUndelivered = "undelivered"
)
