package core

import (
	"context"
	"strings"

	"hearth/content"
	"hearth/core/letter"
	"hearth/core/vault"
	"hearth/wire"
)

// How parts of a text look, and whom they mention: read from what a person typed
// (content.Markup) and shown in pieces, so that no client has to count bytes. Only
// members of the conversation can be mentioned: a mention of anybody else is text.

// formatted makes a text out of what was typed for a conversation, with its marks.
func (c *Client) formatted(ctx context.Context, to, source string) (string, []content.Mark, error) {
	called := map[string]wire.AccountID{}
	if strings.Contains(source, "@") && !letter.IsLink(to) {
		conv, peer, err := c.subject(ctx, to)
		if err != nil {
			return "", nil, err
		}
		err = c.look(ctx, func(s *step) (err error) {
			called, err = s.called(conv, peer)
			return err
		})
		if err != nil {
			return "", nil, err
		}
	}
	text, marks := content.Markup(source, func(name string) (wire.AccountID, bool) {
		account, ok := called[fold(name)]
		return account, ok && account != wire.AccountID{}
	})
	return text, marks, nil
}

// called lists by which names the members of a conversation may be mentioned:
// account id, handle, and the bare name and the nickname that only one of them has.
func (s *step) called(conv convID, peer wire.AccountID) (map[string]wire.AccountID, error) {
	members := []wire.AccountID{peer}
	cv, err := s.conv(conv)
	if err != nil {
		return nil, err
	}
	if cv != nil {
		ro, err := s.lastRoster(cv.Room)
		if err != nil {
			return nil, err
		}
		if ro != nil {
			members = nil
			for _, m := range ro.State().Members {
				members = append(members, m.Account)
			}
		}
	}
	out := map[string]wire.AccountID{}
	for _, m := range members {
		handle, err := s.show(m)
		if err != nil {
			return nil, err
		}
		nickname, err := s.nickname(m)
		if err != nil {
			return nil, err
		}
		out[fold(m.String())], out[fold(handle)] = m, m
		bare, _, _ := strings.Cut(handle, "@")
		for _, name := range []string{bare, nickname} {
			name = fold(name)
			if other, taken := out[name]; taken && other != m {
				out[name] = wire.AccountID{} // of two
				continue
			}
			out[name] = m
		}
	}
	return out, nil
}

// looks writes into an event how the message's text looks, and whether it mentions
// this account.
func (s *step) looks(id convID, by wire.AccountID, m *content.Message, e *Event) error {
	e.Runs, e.Mentioned = nil, false
	marks := m.Marks()
	if k := m.Kind(); len(marks) == 0 || !k.Editable() && k != content.Edit {
		return nil
	}
	cv, err := s.conv(id)
	if err != nil || cv == nil {
		return err
	}
	ro, err := s.lastRoster(cv.Room)
	if err != nil {
		return err
	}
	text, _ := m.Text()
	for _, r := range content.Runs(text, marks) {
		run := Run{Text: r.Text}
		for _, style := range r.Styles {
			run.Style = append(run.Style, style.String())
		}
		if r.Mention != nil && ro != nil {
			st := ro.State()
			if _, member := st.Member(*r.Mention); member {
				if err := s.nameRun(&run, *r.Mention); err != nil {
					return err
				}
				mine, err := s.isMe(*r.Mention)
				if err != nil {
					return err
				}
				e.Mentioned = e.Mentioned || mine && by != *r.Mention
			}
		}
		e.Runs = append(e.Runs, run)
	}
	return nil
}

func (s *step) nameRun(r *Run, who wire.AccountID) error {
	name, err := s.show(who)
	if err != nil {
		return err
	}
	r.Mention = who.String()
	if name != r.Mention {
		r.Handle = name
	}
	r.Nickname, err = s.nickname(who)
	return err
}

// A message that mentions this account has a record beside its line until it was
// read, so that a list of conversations can say how many there are.

func mentionsName(id convID) string { return vault.Name("mention", b64(id[:])) }

func mentionName(id convID, n uint64) string { return vault.Numbered(mentionsName(id), n) }

// noteMention notes a message that has come and mentions this account.
func (s *step) noteMention(cv *conversation, n uint64, m *content.Message, until int64) error {
	for _, k := range m.Marks() {
		if k.Style != content.Mention {
			continue
		}
		if mine, err := s.isMe(*k.Account); err != nil {
			return err
		} else if mine {
			s.putUntil(mentionName(cv.ID, n), true, until)
		}
	}
	return nil
}

// mentions counts what mentions this account in a conversation and is unread.
func (s *step) mentions(id convID) (n int, err error) {
	err = s.scan(mentionsName(id), func(string, []byte) (bool, error) { n++; return true, nil })
	return n, err
}

func (s *step) mentionsRead(id convID, first, last uint64) error {
	return s.scan(mentionsName(id), func(name string, _ []byte) (bool, error) {
		n, _ := vault.Number(name)
		if n >= first && n <= last {
			s.del(name)
		}
		return n <= last, nil
	})
}
