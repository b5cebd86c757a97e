package identity

import (
	"crypto/ed25519"
	"fmt"

	"hearth/wire"
)

// Label separates the uses of one key: a signature under one label is nothing
// under another. MLS signs with the same device keys under labels of its own
// (RFC 9420 §5.1.2), whose bytes begin with a length below 0x40, while all of
// ours begin with a CBOR array.
type Label string

// The labels that this package signs under.
const (
	labelEntry Label = "hearth chain entry v1"
	labelProof Label = "hearth device proof v1"
)

// The labels of other packages, in one place so that no two are the same.
const (
	// LabelRejoin is for a request to be refreshed (protocol §5).
	LabelRejoin Label = "hearth rejoin v1"
	// LabelLeave is for a signed leave (protocol §4, §6).
	LabelLeave Label = "hearth leave v1"
	// LabelAnswer is for what a device answers through a door: removed,
	// accepted, declined.
	LabelAnswer Label = "hearth answer v1"
	// LabelWrapper is for the wrapper around a Welcome (protocol §6).
	LabelWrapper Label = "hearth welcome wrapper v1"
	// LabelJoin is for a request to join by a group's link.
	LabelJoin Label = "hearth join v1"
	// LabelNotice is for what a leaf says outside of epochs (protocol §5).
	LabelNotice Label = "hearth notice v1"
	// LabelVerdict is for the answer to a request to rejoin that cannot be
	// carried out (protocol §5).
	LabelVerdict Label = "hearth rejoin verdict v1"
	// LabelLink is for a device's request to be linked to an account.
	LabelLink Label = "hearth device link request v1"
)

// labelled is what Sign and Verify cover.
type labelled struct {
	_       struct{} `cbor:",toarray"`
	Label   string
	Message []byte
}

func tbs(label Label, message []byte) []byte {
	return wire.Encode(labelled{Label: string(label), Message: message})
}

// Verify reports whether the device signed message under label. It does not
// ask whether the device is live: that depends on the chain and the caller.
func (d Device) Verify(label Label, message, signature []byte) bool {
	return ed25519.Verify(d.Key[:], tbs(label, message), signature)
}

// SignedBy checks that a device that is live at the chain's head signed message
// under label. Every failure is the same error.
func (c *Chain) SignedBy(id DeviceID, label Label, message, signature []byte) error {
	if d, ok := c.Device(id); !ok || !d.Live || !d.Verify(label, message, signature) {
		return fmt.Errorf("%w: not signed by a live device of the account", ErrInvalid)
	}
	return nil
}

// Candidate is a device that wants to be in a chain: what it hands to the
// device that adds it. Proof is its own signature over the account and itself,
// so that it cannot be added where it did not ask to be.
type Candidate struct {
	_     struct{} `cbor:",toarray"`
	ID    DeviceID
	Key   PublicKey
	Proof []byte
}

type proofTBS struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	Device  DeviceID
	Key     PublicKey
}

func (c Candidate) message(account wire.AccountID) []byte {
	return wire.Encode(proofTBS{Account: account, Device: c.ID, Key: c.Key})
}

func (c Candidate) provenFor(account wire.AccountID) bool {
	return Device{Key: c.Key}.Verify(labelProof, c.message(account), c.Proof)
}

// VerifyKnock checks an AccountKnock's signature: by a live device of the chain,
// over the connection's challenge.
func (c *Chain) VerifyKnock(challenge []byte, a wire.AccountKnock) error {
	if len(a.Device) == len(DeviceID{}) && a.Account == c.Account() {
		d, ok := c.Device(DeviceID(a.Device))
		if ok && d.Live && ed25519.Verify(d.Key[:], wire.KnockTBS(challenge, a), a.Signature) {
			return nil
		}
	}
	return fmt.Errorf("%w: a knock door not signed by a live device of the account", ErrInvalid)
}
