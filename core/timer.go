package core

import (
	"time"

	"hearth/content"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/wire"
)

// A person may want what is said in a conversation to end sooner on their own
// devices than its members have agreed: of the conversation's timer, the sender's
// end and the person's own timer the shortest wins. It is a shared value, nobody
// else is told, and nothing that is on its way to others ends by it
// (docs/decisions/0034-the-newest-counts.md).

const timerSetting = "timer" // of a conversation; as people type it

// ownTimer returns the person's own timer for a conversation, seconds; 0: there is
// none.
func (s *step) ownTimer(id convID) (uint32, error) {
	value, err := s.setting(settingOf(timerSetting, id))
	if err != nil || len(value) == 0 {
		return 0, err
	}
	seconds, err := parseRetention(string(value))
	if err != nil {
		return 0, nil // of a later version
	}
	return seconds, nil
}

// shorter returns the shorter of two timers; 0 is none.
func shorter(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// timer returns for how long what is said in a conversation stays on this
// account's devices, at the most; 0: it is kept.
func (s *step) timer(id convID, st roster.State) (time.Duration, error) {
	own, err := s.ownTimer(id)
	return time.Duration(shorter(st.Retention, own)) * time.Second, err
}

// defaultTimer lets the account's own default count in a conversation that others
// have begun with a longer timer. Whatever the person sets for the conversation
// itself is later than this, in whatever order devices hear of it.
func (s *step) defaultTimer(cv *conversation, st roster.State, inv *letter.Wrapper) error {
	mine, err := s.isMe(inv.Account)
	if err != nil || mine || cv.Kind == KindSelf {
		return err
	}
	set, err := s.setting(retentionSetting)
	if err != nil || set == nil {
		return err
	}
	seconds, err := parseRetention(string(set))
	if err != nil || shorter(st.Retention, seconds) == st.Retention {
		return nil
	}
	name := settingOf(timerSetting, cv.ID)
	if known, err := s.sharedValue(name); err != nil || known.At != 0 {
		return err
	}
	v := setting{Name: name, Value: []byte(showRetention(seconds)), At: 1}
	if err := s.putSetting(v); err != nil {
		return err
	}
	return s.shareValue(v)
}

// lasts is when a line of this account's, said in a room, ends for the others.
func (s *step) lasts(id convID, h *happening, in wire.RoomID) (int64, error) {
	own, err := s.ownTimer(id)
	if err != nil || own == 0 {
		return h.Until, err
	}
	m, err := content.Parse(h.Body)
	if err != nil {
		return h.Until, nil
	}
	ro, err := s.roster(in)
	if err != nil {
		return 0, err
	}
	ends := m.End(time.UnixMilli(h.At), time.Time{}, time.Duration(ro.State().Retention)*time.Second)
	if ends.IsZero() {
		return 0, nil
	}
	return ends.Unix(), nil
}
