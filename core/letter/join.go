package letter

import (
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// Join is how somebody who followed a group's link asks to be let in: it goes to
// the doors in the link, as a letter of KindJoin, signed by the device that asks.
type Join struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	// Link is the access key of the link that was followed: the door doesn't
	// say by which class something came. It also ties the signature to the one
	// who made the link.
	Link wire.Secret
	// Account asks, with its chain, whole.
	Account wire.AccountID
	Device  identity.DeviceID
	Chain   [][]byte
	// KeyPackage is the device's, made for this request alone.
	KeyPackage []byte
	// Door is where the Welcome goes.
	Door Door
	// Text is what the person says to whoever decides; empty: nothing.
	Text string
}

const (
	// JoinVersion is the version of requests to join.
	JoinVersion = 1
	// MaxJoinText is the longest text of a request to join, bytes.
	MaxJoinText = 512

	maxJoinPackage = 16 << 10
)

func (j *Join) check() error {
	switch {
	case j.Version != JoinVersion, j.Link.Reveal() == nil, len(j.KeyPackage) == 0:
		return errForm
	case len(j.KeyPackage) > maxJoinPackage, len(j.Text) > MaxJoinText, len(j.Chain) > wire.MaxChain:
		return errLong
	}
	return j.Door.check()
}

// NewJoin signs a request to join: the body of a letter of KindJoin. Version,
// and Device from key, are set by it.
func NewJoin(key identity.DeviceKey, j Join) ([]byte, error) {
	j.Version, j.Device = JoinVersion, key.ID()
	if err := j.check(); err != nil {
		return nil, refuse("write a request to join", err)
	}
	body := sign(key, identity.LabelJoin, j)
	if len(body) > MaxLetter-letterAdds {
		return nil, tooLong("the request to join")
	}
	return body, nil
}

// ParseJoin reads a request to join and checks that a live device of the account
// in it signed it, and that the KeyPackage is that device's. The caller checks
// that the chain is no older than one seen before, the KeyPackage's lifetime,
// and whether there is such a link.
func ParseJoin(body []byte) (Join, *identity.Chain, error) {
	j, chain, err := parseJoin(body)
	if err != nil {
		return Join{}, nil, refuse("read a request to join", err)
	}
	return j, chain, nil
}

func parseJoin(body []byte) (j Join, chain *identity.Chain, err error) {
	j, s, err := parseSigned[Join](body)
	if err != nil {
		return Join{}, nil, err
	}
	if chain, err = identity.VerifyFor(j.Account, j.Chain); err != nil {
		return Join{}, nil, err
	}
	if chain.SignedBy(j.Device, identity.LabelJoin, s.Body, s.Signature) != nil {
		return Join{}, nil, errSign
	}
	kp, err := mls.ParseKeyPackage(j.KeyPackage)
	if err != nil {
		return Join{}, nil, err
	}
	cred, err := identity.ParseCredential(kp.Leaf().Credential.Identity)
	if err != nil {
		return Join{}, nil, err
	}
	// One device asks for itself, never for another.
	if cred.Account != j.Account || cred.Device != j.Device {
		return Join{}, nil, errForm
	}
	return j, chain, chain.Proves(cred, kp.Leaf().SignatureKey)
}
