package letter

import (
	"hearth/identity"
	"hearth/wire"
)

// Rejoin asks to be put back into a conversation (protocol §5): the body of a
// letter of KindRejoin and of a notice out of step.
type Rejoin struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	// Request is a roster.RejoinRequest, which is signed.
	Request []byte
	// Chain leads from what the group is known to know of the device's account
	// to where the request speaks from: entries to append, or a whole chain.
	Chain [][]byte
}

// RejoinVersion is the version of these letters and their answers.
const RejoinVersion = 1

// Encode returns the letter's body.
func (r Rejoin) Encode() []byte {
	r.Version = RejoinVersion
	return wire.Encode(r)
}

// ParseRejoin reads what Encode wrote. Nothing of it is proven yet.
func ParseRejoin(b []byte) (Rejoin, error) {
	var r Rejoin
	err := wire.Decode(b, &r)
	switch {
	case err != nil:
	case r.Version != RejoinVersion:
		err = errForm
	case len(r.Chain) > wire.MaxChain:
		err = errLong
	}
	if err != nil {
		return Rejoin{}, refuse("read a request to rejoin", err)
	}
	return r, nil
}

// Verdict answers a request to rejoin that cannot be carried out: the body of a
// letter of KindVerdict, signed by the device of a member.
type Verdict struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	// Conversation is the conversation's id, and Ref the KeyPackage of the
	// request.
	Conversation [32]byte
	Ref          []byte
	Account      wire.AccountID
	Device       identity.DeviceID
	// Removed: the account is not in the roster any more.
	Removed bool
	// Leaf is, otherwise, the hash of the leaf that the device holds there, which
	// the request did not name.
	Leaf [32]byte
}

func (v *Verdict) check() error {
	if v.Version != RejoinVersion || len(v.Ref) == 0 || len(v.Ref) > 64 || v.Removed == (v.Leaf != [32]byte{}) {
		return errForm
	}
	return nil
}

// NewVerdict signs a verdict. Version, and Device from key, are set by it.
func NewVerdict(key identity.DeviceKey, v Verdict) ([]byte, error) {
	v.Version, v.Device = RejoinVersion, key.ID()
	if err := v.check(); err != nil {
		return nil, refuse("write a verdict", err)
	}
	return sign(key, identity.LabelVerdict, v), nil
}

// ParseVerdict reads a verdict and checks that a live device of its account
// signed it, by the newest chain that the reader knows.
func ParseVerdict(body []byte, chain func(wire.AccountID) (*identity.Chain, bool)) (Verdict, error) {
	v, s, err := parseSigned[Verdict](body)
	if err == nil {
		err = s.by(v.Account, v.Device, identity.LabelVerdict, chain)
	}
	if err != nil {
		return Verdict{}, refuse("read a verdict", err)
	}
	return v, nil
}
