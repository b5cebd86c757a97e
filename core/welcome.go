package core

import (
	"bytes"

	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// treeBlob is what a joiner fetches beside its Welcome: the ratchet tree and the
// chains of all members.
type treeBlob struct {
	_      struct{} `cbor:",toarray"`
	Tree   []byte
	Chains [][]byte // each the encoding of a list of entries
}

// welcomes writes the invitations of a commit: each is sealed to its joiner's
// door alone and carries a seat of its own.
func (s *step) welcomes(r *room, before, after *roster.Roster, p *plan, pending *mls.PendingCommit, sg *saga) error {
	added := pending.Staged().Changes().Added
	if len(added) == 0 {
		return nil
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	tree := treeBlob{Tree: pending.RatchetTree()}
	for _, c := range after.Chains() {
		tree.Chains = append(tree.Chains, wire.Encode(c))
	}
	treeKey := wire.NewSecret()
	sg.Blob = sealTree(treeKey, wire.Encode(tree))
	if len(sg.Blob) > wire.MaxBlob {
		return wire.Errorf(wire.Full, "the group is too large")
	}
	sg.BlobID = wire.BlobIDOf(r.ID.Region(), sg.Blob)
	doors, err := s.ownDoors(after.State().Kind)
	if err != nil {
		return err
	}
	table, err := s.table(r, before, doors)
	if err != nil {
		return err
	}
	until := s.c.now().Add(wire.MaxTTL).Unix()
	for _, m := range added {
		if m.KeyPackage == nil {
			continue
		}
		ref := m.KeyPackage.Ref()
		inv := inviteeOf(p, m.KeyPackage)
		if inv == nil {
			continue
		}
		st := newSeat(r.ID.Region())
		sg.Add = append(sg.Add, st.wire(true))
		sg.Leaves = append(sg.Leaves, addedLeaf{Account: inv.Account, Index: uint32(m.Index), Seat: st.ID})
		letter := invitation{
			Welcome: pending.Welcome(ref), Ref: ref, Room: r.ID, Server: r.Server, Seat: st,
			State: after.State().Encode(), Tree: sg.BlobID, TreeKey: treeKey,
			From: me.ID, Chain: me.Chain, Doors: doors, First: inv.First, Link: inv.Link, Seats: table,
			Sent: s.c.now().UnixMilli(),
		}
		payload, err := sealInvitation(inv.Door, key, letter)
		if err != nil {
			return err
		}
		sg.Welcomes = append(sg.Welcomes, parcel{To: inv.Door, Payload: payload, Until: until})
	}
	return nil
}

func inviteeOf(p *plan, kp *mls.KeyPackage) *invitee {
	b := kp.Marshal()
	for i := range p.Add {
		if bytes.Equal(p.Add[i].Package, b) {
			return &p.Add[i]
		}
	}
	return nil
}

// ownDoors returns our doors as members of a conversation may use them.
func (s *step) ownDoors(kind roster.Kind) ([]address, error) {
	_, private, err := s.doors()
	if err != nil || private == nil {
		return nil, err
	}
	if kind == roster.Direct {
		return []address{private.address(forContacts)}, nil
	}
	return []address{private.address(forFellows)}, nil
}

// table is what a joiner is told of those who are there: seats and, in groups,
// doors (protocol §6).
func (s *step) table(r *room, ro *roster.Roster, own []address) ([]knownLeaf, error) {
	g, err := s.group(r.ID)
	if err != nil {
		return nil, err
	}
	var out []knownLeaf
	for _, l := range ro.Leaves() {
		if l.Index == g.OwnLeaf() {
			out = append(out, knownLeaf{Index: uint32(l.Index), Seat: &r.Seat.ID, Joined: true, Doors: own})
			continue
		}
		known, err := s.leaf(r.ID, l.Index)
		if err != nil {
			return nil, err
		}
		k := knownLeaf{Index: uint32(l.Index), Seat: known.Seat, Joined: known.Joined}
		if ro.State().Kind == roster.Group {
			p, err := s.person(l.Account)
			if err != nil {
				return nil, err
			}
			k.Doors = p.Fellow
		}
		out = append(out, k)
	}
	return out, nil
}

// ship puts a parcel into the outbox of its door.
func (s *step) ship(p parcel) error {
	name := shelfName(p.To.Door)
	var n uint64
	if _, err := s.get(name, &n); err != nil {
		return err
	}
	n++
	s.put(name, n)
	s.putUntil(vault.Numbered(vault.Name("parcel", b64(p.To.Door[:])), n), p, p.Until)
	id := p.To.Door
	s.then(func() { s.c.wakeParcels(id) })
	return nil
}

func shelfName(id wire.RoomID) string { return vault.Name("parcels", b64(id[:])) }

// chainsOf reads the chains of a tree blob.
func (t *treeBlob) chains() ([][][]byte, error) {
	if len(t.Chains) > roster.MaxLimit {
		return nil, errUnsealed
	}
	var out [][][]byte
	for _, b := range t.Chains {
		var entries [][]byte
		if err := wire.Decode(b, &entries); err != nil || len(entries) > identity.MaxEntries {
			return nil, errUnsealed
		}
		out = append(out, entries)
	}
	return out, nil
}
