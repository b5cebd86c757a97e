package core

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode"

	"hearth/wire"
)

// Export writes what this device holds as plain files, for its person to keep or
// to take elsewhere. Nothing protects them any more, and nothing ends in them:
// that is said in the folder, and by whoever asks for it.

// Exported answers Export.
type Exported struct {
	Items int    `json:"items"` // lines of conversations
	Rooms int    `json:"rooms"`
	To    string `json:"to"`
}

// exportedRoom is what rooms.json says of a conversation.
type exportedRoom struct {
	Room
	File string `json:"file"`
}

// exportedPerson is what people.json says of somebody.
type exportedPerson struct {
	Account  string `json:"account"`
	Handle   string `json:"handle,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Verified bool   `json:"verified"`
	Contact  bool   `json:"contact"`
	Blocked  bool   `json:"blocked"`
}

const exportWarning = `These files are not protected: whoever has them can read them, and so can programs
that run as you. Nothing in them ends when it ends in your conversations; others
asked for their messages to end. Delete what you don't need.

account.json       who you are (no keys: nobody can act as you with this)
people.json        whom you know
rooms.json         your conversations, and the files they are in
room_ID.jsonl      a conversation, one event a line, as hearth history --json gives it
room_ID.txt        the same, to read
file_ID_NAME       a file that was here, of the message with that id
`

// Export writes everything that has not ended into a folder, which is there.
func (c *Client) Export(ctx context.Context, folder string) (Exported, error) {
	out := Exported{To: folder}
	places, err := c.places()
	if err != nil {
		return out, err
	}
	if folder == "" {
		return out, wire.Errorf(wire.BadInput, "the folder is missing")
	}
	write := func(name string, fill func(io.Writer) error) error {
		return places.Write(ctx, path.Join(folder, name), fill)
	}
	me, err := c.Whoami()
	if err != nil {
		return out, err
	}
	people, err := c.exportPeople(ctx)
	if err != nil {
		return out, err
	}
	rooms, err := c.Rooms(ctx)
	if err != nil {
		return out, err
	}
	if err := write("README.txt", func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Exported from Hearth, %s.\n\n%s", c.now().Format(time.RFC3339), exportWarning)
		return err
	}); err != nil {
		return out, err
	}
	list := []exportedRoom{}
	for _, r := range rooms {
		id, ok := parseConv(r.Room)
		if !ok {
			continue
		}
		name := "room_" + r.Room
		n, here := 0, []Event(nil)
		err := write(name+".jsonl", func(w io.Writer) error {
			n, here = 0, here[:0]
			lines := json.NewEncoder(w)
			lines.SetEscapeHTML(false)
			return c.exportLines(ctx, id, func(e Event) error {
				n++
				if e.File != nil && e.File.State == FileHere && !e.File.Once {
					here = append(here, e)
				}
				return lines.Encode(e)
			})
		})
		if err != nil {
			return out, err
		}
		err = write(name+".txt", func(w io.Writer) error {
			fmt.Fprintf(w, "%s\n\n", legible(cmp.Or(r.Name, othersOf(r, me.Account), r.Room)))
			return c.exportLines(ctx, id, func(e Event) error { _, err := io.WriteString(w, sentence(e)); return err })
		})
		if err != nil {
			return out, err
		}
		for _, e := range here {
			to := path.Join(folder, "file_"+e.ID+"_"+e.File.Name)
			_, err := c.SaveFile(ctx, SaveOptions{Room: r.Room, ID: e.ID, To: to})
			if err != nil && code(err) != wire.NotFound && code(err) != wire.Damaged {
				return out, err
			}
		}
		out.Items += n
		list = append(list, exportedRoom{Room: r, File: name + ".jsonl"})
	}
	out.Rooms = len(list)
	for name, v := range map[string]any{"account.json": me, "people.json": people, "rooms.json": list} {
		err := write(name, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			return e.Encode(v)
		})
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (c *Client) exportPeople(ctx context.Context) ([]exportedPerson, error) {
	out := []exportedPerson{}
	err := c.look(ctx, func(s *step) error {
		return s.scan("person", func(_ string, b []byte) (bool, error) {
			p := new(person)
			if err := decodeRecord(b, p); err != nil {
				return false, err
			}
			name, err := s.nickname(p.Account)
			if err != nil {
				return false, err
			}
			out = append(out, exportedPerson{Account: p.Account.String(), Handle: p.Handle, Nickname: name, Verified: p.Verified, Contact: p.Contact, Blocked: p.Blocked})
			return true, nil
		})
	})
	return out, err
}

// exportLines gives a conversation's events, a page at a time.
func (c *Client) exportLines(ctx context.Context, id convID, f func(Event) error) error {
	for after, more := uint64(0), true; more; {
		var page []Event
		err := c.look(ctx, func(s *step) (err error) {
			page, after, more, err = s.page(id, after)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := f(e); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// page returns some events of a history behind a line.
func (s *step) page(id convID, after uint64) (out []Event, last uint64, more bool, err error) {
	n := 0
	err = s.linesBehind(id, after, func(at uint64, h *happening) error {
		n++
		last = at
		if h.amends() {
			return nil // it is written with its message
		}
		e, err := s.event(id, h)
		out = append(out, e)
		return err
	})
	return out, last, n == scanPage, err
}

// sentence writes an event for people.
func sentence(e Event) string {
	at := e.Sent.Format("2006-01-02 15:04")
	switch e.Type {
	case EventMessage, EventRequest:
		end := ""
		if e.Expires != nil {
			end = e.Expires.Format(" (until 2006-01-02 15:04)")
		}
		return fmt.Sprintf("%s  %s: %s%s\n", at, legible(cmp.Or(e.From, e.Account)), legible(e.Text), end)
	case EventJoined, EventLeft:
		by := ""
		if e.By != "" {
			by = " (" + legible(e.By) + ")"
		}
		return fmt.Sprintf("%s  * %s %s%s\n", at, legible(e.Who), e.Type, by)
	}
	return fmt.Sprintf("%s  * %s %s\n", at, e.Type, legible(cmp.Or(e.Text, e.Code, e.State)))
}

// legible takes out of what others wrote what would change how a terminal or an
// editor shows the rest: control characters and those that turn the direction.
func legible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("\n    ")
		case r == '\t':
			b.WriteByte(' ')
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// othersOf names the others of a conversation.
func othersOf(r Room, me string) string {
	var names []string
	for _, m := range r.Members {
		if m.Account != me {
			names = append(names, cmp.Or(m.Handle, m.Account))
		}
	}
	return strings.Join(names, ", ")
}
