package core

import (
	"context"
	"time"

	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// convID names a conversation: what people see. It outlives its rooms.
type convID [32]byte

// String returns the id as people see and type it.
func (id convID) String() string { return wire.AccountID(id).String() }

// room is what a device knows of one room: one MLS group in one log on one
// server. The group's own state is kept beside it (state.go).
type room struct {
	_      struct{} `cbor:",toarray"`
	ID     wire.RoomID
	Server string // URL
	Conv   convID

	Seat seat
	// Old is the seat before a rename: both are saved before the server is
	// asked, and until it has answered either may be the one that it knows
	// (protocol §2: try new, then old).
	Old *seat
	// Announce says that the other members have not been told of Seat yet.
	Announce bool

	// Read is the last entry whose effects are saved; nothing behind it is ever
	// acknowledged.
	Read wire.Number
	// Commit is the newest commit's number: each message of this epoch must
	// name it (protocol §1, holes).
	Commit wire.Number
	Epoch  wire.Epoch

	// Count is the running count of our leaf's newest message, Ends when that
	// ends on the server, at the earliest and by the server's clock.
	Count uint64
	Ends  int64
	// Reserved: generations below it may have been used (protocol §3).
	Reserved uint32
	// Renewed is when our leaf's keys were last made new, Unix seconds.
	Renewed int64
	// RenewAt is when to renew after joining, at a random moment; 0: by age.
	RenewAt int64

	// InvitedUntil is when to look for invitations that nobody accepted, Unix
	// seconds; 0: there are none that are ours to take back.
	InvitedUntil int64

	State roomState
	// Moving: there is something to be done for a successor, see lineage.
	Moving bool
	// Leaving: our own leave waits in the outbox or in the log.
	Leaving bool
	// Next is the number of the next row of the room's outbox.
	Next uint64
	// Bad counts the posts that did not open; Holes the holes that the server
	// stated (holes.go).
	Bad uint64
	// Noticed is the code of the last notice about the log, NoticedAt when it
	// was said, Unix seconds.
	Noticed   string
	NoticedAt int64
	Holes     uint64
	// HoleAt is when the newest hole was stated, Unix seconds by our clock, and
	// HoleAhead how far the server's was ahead then, if they did not agree.
	HoleAt, HoleAhead int64
	// Early is the newest hole, as Holes counts them, of which the server said
	// that it has entries in it which had not expired.
	Early uint64
	// Keep is the limit that the server stated last, seconds; 0: none yet.
	Keep uint32
	// ReadAt is when Read moved last, Unix seconds.
	ReadAt int64
	// Known are entries that were read, in order: the newest ones, and the newest
	// commit. With others at their numbers the log is not the same any more.
	Known []knownEntry
}

// roomState is what this device can do in a room.
type roomState uint8

const (
	roomOK roomState = iota
	// roomOutOfStep: a commit could not be applied, or the seat lapsed. Nothing
	// is posted any more.
	roomOutOfStep
	roomLeft
	roomRemoved
	// roomFounding: the room's first commit has not come back from the server
	// yet: it may not exist there.
	roomFounding
	// roomBeaten: another room for the same conversation won.
	roomBeaten
	// roomSucceeded: its log has named a successor. Nothing is posted any more;
	// it is read to its end.
	roomSucceeded
)

// seat is one device's place in a room, and what opens it.
type seat struct {
	_      struct{} `cbor:",toarray"`
	ID     wire.SeatID
	Secret wire.Secret
}

func newSeat(r wire.Region) seat { return seat{ID: wire.NewSeatID(r), Secret: wire.NewSecret()} }

func (s seat) wire(provisional bool) wire.NewSeat {
	return wire.NewSeat{ID: s.ID, Hash: s.Secret.Hash(), Provisional: provisional}
}

func roomName(id wire.RoomID) string { return vault.Name("room", b64(id[:])) }

// room returns a room's record; nil if there is none.
func (s *step) room(id wire.RoomID) (*room, error) {
	if r := s.rooms[id]; r != nil {
		return r, nil
	}
	r := new(room)
	ok, err := s.get(roomName(id), r)
	if err != nil || !ok {
		return nil, err
	}
	s.keepRoom(r)
	return r, nil
}

func (s *step) keepRoom(r *room) {
	if s.rooms == nil {
		s.rooms = make(map[wire.RoomID]*room)
	}
	s.rooms[r.ID] = r
}

func (s *step) putRoom(r *room) {
	s.keepRoom(r)
	s.put(roomName(r.ID), r)
}

// leaf is what a device knows of another member's leaf beyond the group's own
// state.
type leaf struct {
	_ struct{} `cbor:",toarray"`
	// Seat is the leaf's seat; absent until it is known.
	Seat *wire.SeatID
	// Joined says that the leaf has spoken: its device has accepted. Came is when
	// that was first seen, Unix seconds by our clock.
	Joined bool
	Came   int64
	// Count is the newest running count seen; Seen says that one was.
	Count uint64
	Seen  bool
	// Holes is how many holes the room had then.
	Holes uint64
	// Since is when the leaf was added, Unix seconds by our clock.
	Since int64
	// By is the account that added it.
	By wire.AccountID
}

// came notes that the leaf's device is in the room.
func (l *leaf) came(now time.Time) {
	l.Joined, l.Came = true, now.Unix()
}

func leafName(id wire.RoomID, i mls.LeafIndex) string {
	return vault.Numbered(vault.Name("leaf", b64(id[:])), uint64(i))
}

func (s *step) leaf(id wire.RoomID, i mls.LeafIndex) (*leaf, error) {
	l := new(leaf)
	_, err := s.get(leafName(id, i), l)
	return l, err
}

func (s *step) putLeaf(id wire.RoomID, i mls.LeafIndex, l *leaf) { s.put(leafName(id, i), l) }

// Exporter labels of a room's epoch.
const (
	labelPostToken = "hearth post token"
	labelLinkKey   = "hearth link key"
)

// exporter is a group, or a commit that leads to its next epoch.
type exporter interface {
	Export(label string, context []byte, n int) ([]byte, error)
}

// postToken returns what opens a room for posts in an epoch.
func postToken(e exporter, id wire.RoomID) (wire.Secret, error) {
	b, err := e.Export(labelPostToken, id[:], 32)
	if err != nil {
		return wire.Secret{}, err
	}
	defer clear(b)
	return wire.SecretFrom(b), nil
}

// linkKeys are the link keys of the last two epochs (protocol §5): kept beside
// the room for notices, dropped with it.
type linkKeys struct {
	_    struct{}  `cbor:",toarray"`
	Keys []linkKey // newest first, at most two
}

type linkKey struct {
	_     struct{} `cbor:",toarray"`
	Epoch wire.Epoch
	Key   wire.Secret
}

func linkName(id wire.RoomID) string { return vault.Name("link", b64(id[:])) }

// keepLinkKey saves the link key of an epoch that was just entered.
func (s *step) keepLinkKey(id wire.RoomID, g *mls.Group) error {
	b, err := g.Export(labelLinkKey, nil, 32)
	if err != nil {
		return err
	}
	defer clear(b)
	var keys linkKeys
	if _, err := s.get(linkName(id), &keys); err != nil {
		return err
	}
	keys.Keys = append([]linkKey{{Epoch: wire.Epoch(g.Epoch()), Key: wire.SecretFrom(b)}}, keys.Keys...)
	keys.Keys = keys.Keys[:min(2, len(keys.Keys))]
	s.put(linkName(id), keys)
	return nil
}

// now is the client's clock, in UTC.
func (c *Client) now() time.Time { return c.cfg.Now().UTC() }

// wait blocks until done says so, looking again after every step that was kept.
func (c *Client) wait(ctx context.Context, done func(*step) (bool, error)) error {
	for {
		changed := c.changes()
		ok := false
		err := c.look(ctx, func(s *step) (err error) {
			ok, err = done(s)
			return err
		})
		if err != nil || ok {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
