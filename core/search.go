package core

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"hearth/content"
	"hearth/core/vault"
	"hearth/wire"
)

// Search is local. What it looks through is in memory alone: the texts of the
// histories, read once when somebody first searches and kept up with every step
// since. Nothing of it is on disk, so nothing of it can outlive its message
// there; a home that is locked or closed has none of it.

// searchMost bounds how many words a search has, and how long it is.
const (
	searchWords = 16
	searchBytes = 1024
	searchLimit = 50 // answers, if the caller does not say
)

// texts is what a search looks through; guarded by the client's lock.
type searchTexts struct {
	whole bool // every line was read; until then only what changed since
	lines map[convID]map[uint64]searchText
}

// searchText is one line's text, folded; of an edit it is its message's.
type searchText struct {
	at, until int64 // of the happening
	from      wire.AccountID
	text      string
}

// fold makes texts alike that people would call the same: case, and the several
// ways that Unicode has to write a character.
func fold(s string) string { return cases.Fold().String(norm.NFKC.String(s)) }

// take keeps up with one record of a history; value nil: it is gone.
func (t *searchTexts) take(name string, value []byte) {
	id, ok := convOfLine(name)
	if !ok {
		return
	}
	n, _ := vault.Number(name)
	h := new(happening)
	if value == nil || decodeRecord(value, h) != nil || h.Type != EventMessage && h.Type != EventEdit || h.Deleted {
		delete(t.lines[id], n)
		return
	}
	if t.lines[id] == nil {
		t.lines[id] = make(map[uint64]searchText)
	}
	t.lines[id][n] = searchText{at: h.At, until: h.Until, from: h.Account, text: fold(wordsOf(h))}
}

// wordsOf returns in what of a line is looked.
func wordsOf(h *happening) string {
	text := textOf(h)
	if name := fileNameOf(h); name != "" {
		text += "\n" + name
	}
	return text
}

// fileNameOf returns what a message's file is called, as it is shown.
func fileNameOf(h *happening) string {
	m, err := content.Parse(h.Body)
	if err != nil {
		return ""
	}
	f, ok := m.File()
	if !ok {
		return ""
	}
	return safeName(f.FileName)
}

// searchable tells the search what a step has changed.
func (s *step) searchable() {
	if s.c.texts == nil {
		return
	}
	for name, ch := range s.over {
		if strings.HasPrefix(name, "history/") {
			s.c.texts.take(name, ch.value)
		}
	}
}

// SearchOptions are the parameters of Search.
type SearchOptions struct {
	// Words must all be found, each anywhere in a message's text, in its sender's
	// name or in the conversation's; case does not matter.
	Words string
	// Room is where to look; "": everywhere.
	Room string
	// Limit is how many messages are returned, the newest first; 0: 50.
	Limit int
}

// Search returns the messages in which words are found, the newest first.
func (c *Client) Search(ctx context.Context, o SearchOptions) ([]Event, error) {
	words := strings.Fields(fold(o.Words))
	switch {
	case len(words) == 0:
		return nil, wire.Errorf(wire.BadInput, "there is nothing to search for").WithNext("give a word, or the beginning of one")
	case len(words) > searchWords || len(o.Words) > searchBytes:
		return nil, wire.Errorf(wire.BadInput, "a search has at most %d words and %d bytes", searchWords, searchBytes)
	case o.Limit < 0:
		return nil, wire.Errorf(wire.BadInput, "a limit is a number from 0")
	}
	var only convID
	if o.Room != "" {
		var err error
		if only, err = c.roomByText(ctx, o.Room); err != nil {
			return nil, err
		}
	}
	if err := c.readTexts(ctx); err != nil {
		return nil, err
	}
	var out []Event
	err := c.look(ctx, func(s *step) error {
		hits, err := s.hits(words, only)
		if err != nil {
			return err
		}
		shown := make(map[found]bool)
		for _, f := range hits {
			e, at, err := s.hit(f, words)
			if err != nil {
				return err
			}
			if e == nil || shown[at] {
				continue
			}
			shown[at] = true
			if out = append(out, *e); len(out) == cmp.Or(o.Limit, searchLimit) {
				break
			}
		}
		return nil
	})
	return out, err
}

// found is a line in which something was found.
type found struct {
	conv convID
	line uint64
}

// hits returns the lines that hold all words, the newest first.
func (s *step) hits(words []string, only convID) ([]found, error) {
	type hit struct {
		found
		at int64
	}
	var hits []hit
	now := s.c.now().Unix()
	people := make(map[wire.AccountID]string)
	for id, lines := range s.c.texts.lines {
		if only != (convID{}) && only != id {
			continue
		}
		name, err := s.searchName(id)
		if err != nil {
			return nil, err
		}
		for n, t := range lines {
			if t.until != 0 && t.until <= now {
				delete(lines, n) // the sweep is about to take it
				continue
			}
			who, known := people[t.from]
			if !known {
				if who, err = s.show(t.from); err != nil {
					return nil, err
				}
				called, err := s.nickname(t.from)
				if err != nil {
					return nil, err
				}
				who = fold(who + " " + called)
				people[t.from] = who
			}
			if holds(words, t.text, who, name) {
				hits = append(hits, hit{found{id, n}, t.at})
			}
		}
	}
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(b.line, a.line)) })
	out := make([]found, len(hits))
	for i, h := range hits {
		out[i] = h.found
	}
	return out, nil
}

// holds reports whether each word is in one of the texts.
func holds(words []string, texts ...string) bool {
	for _, w := range words {
		if !slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(t, w) }) {
			return false
		}
	}
	return true
}

// searchName returns what a group is called, by all and by this account's person,
// folded.
func (s *step) searchName(id convID) (string, error) {
	cv, err := s.conv(id)
	if err != nil || cv == nil || cv.Kind != KindGroup {
		return "", err
	}
	ro, err := s.roster(cv.Room)
	if err != nil {
		return "", err
	}
	called, err := s.setting(nicknameOf(id, cv.Peer))
	return fold(ro.State().Name + " " + string(called)), err
}

// hit returns the message in which something was found, as it is shown now, and
// its line; nil if it says something else by now.
func (s *step) hit(f found, words []string) (*Event, found, error) {
	h, err := s.line(f.conv, f.line)
	if err != nil || h == nil {
		return nil, f, err
	}
	if h.Type == EventEdit {
		if f.line, err = s.lineOf(f.conv, h.Reply); err != nil {
			return nil, f, err
		}
		if h, err = s.line(f.conv, f.line); err != nil || h == nil {
			return nil, f, err
		}
	}
	e, err := s.event(f.conv, h)
	if err != nil || h.Deleted {
		return nil, f, err
	}
	name, err := s.searchName(f.conv)
	if err != nil || !holds(words, fold(e.Text), fold(fileNameOf(h)), fold(e.From+" "+e.Nickname), name) {
		return nil, f, err
	}
	return &e, f, nil
}

// readTexts reads every line once, a page at a time: others go on meanwhile.
func (c *Client) readTexts(ctx context.Context) error {
	if err := c.searching.begin(ctx); err != nil {
		return err
	}
	defer c.searching.done()
	var left []convID
	whole := false
	err := c.look(ctx, func(s *step) error {
		if c.texts == nil {
			c.texts = &searchTexts{lines: make(map[convID]map[uint64]searchText)}
		}
		if whole = c.texts.whole; whole {
			return nil
		}
		return s.scan("conversation", func(_ string, b []byte) (bool, error) {
			cv := new(conversation)
			err := decodeRecord(b, cv)
			left = append(left, cv.ID)
			return err == nil, err
		})
	})
	if err != nil || whole {
		return err
	}
	for _, id := range left {
		for after, more := lineName(id, 0), true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := c.look(ctx, func(s *step) error {
				items, err := c.vault.Scan(s.ctx, historyName(id), after, scanPage)
				for _, it := range items {
					c.texts.take(it.Name, it.Value)
					after = it.Name
				}
				more = len(items) == scanPage
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return c.look(ctx, func(*step) error {
		c.texts.whole = true
		return nil
	})
}
