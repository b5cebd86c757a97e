package core

import (
	"context"
	"time"

	"hearth/content"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/wire"
)

// A draft is a text that was not sent yet. It is a shared value (shared.go), begun
// on one device and sent from another, and ends with its conversation's timer from
// when it was last edited: on every device, in every outbox and at the server.

const draftSetting = "draft" // of a conversation

// Draft answers Client.Draft; without a text there is none.
type Draft struct {
	Room string `json:"room"`
	Text string `json:"text,omitempty"`
	// Edited is when it was changed last.
	Edited  *time.Time `json:"edited,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
}

// Draft returns what is to be sent to a person or a room and was not yet. A text,
// if there is one, takes its place; an empty one takes it away, as sending does.
func (c *Client) Draft(ctx context.Context, to string, text *string) (out Draft, err error) {
	if text != nil && *text != "" {
		if err := content.CheckText(*text); err != nil {
			return out, err
		}
	}
	conv, _, err := c.subject(ctx, to)
	if err != nil {
		return out, err
	}
	out.Room = conv.String()
	err = c.step(ctx, func(s *step) error {
		name := settingOf(draftSetting, conv)
		if text != nil {
			until := int64(0)
			if *text != "" {
				if until, err = s.draftUntil(conv); err != nil {
					return err
				}
			}
			if err := s.shareSetting(name, []byte(*text), until); err != nil {
				return err
			}
		}
		v, err := s.sharedValue(name)
		if err != nil || len(v.Value) == 0 {
			return err
		}
		edited, ends := time.UnixMilli(v.At).UTC(), end(v.Until)
		out.Text, out.Edited, out.Expires = string(v.Value), &edited, &ends
		return nil
	})
	return out, err
}

// draftUntil is when a draft ends that is edited now. What is not sent is not
// kept, not even where messages are.
func (s *step) draftUntil(id convID) (int64, error) {
	p, err := s.preferences()
	if err != nil {
		return 0, err
	}
	timer := p.Retention
	cv, err := s.conv(id)
	if err != nil {
		return 0, err
	}
	if cv != nil {
		if ro, err := s.lastRoster(cv.Room); err != nil {
			return 0, err
		} else if ro != nil {
			timer = ro.State().Retention
		}
	}
	own, err := s.ownTimer(id)
	if err != nil {
		return 0, err
	}
	timer = shorter(timer, own)
	if timer == 0 {
		timer = retention
	}
	return s.keepUntil(roster.State{Retention: timer}), nil
}

// spent takes the draft of a conversation away, for something was sent there.
func (s *step) spent(id convID, m *content.Message) error {
	s.then(func() { delete(s.c.typed, id) })
	if k := m.Kind(); k != content.Text && k != content.File || m.Forwarded() {
		return nil
	}
	return s.shareSetting(settingOf(draftSetting, id), nil, 0)
}

// A person who writes changes a draft every second. The first change is told at
// once, and those that follow within draftEvery go together, with the read marks.

const draftEvery = time.Minute

func unsharedName(name string) string { return vault.Name("unshared", b64([]byte(name))) }

// tellSoon lets a value wait until it is told the other devices, if that is to be.
// A value that is to be told at once takes those along that waited before it.
func (s *step) tellSoon(v setting) bool {
	now := s.c.now()
	if v.Until == 0 || now.Sub(s.c.drafted) >= draftEvery {
		s.del(unsharedName(v.Name))
		if v.Until != 0 {
			s.then(func() { s.c.drafted = now })
		}
		return false
	}
	s.putUntil(unsharedName(v.Name), v.Name, v.Until)
	s.then(s.c.wakeReads)
	return true
}

// shareUnshared tells the other devices what waited.
func (s *step) shareUnshared() error {
	var names []string
	err := s.scan("unshared", func(_ string, b []byte) (bool, error) {
		var name string
		err := decodeRecord(b, &name)
		names = append(names, name)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		s.del(unsharedName(name))
		v, err := s.sharedValue(name)
		if err != nil {
			return err
		}
		if v.Name == "" {
			continue // it has ended
		}
		if err := s.shareValue(v); err != nil {
			return err
		}
	}
	return nil
}

// shareValue posts a value to the other devices, for no longer than it lasts, in
// place of what waits of it and was not sealed.
func (s *step) shareValue(v setting) error {
	me, err := s.account()
	if err != nil || me == nil || s.syncing {
		return err
	}
	r, _, err := s.selfRoom(me)
	if err != nil || r == nil {
		return err
	}
	var old []*row
	err = s.rows(r.ID, func(w *row) (bool, error) {
		if w.Kind == content.KindSync && w.Count == 0 && aloneIn(w.Body) == v.Name {
			old = append(old, w)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, w := range old {
		s.dropRow(r.ID, w)
	}
	return s.shareUntil(v.Until, item(syncSetting, v))
}

// aloneIn returns the name of the value that a post between devices holds and
// nothing else; "" if that is not so.
func aloneIn(body []byte) string {
	b, err := parseSync(body)
	if err != nil || len(b.Items) != 1 || b.Items[0].Kind != syncSetting {
		return ""
	}
	var v setting
	if wire.Decode(b.Items[0].Body, &v) != nil {
		return ""
	}
	return v.Name
}
