package core

import (
	"context"
	"slices"
	"strings"

	"hearth/content"
	"hearth/wire"
)

// Polls. A vote is said of its poll like a reaction: a line of its own that ends with
// it, of which each member's newest counts. Who voted for what is for all members to
// see; who made the poll may close it, and no vote counts that comes behind that in
// the log.

// VoteClosed is the Kind of a vote's event when it closed its poll.
const VoteClosed = "closed"

// NewPoll is what a poll asks.
type NewPoll struct {
	Question string
	Options  []string
	Multi    bool // one person may choose several
}

// ShownPoll is a poll as it stands.
type ShownPoll struct {
	Question string        `json:"question"`
	Options  []ShownOption `json:"options"`
	Multi    bool          `json:"multi,omitempty"`
	Closed   bool          `json:"closed,omitempty"`
	// Own are the numbers, from 1, of the options that this account has chosen.
	Own []int `json:"own,omitempty"`
}

// ShownOption is an option and who has chosen it.
type ShownOption struct {
	Text   string  `json:"text"`
	Voters []Voter `json:"voters,omitempty"`
}

// Voter is a member who has voted.
type Voter struct {
	Account  string `json:"account"`
	Handle   string `json:"handle,omitempty"`
	Nickname string `json:"nickname,omitempty"`
}

var (
	errNoPoll     = wire.Errorf(wire.BadInput, "that message is no poll").WithNext("find one with: hearth history ROOM --ids")
	errPollClosed = wire.Errorf(wire.Denied, "that poll is closed").WithNext("write to them instead")
	errNotMade    = wire.Errorf(wire.Denied, "only who made a poll can close it").WithNext("ask them to")
	errNoOption   = wire.Errorf(wire.BadInput, "the poll has no such option, or takes one only").WithNext("give the numbers that it shows")
)

// pollOf returns what the poll in a line asks.
func pollOf(h *happening) (content.Question, bool) {
	m, err := content.Parse(h.Body)
	if err != nil || h.Type != EventMessage {
		return content.Question{}, false
	}
	return m.Poll()
}

// judgeVote says why a vote does not count, if it does not.
func (s *step) judgeVote(cv *conversation, from wire.AccountID, m *content.Message, a *amendment) error {
	q, ok := pollOf(a.target)
	if !ok {
		return errNoPoll
	}
	b, _ := m.Vote()
	switch {
	case b.Close && a.target.Account != from:
		return errNotMade
	case len(b.Choices) > 1 && !q.Multi, len(b.Choices) > 0 && int(b.Choices[len(b.Choices)-1]) >= len(q.Options):
		return errNoOption
	}
	all, voted := 0, false
	return s.amendments(cv.ID, a.of, func(_ uint64, h *happening) error {
		all++
		voted = voted || h.Type == EventVote && h.Account == from
		if h.Type == EventVote && h.Kind == VoteClosed {
			return errPollClosed
		}
		if all >= amendmentsOfAll && !voted {
			return errReactions
		}
		return nil
	})
}

// votes writes a kept vote's line: it takes the place of its sender's last one, and
// what closes a poll that of none.
func (s *step) votes(cv *conversation, from wire.AccountID, m *content.Message, a *amendment, h *happening) error {
	h.Type = EventVote
	if b, _ := m.Vote(); b.Close {
		h.Kind = VoteClosed
		return nil
	}
	return s.dropAmendments(cv.ID, a.of, func(k *happening) bool {
		return k.Type == EventVote && k.Kind != VoteClosed && k.Account == from
	})
}

// showPoll writes a poll into its message's event.
func (s *step) showPoll(id convID, h *happening, e *Event) error {
	q, ok := pollOf(h)
	if !ok {
		return nil
	}
	p := &ShownPoll{Question: q.Question, Multi: q.Multi}
	for _, o := range q.Options {
		p.Options = append(p.Options, ShownOption{Text: o})
	}
	e.Poll = p
	if !h.Amended {
		return nil
	}
	return s.amendments(id, h.ID, func(_ uint64, k *happening) error {
		if k.Type != EventVote {
			return nil
		}
		p.Closed = p.Closed || k.Kind == VoteClosed
		m, err := content.Parse(k.Body)
		if err != nil {
			return err
		}
		v := Voter{Account: k.Account.String()}
		name, err := s.show(k.Account)
		if err != nil {
			return err
		}
		if name != v.Account {
			v.Handle = name
		}
		if v.Nickname, err = s.nickname(k.Account); err != nil {
			return err
		}
		mine, err := s.isMe(k.Account)
		if err != nil {
			return err
		}
		b, _ := m.Vote()
		for _, c := range b.Choices {
			if int(c) >= len(p.Options) {
				continue
			}
			p.Options[c].Voters = append(p.Options[c].Voters, v)
			if mine {
				p.Own = append(p.Own, int(c)+1)
			}
		}
		return nil
	})
}

// chosen says in words what a vote chose, by the poll and not by its sender.
func chosen(q content.Question, b content.Ballot) string {
	var names []string
	for _, c := range b.Choices {
		if int(c) < len(q.Options) {
			names = append(names, q.Options[c])
		}
	}
	return strings.Join(names, ", ")
}

// showVote writes into a vote's event what it chose.
func (s *step) showVote(id convID, h *happening, m *content.Message, e *Event) error {
	e.Text = ""
	n, err := s.lineOf(id, h.Reply)
	if err != nil {
		return err
	}
	poll, err := s.line(id, n)
	if err != nil || poll == nil {
		return err
	}
	if q, ok := pollOf(poll); ok {
		b, _ := m.Vote()
		e.Text = chosen(q, b)
	}
	return nil
}

// VoteOptions are the parameters of Vote.
type VoteOptions struct {
	Room, ID string // the poll's
	// Choices are the numbers of options, from 1; none takes the vote back.
	Choices []int
	// Close ends one's own poll instead.
	Close bool
}

// Vote answers a poll, in the place of what this account has answered before.
func (c *Client) Vote(ctx context.Context, o VoteOptions) (Sent, error) {
	conv, err := c.roomByText(ctx, o.Room)
	if err != nil {
		return Sent{}, err
	}
	of, err := content.ParseMessageID(o.ID)
	if err != nil {
		return Sent{}, err
	}
	ballot := content.Ballot{Close: o.Close}
	for _, n := range o.Choices {
		if n < 1 || n > content.MaxOptions {
			return Sent{}, errNoOption
		}
		ballot.Choices = append(ballot.Choices, uint8(n-1))
	}
	slices.Sort(ballot.Choices)
	opts := content.Options{Sent: c.now()}
	words := "Took the vote back."
	err = c.look(ctx, func(s *step) error {
		n, err := s.lineOf(conv, of[:])
		if err != nil {
			return err
		}
		h, err := s.line(conv, n)
		if err != nil {
			return err
		}
		if h == nil || h.Deleted {
			return errNoMessage
		}
		q, ok := pollOf(h)
		if !ok {
			return errNoPoll
		}
		switch {
		case o.Close:
			words = "Closed the poll."
		case len(ballot.Choices) > 0:
			words = "Voted: " + chosen(q, ballot)
		}
		if h.Until != 0 {
			opts.Expires = content.EndsAt(end(h.Until)) // on clients that do not know polls, too
		}
		return nil
	})
	if err != nil {
		return Sent{}, err
	}
	m, err := content.NewVote(of, ballot, words, opts)
	if err != nil {
		return Sent{}, err
	}
	body, err := m.Encode()
	if err != nil {
		return Sent{}, err
	}
	return c.utter(ctx, conv, nil, m, body, opts.Sent)
}
