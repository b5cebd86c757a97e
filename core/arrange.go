package core

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hearth/core/roster"
	"hearth/wire"
)

// What a person keeps to themselves of people and conversations: a name of their
// own for them, whether a conversation is muted, pinned or put away, and a timer of
// their own (timer.go). These are
// shared values (shared.go), so that all devices of the account show the same;
// nobody else is told.

// What is kept of something, as the first word of a value's name.
const (
	nicknameSetting = "nickname" // of an account, or of a conversation of several
	mutedSetting    = "muted"    // of a conversation, as the following
	notifySetting   = "notify"   // NotifyMentions or NotifyNothing
	pinnedSetting   = "pinned"
	archivedSetting = "archived"
)

// settingOf names a value about an account or a conversation.
func settingOf(what string, id [32]byte) string { return what + "/" + b64(id[:]) }

// Arrangement says what Arrange changes; nil fields stay.
type Arrangement struct {
	Nickname *string // "" takes it back
	Muted    *bool
	// Notify is what the person wants to be called for; muted, it is mentions at
	// the most.
	Notify   *string
	Pinned   *bool
	Archived *bool
	// Retention is a timer that counts on this account's devices alone, where it is
	// shorter than the conversation's: 1d, 7d, 30d, 1y; AsConversation takes it back.
	Retention *string
}

// What a person may want to be called for.
const (
	NotifyAll      = "all"
	NotifyMentions = "mentions" // what mentions them
	NotifyNothing  = "nothing"
)

// AsConversation says that the conversation's timer counts.
const AsConversation = "room"

// Arranged answers Arrange. Account and Handle are those of a person.
type Arranged struct {
	Room     string `json:"room"`
	Account  string `json:"account,omitempty"`
	Handle   string `json:"handle,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Muted    bool   `json:"muted"`
	Pinned   bool   `json:"pinned"`
	Archived bool   `json:"archived"`
	Notify   string `json:"notify"`
	// Retention is the person's own timer.
	Retention string `json:"retention,omitempty"`
}

// maxNickname bounds a name of one's own, in bytes.
const maxNickname = 128

// Arrange changes what this account keeps to itself of a person or a conversation,
// on all of its devices, and returns all of it.
func (c *Client) Arrange(ctx context.Context, to string, a Arrangement) (out Arranged, err error) {
	var name string
	if a.Nickname != nil {
		name = strings.TrimSpace(*a.Nickname)
		if len(name) > maxNickname || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			return out, wire.Errorf(wire.BadInput, "a name has at most %d bytes and no control characters", maxNickname)
		}
	}
	var timer string
	if a.Retention != nil && *a.Retention != AsConversation {
		seconds, err := parseRetention(*a.Retention)
		if err != nil {
			return out, err
		}
		if seconds == 0 {
			return out, wire.Errorf(wire.BadInput, "a timer of your own can only be shorter than the conversation's").
				WithNext("to keep messages as long as the others do, give " + AsConversation)
		}
		timer = showRetention(seconds)
	}
	var notify []byte
	if a.Notify != nil && *a.Notify != NotifyAll {
		if *a.Notify != NotifyMentions && *a.Notify != NotifyNothing {
			return out, wire.Errorf(wire.BadInput, "you can be called for %s, %s or %s", NotifyAll, NotifyMentions, NotifyNothing)
		}
		notify = []byte(*a.Notify)
	}
	conv, peer, err := c.subject(ctx, to)
	if err != nil {
		return out, err
	}
	err = c.step(ctx, func(s *step) error {
		if a.Notify != nil {
			if err := s.shareSetting(settingOf(notifySetting, conv), notify, 0); err != nil {
				return err
			}
		}
		if a.Nickname != nil {
			if err := s.shareSetting(nicknameOf(conv, peer), []byte(name), 0); err != nil {
				return err
			}
		}
		if a.Retention != nil {
			if err := s.shareSetting(settingOf(timerSetting, conv), []byte(timer), 0); err != nil {
				return err
			}
		}
		for _, f := range []struct {
			what string
			on   *bool
		}{{mutedSetting, a.Muted}, {pinnedSetting, a.Pinned}, {archivedSetting, a.Archived}} {
			if f.on == nil {
				continue
			}
			var value []byte
			if *f.on {
				value = []byte(settingOn)
			}
			if err := s.shareSetting(settingOf(f.what, conv), value, 0); err != nil {
				return err
			}
		}
		out, err = s.arranged(conv, peer)
		return err
	})
	return out, err
}

// subject finds what a person named: a conversation, and whose it is if it is a
// direct one. That with a person need not have begun.
func (c *Client) subject(ctx context.Context, to string) (conv convID, peer wire.AccountID, err error) {
	if conv, _, own, err := c.noteTo(ctx, to); err != nil || own {
		return conv, peer, err
	}
	if id, ok := parseConv(to); ok {
		if _, err := c.knows(ctx, id); err != nil {
			return conv, peer, err
		}
		known := false
		err := c.look(ctx, func(s *step) error {
			cv, err := s.conv(id)
			if err == nil && cv != nil {
				known, peer = true, cv.Peer
			}
			return err
		})
		if err != nil || known {
			return id, peer, err
		}
	}
	me, err := c.self(ctx)
	if err != nil {
		return conv, peer, err
	}
	p, err := c.find(ctx, to)
	if err != nil {
		return conv, peer, err
	}
	if p.Account == me.ID {
		return conv, peer, errYou
	}
	return convID(roster.DirectID(me.ID, p.Account)), p.Account, nil
}

// nicknameOf names the value that holds what somebody, or a conversation of
// several, is called here.
func nicknameOf(conv convID, peer wire.AccountID) string {
	if peer != (wire.AccountID{}) {
		return settingOf(nicknameSetting, peer)
	}
	return settingOf(nicknameSetting, conv)
}

// arranged reads what is kept of a conversation, and of whose it is.
func (s *step) arranged(conv convID, peer wire.AccountID) (Arranged, error) {
	out := Arranged{Room: conv.String()}
	if peer != (wire.AccountID{}) {
		p, err := s.person(peer)
		if err != nil {
			return out, err
		}
		out.Account, out.Handle = peer.String(), p.Handle
	}
	name, err := s.setting(nicknameOf(conv, peer))
	if err != nil {
		return out, err
	}
	out.Nickname = string(name)
	timer, err := s.setting(settingOf(timerSetting, conv))
	if err != nil {
		return out, err
	}
	out.Retention = string(timer)
	notify, err := s.setting(settingOf(notifySetting, conv))
	if err != nil {
		return out, err
	}
	out.Notify = cmp.Or(string(notify), NotifyAll)
	for what, to := range map[string]*bool{mutedSetting: &out.Muted, pinnedSetting: &out.Pinned, archivedSetting: &out.Archived} {
		if *to, err = s.isSet(what, conv); err != nil {
			return out, err
		}
	}
	return out, nil
}

// isSet reports whether a conversation was muted, pinned or put away.
func (s *step) isSet(what string, conv convID) (bool, error) {
	value, err := s.setting(settingOf(what, conv))
	return len(value) > 0, err
}

// hushed reports whether the person does not want to be called for something in a
// conversation that mentions them, or does not.
func (s *step) hushed(conv convID, mentioned bool) (bool, error) {
	notify, err := s.setting(settingOf(notifySetting, conv))
	if err != nil || string(notify) == NotifyNothing {
		return err == nil, err
	}
	muted, err := s.isSet(mutedSetting, conv)
	return (muted || string(notify) == NotifyMentions) && !mentioned, err
}

// nickname returns what the person calls somebody; "" if they gave no name.
func (s *step) nickname(id wire.AccountID) (string, error) {
	if id == (wire.AccountID{}) {
		return "", nil
	}
	name, err := s.setting(settingOf(nicknameSetting, id))
	return string(name), err
}

// sorted puts pinned conversations first, and those put away last.
func sorted(rooms []Room) []Room {
	rank := func(r Room) int {
		switch {
		case r.Archived:
			return 2
		case r.Pinned:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(rooms, func(a, b Room) int { return cmp.Compare(rank(a), rank(b)) })
	return rooms
}

// Contacts lists the people whom this account has accepted or addressed, by name.
func (c *Client) Contacts(ctx context.Context) ([]Contact, error) {
	var out []Contact
	err := c.look(ctx, func(s *step) error {
		if _, err := s.me(); err != nil {
			return err
		}
		return s.scan("person", func(_ string, b []byte) (bool, error) {
			p := new(person)
			if err := decodeRecord(b, p); err != nil || !p.Contact {
				return err == nil, err
			}
			name, err := s.nickname(p.Account)
			out = append(out, Contact{Account: p.Account.String(), Handle: p.Handle, Nickname: name, Verified: p.Verified, Blocked: p.Blocked})
			return err == nil, err
		})
	})
	key := func(c Contact) string { return fold(cmp.Or(c.Nickname, c.Handle, c.Account)) }
	slices.SortFunc(out, func(a, b Contact) int {
		return cmp.Or(strings.Compare(key(a), key(b)), strings.Compare(a.Account, b.Account))
	})
	return out, err
}
