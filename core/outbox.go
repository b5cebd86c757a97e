package core

import (
	"bytes"
	"encoding/base64"
	"strings"
	"time"

	"hearth/content"
	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// The outbox of a room: what this device has to say there, first in, first out.
// A row goes away when its own entry comes back in the room's log, and not
// before (protocol §1: own entry seen = sent).

// row is one post that waits. What it says is saved with it, so that it can be
// encrypted again for another epoch; its message id and running count stay.
type row struct {
	_ struct{} `cbor:",toarray"`
	N uint64
	// Kind and Body are of the envelope.
	Kind content.EnvelopeKind
	Body []byte
	// Message is the id of a message, absent for anything else.
	Message []byte
	// Until is when it ends, Unix seconds; 0: it does not.
	Until int64
	// Count is the leaf's running count; 0 until it was first sealed. Before is
	// when the post before it ends, as the envelope says it.
	Count  uint64
	Before int64
	// Sealed is the entry as it leaves, for Epoch; absent until it was sealed.
	Sealed []byte
	Epoch  wire.Epoch
}

func outboxName(id wire.RoomID) string { return vault.Name("outbox", b64(id[:])) }

func rowName(id wire.RoomID, n uint64) string { return vault.Numbered(outboxName(id), n) }

// ownName finds the row of an own entry by the entry's id.
func ownName(id wire.RoomID, e wire.EntryID) string {
	return vault.Name("own", b64(id[:]), b64(e[:]))
}

// reserveAhead is how many generations are reserved on disk at a time.
const reserveAhead = 64

// commitBefore is the generation before which a sender commits (protocol §8).
var commitBefore uint32 = 4000

// enqueue adds a row to a room's outbox. The caller saves the room.
func (s *step) enqueue(r *room, w row) (uint64, error) {
	r.Next++
	w.N = r.Next
	s.putRow(r.ID, &w)
	id := r.ID
	s.then(func() { s.c.wakeRoom(id) })
	return w.N, nil
}

func (s *step) putRow(id wire.RoomID, w *row) { s.putUntil(rowName(id, w.N), w, w.Until) }

// rowEnded deals with a row that ended before its entry was seen. If it was
// sealed, the running count that it took must not be missing to others: an
// empty post takes its place.
func (s *step) rowEnded(due vault.Item) error {
	w := new(row)
	if err := decodeRecord(due.Value, w); err != nil || w.Count == 0 || w.Kind == kindVoid {
		return nil
	}
	id, ok := roomOfRow(due.Name)
	if !ok {
		return nil
	}
	r, err := s.room(id)
	if err != nil || r == nil || r.State != roomOK {
		return err
	}
	s.putRow(id, s.c.void(w))
	s.then(func() { s.c.wakeRoom(id) })
	return nil
}

// void is what takes the place of a row that is not to be sent any more and whose
// running count is taken.
func (c *Client) void(w *row) *row {
	return &row{N: w.N, Kind: kindVoid, Count: w.Count, Before: w.Before, Until: c.now().Add(wire.MaxTTL).Unix()}
}

// roomOfRow returns the room that a row's name belongs to.
func roomOfRow(name string) (id wire.RoomID, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return id, false
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || len(b) != len(id) {
		return id, false
	}
	return wire.RoomID(b), true
}

// dropRow removes a row and the trace of its entry.
func (s *step) dropRow(id wire.RoomID, w *row) {
	s.del(rowName(id, w.N))
	if len(w.Sealed) > 0 {
		s.del(ownName(id, wire.EntryIDOf(w.Sealed)))
	}
}

// seal encrypts a row for the room's present epoch: plaintext, ratchet step and
// row are saved in this one step, before the frame leaves (protocol §3).
func (s *step) seal(r *room, g *mls.Group, w *row) error {
	if len(w.Sealed) > 0 {
		s.del(ownName(r.ID, wire.EntryIDOf(w.Sealed)))
	}
	if w.Count == 0 {
		r.Count++
		w.Count, w.Before = r.Count, r.Ends
	}
	if err := s.countEnds(r, w); err != nil {
		return err
	}
	plain, padTo, err := envelope(r, g, w)
	if err != nil {
		return err
	}
	if w.Sealed, err = s.sealed(r, g, plain, padTo); err != nil {
		return err
	}
	w.Epoch = wire.Epoch(g.Epoch())
	s.putRow(r.ID, w)
	s.putUntil(ownName(r.ID, wire.EntryIDOf(w.Sealed)), w.N, w.Until)
	return nil
}

// sealed encrypts for the room's present epoch, and keeps the ratchet's step.
func (s *step) sealed(r *room, g *mls.Group, plain []byte, padTo int) ([]byte, error) {
	if err := s.skipReserved(r, g); err != nil {
		return nil, err
	}
	if next := g.OwnGeneration(); next >= r.Reserved {
		r.Reserved = next + reserveAhead
	}
	s.groups[r.ID] = true // from here on the group in memory is ahead of the disk
	use := keyUse{r.ID, wire.Epoch(g.Epoch()), g.OwnLeaf(), g.OwnGeneration()}
	b, err := g.Encrypt(plain, padTo)
	if err != nil {
		return nil, err
	}
	s.putRatchets(r.ID, g)
	s.putRoom(r)
	if s.c.sealed != nil {
		s.c.sealed(use, b)
	}
	return b, nil
}

// ownRow returns the row whose entry has these bytes; nil if it is not ours, or
// was dealt with.
func (s *step) ownRow(id wire.RoomID, payload []byte) (*row, error) {
	var n uint64
	ok, err := s.get(ownName(id, wire.EntryIDOf(payload)), &n)
	if err != nil || !ok {
		return nil, err
	}
	w := new(row)
	ok, err = s.get(rowName(id, n), w)
	if err != nil || !ok || !bytes.Equal(w.Sealed, payload) {
		return nil, err
	}
	return w, nil
}

// rows calls f for each row of a room's outbox in order.
func (s *step) rows(id wire.RoomID, f func(*row) (bool, error)) error {
	return s.scan(outboxName(id), func(_ string, b []byte) (bool, error) {
		w := new(row)
		if err := decodeRecord(b, w); err != nil {
			return false, err
		}
		return f(w)
	})
}

// ttlLeft returns the ttl that a post of a row states now; 0: it is over.
func ttlLeft(until int64, now time.Time) uint32 {
	if until == 0 {
		return wire.Seconds(wire.MaxTTL)
	}
	left := end(until).Sub(now)
	if left <= 0 {
		return 0
	}
	return wire.Seconds(left)
}
