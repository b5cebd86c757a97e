package core

import (
	"hearth/core/vault"
)

// A fuse is the time that a message has left once it was read: its sender chose
// an end from reading. Until then it stays as long as the conversation's
// messages do. On the sender's devices it burns from the sending, for its author
// has read it; on a reader's devices, from the first of them that shows it.

func fusesName(id convID) string { return vault.Name("fuse", b64(id[:])) }

func fuseName(id convID, n uint64) string { return vault.Numbered(fusesName(id), n) }

// light lets the fuses of the lines from first through last burn: these messages
// have been shown, here or on another device of this account's. Those that mention
// the person are unread no more.
func (s *step) light(id convID, first, last uint64) error {
	if err := s.mentionsRead(id, first, last); err != nil {
		return err
	}
	return s.scan(fusesName(id), func(name string, _ []byte) (bool, error) {
		n, _ := vault.Number(name)
		if n > last || n < first {
			return n <= last, nil
		}
		s.del(name)
		h, err := s.line(id, n)
		if err != nil || h == nil {
			return err == nil, err
		}
		until := s.c.now().Unix() + int64(h.Fuse)
		h.Fuse = 0
		s.putUntil(lineName(id, n), h, h.Until)
		err = s.endSooner(id, n, h, until)
		return err == nil, err
	})
}
