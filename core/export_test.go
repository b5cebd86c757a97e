package core

import (
	"context"

	"hearth/content"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// What an evil member needs of its own client, for the tests outside of the
// package.

// Suite is that of every group.
const Suite = suite

// Limits are those of every group.
func Limits() mls.Limits { return limits() }

// Inside is what a member holds of one conversation.
type Inside struct {
	Group  *mls.Group // a copy, in the room's present epoch
	Roster *roster.Roster
	Server string
	Room   wire.RoomID
	Conv   [32]byte
	Seat   wire.SeatID
	Secret wire.Secret
	Commit wire.Number // the newest
	Count  uint64      // of the leaf's newest message
}

// Inside returns what the client holds of a conversation, by its id as text.
func (c *Client) Inside(conversation string) (in Inside, err error) {
	err = c.look(context.Background(), func(s *step) error {
		id, _ := parseConv(conversation)
		cv, err := s.conv(id)
		if err != nil || cv == nil {
			return errNoRoom
		}
		r, err := s.room(cv.Room)
		if err != nil {
			return err
		}
		g, err := s.group(r.ID)
		if err != nil {
			return err
		}
		if in.Group, err = mls.ParseGroup(g.MarshalEpoch(), g.MarshalRatchets()); err != nil {
			return err
		}
		in.Roster, err = s.roster(r.ID)
		in.Server, in.Room, in.Conv, in.Commit, in.Count = r.Server, r.ID, id, r.Commit, r.Count
		in.Seat, in.Secret = r.Seat.ID, r.Seat.Secret
		return err
	})
	return in, err
}

// SeatOf returns the seat that the client holds for another member's leaf.
func (c *Client) SeatOf(conversation string, i mls.LeafIndex) (id wire.SeatID, err error) {
	err = c.look(context.Background(), func(s *step) error {
		conv, _ := parseConv(conversation)
		cv, err := s.conv(conv)
		if err != nil {
			return err
		}
		l, err := s.leaf(cv.Room, i)
		if err == nil && l.Seat != nil {
			id = *l.Seat
		}
		return err
	})
	return id, err
}

// Identity returns the account's device key, its chain and what the device
// brings to a group.
func (c *Client) Identity() (key identity.DeviceKey, chain *identity.Chain, member mls.Member, err error) {
	err = c.look(context.Background(), func(s *step) error {
		a, err := s.me()
		if err != nil {
			return err
		}
		if key, err = a.key(); err != nil {
			return err
		}
		if chain, err = a.chain(); err != nil {
			return err
		}
		member, err = a.member()
		return err
	})
	return key, chain, member, err
}

// PostToken is what opens a room for posts in an epoch.
func PostToken(e exporter, room wire.RoomID) (wire.Secret, error) { return postToken(e, room) }

// CommitHash is what envelopes of an epoch name.
func CommitHash(g *mls.Group) [32]byte { return commitHash(g) }

// Announcement is the body of content.KindAnnounce.
func Announcement(seat wire.SeatID) []byte { return wire.Encode(announcement{Seat: seat}) }

// KindVoid is an envelope that only counts.
const KindVoid content.EnvelopeKind = kindVoid

// OpenPackage reads what a door handed out.
func OpenPackage(at letter.Door, b []byte) (kp []byte, chain [][]byte, err error) {
	return openPackage(at, b)
}

// LinkKey is what seals notices of an epoch.
func LinkKey(e exporter) wire.Secret {
	b, err := e.Export(labelLinkKey, nil, 32)
	if err != nil {
		panic(err)
	}
	return wire.SecretFrom(b)
}

// Doors are those by which a person is reached in groups.
func (c *Client) Doors(account wire.AccountID) (at []letter.Door, err error) {
	err = c.look(context.Background(), func(s *step) error {
		p, err := s.person(account)
		at = append(append(at, p.Fellow...), p.Doors...)
		return err
	})
	return at, err
}
