package core

import (
	"hearth/content"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// By which handle a fellow member is shown is said inside the group: whoever
// adds people tells the others, and tells those who join. A directory is never
// asked about the members of a group: the questions would tell its server who
// is in a room together. What a member says here only names; who writes to a
// handle still asks the directory, whose answer comes before it.

// card is the body of a content.KindCard: the people that its sender added.
type card struct {
	_     struct{} `cbor:",toarray"`
	Names []named
}

// named is an account and the handle by which the sender found it.
type named struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	Handle  string
}

// toldName finds the account that was named by a handle without a directory.
func toldName(handle string) string { return vault.Name("told", b64([]byte(handle))) }

// sendNames tells a group the handles of those whom a commit of ours added.
func (s *step) sendNames(r *room, after *roster.Roster, added []mls.MemberInfo) error {
	var c card
	for _, m := range added {
		l, ok := after.Leaf(m.Index)
		if !ok {
			continue
		}
		p, err := s.person(l.Account)
		if err != nil {
			return err
		}
		if p.Handle != "" {
			c.Names = append(c.Names, named{Account: l.Account, Handle: p.Handle})
		}
	}
	if len(c.Names) == 0 {
		return nil
	}
	_, err := s.enqueue(r, row{Kind: content.KindCard, Body: wire.Encode(c), Until: s.keepUntil(after.State())})
	return err
}

// hearCard takes names from whoever added the people named, and of those who
// came together with us or before us, from the owners and admins.
func (s *step) hearCard(r *room, ro *roster.Roster, from roster.Leaf, body []byte) (bool, error) {
	var c card
	if wire.Decode(body, &c) != nil || len(c.Names) > wire.MaxSeats {
		return false, nil
	}
	st := ro.State()
	sender, _ := st.Member(from.Account)
	leads := sender.Role == roster.RoleOwner || sender.Role == roster.RoleAdmin
	for _, n := range c.Names {
		for _, l := range ro.LeavesOf(n.Account) {
			known, err := s.leaf(r.ID, l.Index)
			if err != nil {
				return false, err
			}
			if known.By != from.Account && (known.By != wire.AccountID{} || !leads) {
				continue
			}
			if err := s.learnName(n.Account, n.Handle); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// learnName keeps a handle that a member told, unless a better source named
// either the person or the handle.
func (s *step) learnName(account wire.AccountID, handle string) error {
	h, err := identity.ParseHandle(handle)
	if err != nil || h.String() != handle {
		return nil
	}
	me, err := s.me()
	if err != nil || account == me.ID || handle == me.Handle() {
		return err
	}
	p, err := s.person(account)
	if err != nil || p.Handle != "" {
		return err
	}
	for _, name := range []string{handleName(handle), toldName(handle)} {
		if taken, err := s.has(name); err != nil || taken {
			return err
		}
	}
	p.Handle = handle
	s.putPerson(p)
	s.put(toldName(handle), account)
	return nil
}

// proveName makes way for the account that a directory shows under a handle: a
// name that a member told somebody else by is taken back.
func (s *step) proveName(handle string, proven wire.AccountID) error {
	var told wire.AccountID
	ok, err := s.get(toldName(handle), &told)
	if err != nil || !ok {
		return err
	}
	s.del(toldName(handle))
	if told == proven {
		return nil
	}
	p, err := s.person(told)
	if err != nil {
		return err
	}
	if p.Handle == handle {
		p.Handle = ""
		s.putPerson(p)
	}
	return nil
}
