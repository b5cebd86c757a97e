package core

import (
	"hearth/core/vault"
	"hearth/wire"
)

// A plan is a change of a group that this device wants to make. It outlives the
// commits that try to bring it about: when another member's commit comes first,
// the plan is staged again on what that left (protocol §3).
type plan struct {
	_ struct{} `cbor:",toarray"`
	N uint64
	// Found: the room's first commit, which creates it.
	Found bool
	// Add lists devices to invite, by their KeyPackages.
	Add []invitee
	// Remove lists accounts to take out, with all their leaves.
	Remove []wire.AccountID
	// Settings to change; nil: unchanged.
	Name      *string
	Limit     *uint32
	Retention *uint32 // seconds; 0: keep
	// Promote and role changes come through Roles.
	Roles []roleChange
	// Evidence lets a member do what its role does not: see roster.
	Evidence [][]byte
	// Revoke takes out the leaves of devices that are known to be revoked, as
	// every other commit of ours does, too.
	Revoke bool
	// Renew only makes the leaf's keys new.
	Renew bool
	// Traced switches traced posts on or off (protocol §1).
	Traced *bool
	// Succeeds: the room that Found begins takes the place of another.
	Succeeds *succeeds
}

type roleChange struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	Role    uint8
}

// invitee is one device to invite.
type invitee struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	// Package is the KeyPackage claimed from the device's door.
	Package []byte
	Chain   [][]byte
	Door    address
	// First is the message that a stranger sees before accepting: the content
	// as it also stands in the room.
	First []byte
	// Link is set when the door was learned from a link: it is accepted at
	// once there.
	Link wire.Secret
}

func planName(id wire.RoomID) string { return vault.Name("plan", b64(id[:])) }

// saga is a staged commit on its way (protocol §3). Its bytes, the staged next
// state, the new seats and all Welcomes are saved in one step before it leaves.
// The first entry that leaves its epoch decides.
type saga struct {
	_       struct{} `cbor:",toarray"`
	Plan    plan
	Base    wire.Epoch // the epoch that the commit leaves
	Pending []byte     // mls.PendingCommit: a secret
	Message []byte     // the commit's bytes
	NewHash wire.SecretHash
	Add     []wire.NewSeat
	Remove  []wire.SeatID
	Traced  bool // the room's mode, as the conversation's state has it
	// Leaves are the seats given to the leaves that the commit adds, in the
	// order of Add.
	Leaves []addedLeaf
	// State is the conversation's new state, encoded; empty: unchanged.
	State []byte
	// Founding is the founding of a successor, encoded; Room is that successor.
	Founding []byte
	Room     wire.RoomID
	// Welcomes leave once the commit was seen.
	Welcomes []parcel
	// Blob is the sealed ratchet tree that the Welcomes point to.
	Blob   []byte
	BlobID wire.BlobID
}

type addedLeaf struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	Index   uint32
	Seat    wire.SeatID
}

// delivery is what is left to do once a commit was seen: the tree to upload,
// then the Welcomes to send.
type delivery struct {
	_        struct{} `cbor:",toarray"`
	N        uint64
	Room     wire.RoomID
	Server   string
	Blob     []byte
	BlobID   wire.BlobID
	Welcomes []parcel
}

func deliveryName(id wire.RoomID) string { return vault.Name("delivery", b64(id[:])) }

// parcel is something for somebody's door.
type parcel struct {
	_       struct{} `cbor:",toarray"`
	To      address
	Payload []byte // sealed
	Until   int64
}

func sagaName(id wire.RoomID) string { return vault.Name("saga", b64(id[:])) }

// saga returns the room's staged commit; nil if there is none.
func (s *step) saga(id wire.RoomID) (*saga, error) {
	g := new(saga)
	ok, err := s.get(sagaName(id), g)
	if err != nil || !ok {
		return nil, err
	}
	return g, nil
}

// plan adds a plan to a room's list and wakes its sender. The caller saves the
// room.
func (s *step) plan(r *room, p plan) uint64 {
	r.Next++
	p.N = r.Next
	s.put(vault.Numbered(planName(r.ID), p.N), p)
	id := r.ID
	s.then(func() { s.c.wakeRoom(id) })
	return p.N
}

// firstPlan returns the oldest plan of a room; nil if there is none.
func (s *step) firstPlan(id wire.RoomID) (p *plan, err error) {
	err = s.scan(planName(id), func(_ string, b []byte) (bool, error) {
		p = new(plan)
		return false, decodeRecord(b, p)
	})
	return p, err
}

func planRecord(id wire.RoomID, n uint64) string { return vault.Numbered(planName(id), n) }

func (s *step) dropPlan(id wire.RoomID, n uint64) { s.del(planRecord(id, n)) }
