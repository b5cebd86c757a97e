package content

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"hearth/wire"
)

// Markup reads a text as people type it who want some of it to look different:
// *bold*, _italic_, ~struck out~, `code`, lines that begin with > for a quote, and
// @name. It returns the text without the signs, and its marks. A sign counts where
// it stands at the edge of a word and has a partner on its line; any other stays in
// the text, and so does one behind a backslash. mention says who has a name, and
// may be nil.
//
// Its work grows as the text does, whatever signs that holds.
func Markup(source string, mention func(name string) (wire.AccountID, bool)) (text string, marks []Mark) {
	p := markup{mention: mention}
	var quoted []Mark
	for line := range strings.SplitSeq(source, "\n") {
		if p.begun {
			p.out.WriteByte('\n')
		}
		p.begun = true
		from := p.out.Len()
		rest, quote := strings.CutPrefix(line, "> ")
		p.line(rest)
		to := p.out.Len()
		switch last := len(quoted) - 1; {
		case !quote || to == from:
		case last >= 0 && int(quoted[last].end())+1 == from:
			quoted[last].Len = uint32(to) - quoted[last].From
		default:
			quoted = append(quoted, newMark(Quote, from, to))
		}
	}
	return p.out.String(), append(p.marks, quoted...)
}

func newMark(s Style, from, to int) Mark {
	return Mark{Style: s, From: uint32(from), Len: uint32(to - from)}
}

type markup struct {
	mention func(string) (wire.AccountID, bool)
	out     strings.Builder
	marks   []Mark
	begun   bool
}

// sign is one that may open a style.
type sign struct {
	style Style
	at    int // where in the line
	text  int // how many bytes of the line's text stand before it
}

var signs = map[byte]Style{'*': Bold, '_': Italic, '~': Strike}

// line adds one line. It walks over the line twice: to find the signs that have a
// partner, then to leave them out.
func (p *markup) line(s string) {
	drop := make(map[int]bool) // signs that are not part of the text
	type pair struct {
		style    Style
		from, to int // in s, signs not included
		account  *wire.AccountID
	}
	var pairs []pair
	var open []sign
	lastTick := strings.LastIndexByte(s, '`')
	for i := 0; i < len(s); {
		c := s[i]
		switch style := signs[c]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte("*_~`@\\>", s[i+1]) >= 0:
			drop[i] = true
			i += 2
			continue
		case c == '`' && i < lastTick:
			to := i + 1 + strings.IndexByte(s[i+1:], '`')
			if to > i+1 {
				drop[i], drop[to] = true, true
				pairs = append(pairs, pair{style: Code, from: i + 1, to: to})
			}
			i = to + 1
			continue
		case style != 0 && (i == 0 || s[i-1] != c) && (i+1 == len(s) || s[i+1] != c):
			at := -1
			for j, o := range open {
				if o.style == style {
					at = j
				}
			}
			if at >= 0 && closes(s, i) && i > open[at].at+1 {
				drop[open[at].at], drop[i] = true, true
				pairs = append(pairs, pair{style: style, from: open[at].at + 1, to: i})
				open = open[:at]
			} else if at < 0 && opens(s, i) {
				open = append(open, sign{style: style, at: i})
			}
		case c == '@' && p.mention != nil && atEdge(s, i):
			if n, account, ok := p.named(s[i+1:]); ok {
				pairs = append(pairs, pair{style: Mention, from: i, to: i + 1 + n, account: &account})
				i += 1 + n
				continue
			}
		}
		i++
	}
	text := make([]int, len(s)+1) // where each byte of the line comes in the text
	for i := range len(s) {
		text[i] = p.out.Len()
		if !drop[i] {
			p.out.WriteByte(s[i])
		}
	}
	text[len(s)] = p.out.Len()
	for _, q := range pairs {
		if text[q.to] > text[q.from] {
			k := newMark(q.style, text[q.from], text[q.to])
			k.Account = q.account
			p.marks = append(p.marks, k)
		}
	}
}

// opens reports whether a sign may begin a style: before a character, not within a
// word.
func opens(s string, i int) bool {
	next, _ := utf8.DecodeRuneInString(s[i+1:])
	return i+1 < len(s) && !unicode.IsSpace(next) && atEdge(s, i)
}

// closes reports whether a sign may end a style: behind a character, not within a
// word.
func closes(s string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	next, _ := utf8.DecodeRuneInString(s[i+1:])
	return i > 0 && !unicode.IsSpace(before) && (i+1 == len(s) || !isWord(next))
}

// atEdge reports whether no word reaches up to a place.
func atEdge(s string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	return i == 0 || !isWord(before)
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// maxNamed is the longest name that a mention may have, bytes.
const maxNamed = 128

// named finds the longest name that a text begins with and somebody has.
func (p *markup) named(s string) (n int, account wire.AccountID, ok bool) {
	const within = "._-@:" // not a name's last: it may be the sentence's
	for i, r := range s[:min(len(s), maxNamed)] {
		if !isWord(r) && !strings.ContainsRune(within, r) {
			break
		}
		n = i + utf8.RuneLen(r)
	}
	for n > 0 {
		name := strings.TrimRight(s[:n], within)
		if account, ok = p.mention(name); ok && name != "" {
			return len(name), account, true
		}
		n = strings.LastIndexAny(name, within)
	}
	return 0, account, false
}
