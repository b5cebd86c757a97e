package mls

import "bytes"

// LeafIndex numbers the leaves of a group's tree from the left, from 0. It names
// a member within one epoch only (RFC 9420 §5.3.3).
type LeafIndex uint32

// Where a leaf came from, RFC 9420 §7.2.
const (
	LeafFromKeyPackage uint8 = 1
	LeafFromUpdate     uint8 = 2
	LeafFromCommit     uint8 = 3
)

// Lifetime bounds the use of a KeyPackage's leaf, in seconds since 1970, RFC 9420
// §7.2. This package carries it and never compares it with a clock: the sender's
// side checks it before use (§7.3), receivers don't. How long a lifetime may be in
// all is for the application to set and to refuse (§7.2): the two numbers tell.
type Lifetime struct{ NotBefore, NotAfter uint64 }

// LeafNode is one member's place in the tree, RFC 9420 §7.2. Leaves are shared
// between the states of a group: read them, never change them.
type LeafNode struct {
	EncryptionKey []byte // HPKE public key
	SignatureKey  []byte
	Credential    Credential
	Capabilities  Capabilities
	Source        uint8    // LeafFromKeyPackage, LeafFromUpdate or LeafFromCommit
	Lifetime      Lifetime // with LeafFromKeyPackage only
	ParentHash    []byte   // with LeafFromCommit only
	Extensions    []Extension
	Signature     []byte
}

func (l *LeafNode) encode(e *encoder) {
	l.encodeUnsigned(e)
	e.vec(l.Signature)
}

func (l *LeafNode) encodeUnsigned(e *encoder) {
	e.vec(l.EncryptionKey)
	e.vec(l.SignatureKey)
	l.Credential.encode(e)
	l.Capabilities.encode(e)
	e.u8(l.Source)
	switch l.Source {
	case LeafFromKeyPackage:
		e.u64(l.Lifetime.NotBefore)
		e.u64(l.Lifetime.NotAfter)
	case LeafFromCommit:
		e.vec(l.ParentHash)
	}
	encodeExtensions(e, l.Extensions)
}

func (l *LeafNode) decode(d *decoder) {
	l.EncryptionKey = d.vec()
	l.SignatureKey = d.vec()
	l.Credential.decode(d)
	l.Capabilities.decode(d)
	l.Source = d.u8()
	switch l.Source {
	case LeafFromKeyPackage:
		l.Lifetime = Lifetime{NotBefore: d.u64(), NotAfter: d.u64()}
	case LeafFromUpdate:
	case LeafFromCommit:
		l.ParentHash = d.vec()
	default:
		d.fail(invalid("§7.2", "the leaf's source is not one of the three"))
	}
	l.Extensions = decodeExtensions(d)
	l.Signature = d.vec()
}

// Marshal returns the leaf's encoding.
func (l *LeafNode) Marshal() []byte { return marshal(l) }

// ParseLeafNode reads a leaf. It checks the form only; what the leaf is worth
// is checked where it is used.
func ParseLeafNode(b []byte) (*LeafNode, error) {
	l := new(LeafNode)
	if err := unmarshal(b, l); err != nil {
		return nil, err
	}
	return l, nil
}

// Equal says whether two leaves have the same encoding.
func (l *LeafNode) Equal(o *LeafNode) bool { return bytes.Equal(marshal(l), marshal(o)) }

// copy returns a leaf that can be given new keys and signed again: its slices
// are shared, so they are replaced, never written to.
func (l *LeafNode) copy() *LeafNode {
	c := *l
	return &c
}

// signedContent is LeafNodeTBS, RFC 9420 §7.2. A leaf made for a group is bound
// to it and to its place there.
func (l *LeafNode) signedContent(groupID []byte, index LeafIndex) []byte {
	var e encoder
	l.encodeUnsigned(&e)
	if l.Source == LeafFromUpdate || l.Source == LeafFromCommit {
		e.vec(groupID)
		e.u32(uint32(index))
	}
	return e.b
}

const leafLabel = "LeafNodeTBS"

// sign puts in the key's public half and the signature. For a leaf with source
// LeafFromKeyPackage, groupID and index don't count.
func (l *LeafNode) sign(p *suiteParams, key *SignatureKey, groupID []byte, index LeafIndex) error {
	l.SignatureKey = key.pub
	sig, err := p.signWithLabel(key.priv.bytes(), leafLabel, l.signedContent(groupID, index))
	if err != nil {
		return err
	}
	l.Signature = sig
	return nil
}

// verifySignature is the signature check of RFC 9420 §7.3.
func (l *LeafNode) verifySignature(p *suiteParams, groupID []byte, index LeafIndex) error {
	if p.verifyWithLabel(l.SignatureKey, leafLabel, l.signedContent(groupID, index), l.Signature) != nil {
		return invalid("§7.3", "a leaf's signature does not verify")
	}
	return nil
}
