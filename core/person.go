package core

import (
	"hearth/core/letter"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// person is what this account knows of another one.
type person struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	// Handle is the public name under which a server's directory showed this
	// account, or by which a fellow member was introduced (names.go); it proves
	// nothing beyond that.
	Handle string
	// Chain is the longest device chain seen, verified whole.
	Chain [][]byte
	// Doors are where this person can be reached, as they said so themselves.
	Doors []address
	// Fellow are the doors that an inviter named for a fellow member.
	Fellow []address
	// Knocks are the public doors that a directory showed.
	Knocks []address
	// Verified says that a link or a safety number tied the account to the
	// person, not a server.
	Verified bool
	// Contact says that this account has accepted or addressed the person.
	Contact bool
	Blocked bool
	// Decided is when this account last changed one of these, Unix milliseconds.
	Decided int64

	// shown says that a directory has just answered for the person. It is not kept.
	shown bool
}

// address is a door of somebody else, and what opens it.
type address = letter.Door

func personName(id wire.AccountID) string { return vault.Name("person", b64(id[:])) }

// person returns what is known of an account; never nil.
func (s *step) person(id wire.AccountID) (*person, error) {
	p := &person{Account: id}
	_, err := s.get(personName(id), p)
	return p, err
}

// putPerson keeps what is known of a person, and tells this account's other
// devices what it has decided (sync.go).
func (s *step) putPerson(p *person) {
	if err := s.sharePerson(p); err != nil {
		s.failed = err
	}
	s.put(personName(p.Account), p)
}

// chain returns a person's verified chain; nil if none is known.
func (p *person) chain() (*identity.Chain, error) {
	if len(p.Chain) == 0 {
		return nil, nil
	}
	return identity.VerifyFor(p.Account, p.Chain)
}

// live reports whether a device is one of the person's, by all that is known.
func (p *person) live(id identity.DeviceID) (bool, error) {
	c, err := p.chain()
	if err != nil || c == nil {
		return false, err
	}
	d, ok := c.Device(id)
	return ok && d.Live, nil
}

// learnChain keeps a chain if it leads further than the one that is known. It
// reports whether the two agree: neither forks from the other.
func (p *person) learnChain(c *identity.Chain) (bool, error) {
	known, err := p.chain()
	if err != nil {
		return false, err
	}
	if known == nil || c.Extends(known) {
		p.Chain = c.Entries()
		return true, nil
	}
	return known.Extends(c), nil
}

// show names a person as people see them: by handle, else by account id.
func (s *step) show(id wire.AccountID) (string, error) {
	if me, err := s.account(); err == nil && me != nil && me.ID == id {
		if me.Handle() != "" {
			return me.Handle(), nil
		}
		return id.String(), nil
	}
	p, err := s.person(id)
	if err != nil {
		return "", err
	}
	if p.Handle != "" {
		return p.Handle, nil
	}
	return id.String(), nil
}
