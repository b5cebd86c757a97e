package core

import (
	"bytes"

	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

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
	doors, err := s.ownDoors(after.State().Kind)
	if err != nil {
		return err
	}
	table, err := s.table(r, before, doors)
	if err != nil {
		return err
	}
	tree := letter.Tree{Ratchet: pending.RatchetTree(), Chains: after.Chains()}
	if len(wire.Encode(table)) > maxTable {
		tree.Places, table = table, nil
	}
	blob, ref, err := letter.SealTree(tree)
	if err != nil {
		return err
	}
	sg.Blob, sg.BlobID = blob, wire.BlobIDOf(r.ID.Region(), blob)
	ref.Blob = sg.BlobID
	until := s.c.now().Add(wire.MaxTTL).Unix()
	for _, m := range added {
		if m.KeyPackage == nil {
			continue
		}
		inv := inviteeOf(p, m.KeyPackage)
		if inv == nil {
			continue
		}
		st := newSeat(r.ID.Region())
		sg.Add = append(sg.Add, st.wire(true))
		sg.Leaves = append(sg.Leaves, addedLeaf{Account: inv.Account, Index: uint32(m.Index), Seat: st.ID})
		w := letter.Wrapper{
			Welcome: pending.Welcome(m.KeyPackage.Ref()), Tree: ref,
			Server: r.Server, Room: r.ID, Epoch: wire.Epoch(pending.Staged().Epoch()),
			Seat: st.ID, SeatSecret: st.Secret, State: after.State().Encode(),
			Account: me.ID, Chain: me.Chain, Doors: doors, Places: table, Link: inv.Link,
		}
		if p.Succeeds != nil {
			w.Old, w.Founding = p.Succeeds.Old, sg.Founding
		}
		if len(inv.First) > 0 {
			w.First = &letter.First{Content: inv.First}
		}
		body, err := letter.SealWelcome(m.KeyPackage, key, w)
		if err != nil {
			return err
		}
		payload, err := letter.Seal(inv.Door, letter.KindWelcome, body)
		if err != nil {
			return err
		}
		sg.Welcomes = append(sg.Welcomes, parcel{To: inv.Door, Payload: payload, Until: until})
	}
	return nil
}

// maxTable is the largest table of places that travels in each wrapper; a larger
// one travels once, with the tree.
const maxTable = 8 << 10

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
	if kind == roster.Self {
		return []address{private.address(forSiblings)}, nil
	}
	own := []address{private.address(forContacts)}
	if kind != roster.Direct {
		own[0] = private.address(forFellows)
	}
	me, err := s.me()
	if err != nil {
		return nil, err
	}
	siblings, err := s.siblings(me)
	if err != nil {
		return nil, err
	}
	for _, d := range siblings[:min(len(siblings), maxDoors-1)] {
		at := d.Contact
		if kind != roster.Direct {
			at = d.Fellow
		}
		if at.Server != "" {
			own = append(own, at)
		}
	}
	return own, nil
}

// table is what a joiner is told of those who are there: seats and, in groups,
// doors (protocol §6).
func (s *step) table(r *room, ro *roster.Roster, own []address) ([]letter.Place, error) {
	g, err := s.group(r.ID)
	if err != nil {
		return nil, err
	}
	var out []letter.Place
	for _, l := range ro.Leaves() {
		if l.Index == g.OwnLeaf() {
			k := letter.Place{Leaf: uint32(l.Index), Seat: r.Seat.ID, Doors: own}
			if ro.State().Kind == roster.Group {
				me, err := s.me()
				if err != nil {
					return nil, err
				}
				k.Handle = me.Handle()
			}
			out = append(out, k)
			continue
		}
		known, err := s.leaf(r.ID, l.Index)
		if err != nil {
			return nil, err
		}
		k := letter.Place{Leaf: uint32(l.Index)}
		if known.Joined && known.Seat != nil {
			k.Seat = *known.Seat
		}
		if ro.State().Kind == roster.Group {
			p, err := s.person(l.Account)
			if err != nil {
				return nil, err
			}
			k.Doors, k.Handle = p.Fellow, p.Handle
		}
		if ro.State().Kind == roster.Direct {
			p, err := s.person(l.Account)
			if err != nil {
				return nil, err
			}
			k.Doors = p.Doors // for a device of ours that comes
		}
		out = append(out, k)
	}
	return out, nil
}

// ship puts a parcel into the outbox of its door.
func (s *step) ship(p parcel) error {
	name := shelfName(p.To.ID)
	var n uint64
	if _, err := s.get(name, &n); err != nil {
		return err
	}
	n++
	s.put(name, n)
	s.putUntil(vault.Numbered(parcelsName(p.To.ID), n), p, p.Until)
	id := p.To.ID
	s.then(func() { s.c.wakeParcels(id) })
	return nil
}

func parcelsName(id wire.RoomID) string { return vault.Name("parcel", b64(id[:])) }

func shelfName(id wire.RoomID) string { return vault.Name("parcels", b64(id[:])) }
