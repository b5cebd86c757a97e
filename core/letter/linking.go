package letter

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"hearth/identity"
	"hearth/wire"
)

// Linking a device: the old device opens a rendezvous door and shows a
// DeviceLink; the new one posts a LinkRequest there and is answered at its own
// door. Whoever reads the code later finds the door shut; whoever posts first
// shows another number than the device on the table (attack A08).

// At returns the rendezvous door. Its access key and the key under which
// requests are sealed come of the code's secret.
func (l DeviceLink) At() Door {
	return Door{Server: l.Server, ID: l.Door, Key: l.derive("access"), Sealing: l.derive("seal")}
}

func (l DeviceLink) derive(what string) wire.Secret {
	b, err := hkdf.Expand(sha256.New, l.Secret.Reveal(), "hearth device link v1 "+what, 32)
	if err != nil {
		panic(err) // a constant length within bounds
	}
	return wire.SecretFrom(b)
}

// NonceSize is the size of the number that an old device tells the new one.
const NonceSize = 32

// NonceHash is what a DeviceLink says of the nonce before it is told.
func NonceHash(nonce []byte) (h [16]byte) {
	sum := sha256.Sum256(append([]byte("hearth device link nonce v1\x00"), nonce...))
	copy(h[:], sum[:])
	return h
}

// Number returns six digits that both devices show: they are the same only if
// both speak of the same request. The request is fixed before the nonce is told,
// and the nonce before the request is made, so nobody can search for two requests
// with one number.
func (l DeviceLink) Number(nonce, request []byte) string {
	r := sha256.Sum256(request)
	h := sha256.New()
	h.Write([]byte("hearth device link number v1\x00"))
	h.Write(l.Secret.Reveal())
	h.Write(nonce)
	h.Write(r[:])
	n := binary.BigEndian.Uint64(h.Sum(nil)) % 1_000_000
	return fmt.Sprintf("%03d %03d", n/1000, n%1000)
}

// LinkRequest is what a new device posts at the rendezvous.
type LinkRequest struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	// Device wants to be in the account's chain.
	Device identity.Candidate
	// Name is what the person calls the device.
	Name string
	// Door is the new device's, for its siblings.
	Door Door
}

// LinkVersion is the version of requests and answers.
const LinkVersion = 1

// MaxDeviceName is the longest name of a device, bytes.
const MaxDeviceName = 64

func (r *LinkRequest) check() error {
	if r.Version != LinkVersion || len(r.Name) > MaxDeviceName {
		return errForm
	}
	return r.Door.check()
}

// NewLinkRequest signs a request to be linked to an account: the body of a
// letter of KindLinkRequest. Version, and Device from key, are set by it.
func NewLinkRequest(key identity.DeviceKey, account wire.AccountID, r LinkRequest) ([]byte, error) {
	r.Version, r.Device = LinkVersion, key.Candidate(account)
	if err := r.check(); err != nil {
		return nil, refuse("write a request to be linked", err)
	}
	return sign(key, identity.LabelLink, r), nil
}

// ParseLinkRequest reads a request and checks that the device itself signed it.
// Whether the device may be in a chain, the chain says.
func ParseLinkRequest(body []byte) (LinkRequest, error) {
	r, s, err := parseSigned[LinkRequest](body)
	if err != nil {
		return LinkRequest{}, refuse("read a request to be linked", err)
	}
	if !(identity.Device{Key: r.Device.Key}).Verify(identity.LabelLink, s.Body, s.Signature) {
		return LinkRequest{}, refuse("read a request to be linked", errSign)
	}
	return r, nil
}

// LinkState says how far a request has got.
type LinkState uint8

// The states of a request.
const (
	LinkAsked   LinkState = 1 // the person is being asked; Nonce is told
	LinkDone    LinkState = 2 // the device is in the chain
	LinkRefused LinkState = 3
)

// LinkAnswer is what the old device posts at the new device's door, as a letter
// of KindLinkAnswer.
type LinkAnswer struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	State   LinkState
	// Nonce is told with every answer; it is the one that the code is bound to.
	Nonce []byte
	// Chain is the account's, with the new device in it: in LinkDone only.
	Chain [][]byte
	// Name is the account's public name; "" for none.
	Name string
	// Device, its name and door: of the old one.
	Device     identity.DeviceID
	DeviceName string
	Door       *Door
	// Rooms is how many conversations the device will be added to.
	Rooms uint32
}

// Encode returns the answer's bytes, with the present version.
func (a LinkAnswer) Encode() []byte {
	a.Version = LinkVersion
	return wire.Encode(a)
}

// ParseLinkAnswer reads an answer to the request that l led to. It holds only
// with the nonce that the code names, which the server never sees.
func (l DeviceLink) ParseLinkAnswer(body []byte) (LinkAnswer, error) {
	a, err := parseLinkAnswer(body)
	if err == nil && NonceHash(a.Nonce) != l.Bound {
		err = errSign
	}
	if err != nil {
		return LinkAnswer{}, refuse("read the answer to a link", err)
	}
	return a, nil
}

func parseLinkAnswer(body []byte) (a LinkAnswer, err error) {
	if err := wire.Decode(body, &a); err != nil {
		return LinkAnswer{}, err
	}
	switch {
	case a.Version != LinkVersion, a.State < LinkAsked, a.State > LinkRefused, len(a.Nonce) != NonceSize:
		return LinkAnswer{}, errForm
	case len(a.Chain) > wire.MaxChain, len(a.Name) > wire.MaxName, len(a.DeviceName) > MaxDeviceName:
		return LinkAnswer{}, errLong
	case (a.State == LinkDone) != (len(a.Chain) > 0), (a.State == LinkDone) != (a.Door != nil):
		return LinkAnswer{}, errForm
	}
	if a.Door != nil {
		if err := a.Door.check(); err != nil {
			return LinkAnswer{}, err
		}
	}
	return a, nil
}
