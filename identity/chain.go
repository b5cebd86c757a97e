package identity

import (
	"fmt"

	"hearth/wire"
)

// Chain is an account's device chain, verified whole: an append-only list of
// signed entries. A *Chain never changes; Append returns another.
//
// Invariants: steps is not empty; step i has Number i+1 and Prev the hash of
// step i-1; each was signed by a device live just before it, or by the recovery
// key of that point. Entries that a recovery-signed one has voided are not in
// it.
type Chain struct {
	steps []*step
}

// Verify checks a chain from its first entry on. The error wraps ErrInvalid or
// ErrNotNext.
func Verify(entries [][]byte) (*Chain, error) {
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: a chain without entries", ErrInvalid)
	}
	c, err := first(entries[0])
	if err != nil {
		return nil, err
	}
	for _, raw := range entries[1:] {
		n := len(c.steps)
		if c, err = c.Append(raw); err != nil {
			return nil, err
		}
		if len(c.steps) != n+1 {
			return nil, fmt.Errorf("%w: a chain that holds voided entries", ErrInvalid)
		}
	}
	return c, nil
}

// VerifyFor is Verify for a chain that must be account's.
func VerifyFor(account wire.AccountID, entries [][]byte) (*Chain, error) {
	c, err := Verify(entries)
	if err == nil && c.Account() != account {
		return nil, fmt.Errorf("%w: the chain is another account's", ErrInvalid)
	}
	return c, err
}

// first checks a first entry, which the device that it names must have signed.
func first(raw []byte) (*Chain, error) {
	s, err := parseStep(raw)
	if err != nil {
		return nil, err
	}
	b, ok := s.body.(*createBody)
	switch {
	case !ok || s.Number != 1 || s.Prev != (Hash{}):
		return nil, fmt.Errorf("%w: a chain that does not begin with a first entry", ErrInvalid)
	case string(s.Signer) != string(b.Device[:]) || !s.signedBy(b.Key):
		return nil, fmt.Errorf("%w: a first entry that its device did not sign", ErrInvalid)
	case b.Recovery == b.Key:
		return nil, fmt.Errorf("%w: a first entry whose recovery key is its device's key", ErrInvalid)
	}
	if err := CheckServer(b.Server); err != nil {
		return nil, err
	}
	s.pos = Position{Length: 1}
	return &Chain{steps: []*step{s}}, nil
}

// Append returns the chain with one entry more. A device-signed entry must
// follow the head. A recovery-signed one may follow any entry behind the last
// recovery-signed one, and voids the device-signed entries after it
// (protocol §7). The error wraps ErrNotNext when the entry follows another
// head, and ErrInvalid when it is wrong in itself.
func (c *Chain) Append(raw []byte) (*Chain, error) {
	s, err := parseStep(raw)
	if err != nil {
		return nil, err
	}
	at := int(s.Number) - 1 // how many entries stay
	if s.Kind == KindCreate || at < 1 {
		return nil, fmt.Errorf("%w: a first entry in the middle of a chain", ErrInvalid)
	}
	if at > len(c.steps) || c.steps[at-1].hash != s.Prev {
		return nil, ErrNotNext
	}
	if at >= MaxEntries {
		return nil, fmt.Errorf("%w: the chain has its %d entries", ErrInvalid, MaxEntries)
	}
	for _, voided := range c.steps[at:] {
		// §7: only device-signed entries are voided, only by the recovery key.
		if !s.byRecovery() || voided.byRecovery() {
			return nil, ErrNotNext
		}
	}
	base := &Chain{steps: c.steps[:at:at]}
	if err := base.check(s); err != nil {
		return nil, err
	}
	s.pos = base.Position()
	s.pos.Length++
	if s.byRecovery() {
		s.pos.Recovery++
	}
	return &Chain{steps: append(base.steps, s)}, nil
}

// check judges an entry that follows the head of c: its signature and whether
// it may do what it says.
func (c *Chain) check(s *step) error {
	if c.Closed() {
		return fmt.Errorf("%w: an entry behind the one that closed the account", ErrInvalid)
	}
	key := c.Recovery()
	if !s.byRecovery() {
		d, ok := c.Device(DeviceID(s.Signer))
		if !ok || !d.Live {
			return fmt.Errorf("%w: an entry signed by a device that the chain does not hold or has revoked", ErrInvalid)
		}
		key = d.Key
	}
	if !s.signedBy(key) {
		return fmt.Errorf("%w: an entry's signature", ErrInvalid)
	}
	switch b := s.body.(type) {
	case *addBody:
		return c.checkAdd(b)
	case *revokeBody:
		d, ok := c.Device(b.Device)
		if !ok || !d.Live {
			return fmt.Errorf("%w: an entry that revokes a device that is not live", ErrInvalid)
		}
		// Without a live device only the recovery key can go on, so only it may
		// bring that about.
		if !s.byRecovery() && c.live() == 1 {
			return fmt.Errorf("%w: a device may not revoke the last live device", ErrInvalid)
		}
	case *recoveryBody:
		// §7: only the recovery key replaces itself.
		if !s.byRecovery() {
			return fmt.Errorf("%w: a recovery key set by a device", ErrInvalid)
		}
		if b.Recovery == c.Recovery() {
			return fmt.Errorf("%w: a recovery key replaced by itself", ErrInvalid)
		}
		if c.usesKey(b.Recovery) {
			return fmt.Errorf("%w: a recovery key that is a device's key", ErrInvalid)
		}
	case *moveBody:
		return CheckServer(b.Server)
	}
	return nil
}

func (c *Chain) checkAdd(b *addBody) error {
	if _, ok := c.Device(b.Device); ok {
		return fmt.Errorf("%w: an entry that adds a device id a second time", ErrInvalid)
	}
	if c.usesKey(b.Key) || b.Key == c.Recovery() {
		return fmt.Errorf("%w: an entry that adds a key a second time", ErrInvalid)
	}
	if c.live() >= MaxDevices {
		return fmt.Errorf("%w: the account has its %d devices: revoke one first", ErrInvalid, MaxDevices)
	}
	if !(Candidate{ID: b.Device, Key: b.Key, Proof: b.Proof}).provenFor(c.Account()) {
		return fmt.Errorf("%w: an entry that adds a device without its consent", ErrInvalid)
	}
	return nil
}

// Account returns the account's id: the SHA-256 of the first entry.
func (c *Chain) Account() wire.AccountID { return wire.AccountID(c.steps[0].hash) }

// Head returns the hash of the newest entry.
func (c *Chain) Head() Hash { return c.steps[len(c.steps)-1].hash }

// Position returns how far the chain has got.
func (c *Chain) Position() Position { return c.steps[len(c.steps)-1].pos }

// Len returns the number of entries.
func (c *Chain) Len() int { return len(c.steps) }

// Entries returns a copy of the entries' bytes, the first one first.
func (c *Chain) Entries() [][]byte { return c.EntriesFrom(0) }

// EntriesFrom returns a copy of the entries behind the first n.
func (c *Chain) EntriesFrom(n int) [][]byte {
	var out [][]byte
	for _, s := range c.steps[min(n, len(c.steps)):] {
		out = append(out, append([]byte(nil), s.raw...))
	}
	return out
}

// Contains reports whether the entry with this hash is in the chain.
func (c *Chain) Contains(h Hash) bool {
	for _, s := range c.steps {
		if s.hash == h {
			return true
		}
	}
	return false
}

// Prefix returns the chain as it was at p; false if it was never there.
func (c *Chain) Prefix(p Position) (*Chain, bool) {
	n := int(p.Length)
	if n < 1 || n > len(c.steps) || c.steps[n-1].pos != p {
		return nil, false
	}
	return &Chain{steps: c.steps[:n:n]}, true
}

// Closed reports whether the account has ended.
func (c *Chain) Closed() bool { return c.steps[len(c.steps)-1].Kind == KindClosed }

// Server returns the URL of the account's home server.
func (c *Chain) Server() string {
	for i := len(c.steps) - 1; ; i-- {
		switch b := c.steps[i].body.(type) {
		case *moveBody:
			return b.Server
		case *createBody:
			return b.Server
		}
	}
}

// Recovery returns the recovery key's public half.
func (c *Chain) Recovery() PublicKey {
	for i := len(c.steps) - 1; ; i-- {
		switch b := c.steps[i].body.(type) {
		case *recoveryBody:
			return b.Recovery
		case *createBody:
			return b.Recovery
		}
	}
}

// Devices returns every device that the chain ever held, revoked ones too, in
// the order in which they were added.
func (c *Chain) Devices() []Device {
	var out []Device
	for _, s := range c.steps {
		switch b := s.body.(type) {
		case *createBody:
			out = append(out, Device{ID: b.Device, Key: b.Key, Live: true, Added: s.pos})
		case *addBody:
			out = append(out, Device{ID: b.Device, Key: b.Key, Live: true, Added: s.pos})
		case *revokeBody:
			for i := range out {
				if out[i].ID == b.Device {
					out[i].Live = false
				}
			}
		case *closedBody:
			for i := range out {
				out[i].Live = false
			}
		}
	}
	return out
}

// Device returns the device with this id; false if the chain never held it.
func (c *Chain) Device(id DeviceID) (Device, bool) {
	for _, d := range c.Devices() {
		if d.ID == id {
			return d, true
		}
	}
	return Device{}, false
}

func (c *Chain) live() (n int) {
	for _, d := range c.Devices() {
		if d.Live {
			n++
		}
	}
	return n
}

func (c *Chain) usesKey(key PublicKey) bool {
	for _, d := range c.Devices() {
		if d.Key == key {
			return true
		}
	}
	return false
}
