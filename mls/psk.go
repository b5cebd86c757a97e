package mls

import (
	"crypto/rand"
	"fmt"
)

// PSKType says where a pre-shared key comes from, RFC 9420 §8.4.
type PSKType uint8

// The two kinds of pre-shared key.
const (
	PSKExternal   PSKType = 1
	PSKResumption PSKType = 2
)

// PSKUsage says what a resumption PSK is for, RFC 9420 §8.4.
type PSKUsage uint8

// The uses of a resumption PSK. Only UsageApplication may appear in a commit
// of the running group; the others bind the first epoch of a new one (§11.2,
// §11.3).
const (
	UsageApplication PSKUsage = 1
	UsageReInit      PSKUsage = 2
	UsageBranch      PSKUsage = 3
)

// PSKID names a pre-shared key, RFC 9420 §8.4. ID is set for an external PSK;
// Usage, GroupID and Epoch for a resumption PSK. Nonce has the hash length of
// the suite; it is fresh for every use and not part of the key's name.
type PSKID struct {
	Type    PSKType
	ID      []byte
	Usage   PSKUsage
	GroupID []byte
	Epoch   uint64
	Nonce   []byte
}

// PSK is a pre-shared key with its name. In CommitOptions an empty Nonce is
// filled in; for receiving, the nonce is ignored. It prints as "secret".
type PSK struct {
	ID  PSKID
	key secret
}

// NewPSK names a key; the key is copied.
func NewPSK(id PSKID, key []byte) PSK { return PSK{id, newSecret(clone(key))} }

// Bytes returns a copy of the key: a secret.
func (k PSK) Bytes() []byte { return clone(k.key.bytes()) }

// Wipe overwrites the key, in all copies of this value.
func (k PSK) Wipe() { k.key.wipe() }

// Format hides the key for every verb.
func (PSK) Format(f fmt.State, _ rune) { fmt.Fprint(f, "secret") }

func (i *PSKID) encodeName(e *encoder) {
	e.u8(uint8(i.Type))
	if i.Type == PSKExternal {
		e.vec(i.ID)
		return
	}
	e.u8(uint8(i.Usage))
	e.vec(i.GroupID)
	e.u64(i.Epoch)
}

func (i *PSKID) encode(e *encoder) {
	i.encodeName(e)
	e.vec(i.Nonce)
}

func (i *PSKID) decode(d *decoder) {
	i.Type = PSKType(d.u8())
	switch i.Type {
	case PSKExternal:
		i.ID = d.vec()
	case PSKResumption:
		i.Usage = PSKUsage(d.u8())
		if d.err == nil && (i.Usage < UsageApplication || i.Usage > UsageBranch) {
			d.fail(errPSKUsage)
			return
		}
		i.GroupID = d.vec()
		i.Epoch = d.u64()
	default:
		if d.err == nil {
			d.fail(errPSKType)
		}
		return
	}
	i.Nonce = d.vec()
}

// name identifies the key itself: all but the nonce. A resumption PSK is the
// same secret whatever its use.
func (i *PSKID) name() string {
	n := *i
	if n.Type == PSKResumption {
		n.Usage = UsageApplication
	}
	var e encoder
	n.encodeName(&e)
	return string(e.b)
}

// full identifies one use of a key, nonce included: two equal ones may not
// stand in one commit (§12.2).
func (i *PSKID) full() string {
	var e encoder
	i.encode(&e)
	return string(e.b)
}

// freshNonce returns a copy with a nonce of the suite's hash length if it has none.
func (i PSKID) freshNonce(p *suiteParams) PSKID {
	if len(i.Nonce) == 0 {
		i.Nonce = make([]byte, p.nh)
		rand.Read(i.Nonce)
	}
	return i
}

// pskTable finds secrets by name.
type pskTable map[string][]byte

func newPSKTable(psks []PSK) pskTable {
	t := make(pskTable, len(psks))
	for _, k := range psks {
		t[k.ID.name()] = k.key.bytes()
	}
	return t
}

// pskSecret folds the PSKs, in order, into psk_secret, RFC 9420 §8.4. Without
// any it is a string of zeros of the hash length.
func pskSecret(p *suiteParams, ids []PSKID, table pskTable) ([]byte, error) {
	zero := make([]byte, p.nh)
	secret := make([]byte, p.nh)
	for i := range ids {
		key, ok := table[ids[i].name()]
		if !ok {
			return nil, ErrPSKUnknown
		}
		// struct { PreSharedKeyID id; uint16 index; uint16 count; } PSKLabel
		var label encoder
		ids[i].encode(&label)
		label.u16(uint16(i))
		label.u16(uint16(len(ids)))
		extracted := p.extract(zero, key)
		input := p.expandWithLabel(extracted, "derived psk", label.b, p.nh)
		clear(extracted)
		next := p.extract(input, secret)
		clear(input)
		clear(secret)
		secret = next
	}
	return secret, nil
}
