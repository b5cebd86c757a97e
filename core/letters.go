package core

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"hearth/core/roster"
	"hearth/identity"
	"hearth/wire"
)

// stand-in for package letter

func sealUnder(key wire.Secret, label string, plain []byte) []byte {
	k := key.Reveal()
	defer clear(k)
	a, err := chacha20poly1305.NewX(k)
	if err != nil {
		panic(err)
	}
	nonce := make([]byte, a.NonceSize())
	rand.Read(nonce)
	return a.Seal(nonce, nonce, plain, []byte(label))
}

var errUnsealed = errors.New("does not open")

func openUnder(key wire.Secret, label string, b []byte) ([]byte, error) {
	k := key.Reveal()
	defer clear(k)
	a, err := chacha20poly1305.NewX(k)
	if err != nil || len(b) < a.NonceSize() {
		return nil, errUnsealed
	}
	return a.Open(nil, b[:a.NonceSize()], b[a.NonceSize():], []byte(label))
}

type sealedPackage struct {
	_       struct{} `cbor:",toarray"`
	Package []byte
	Chain   [][]byte
}

func sealPackage(sealing wire.Secret, kp []byte, chain [][]byte) ([]byte, error) {
	return sealUnder(sealing, "package", wire.Encode(sealedPackage{Package: kp, Chain: chain})), nil
}

func openPackage(at address, b []byte) ([]byte, [][]byte, error) {
	plain, err := openUnder(at.Sealing, "package", b)
	if err != nil {
		return nil, nil, err
	}
	var p sealedPackage
	err = wire.Decode(plain, &p)
	return p.Package, p.Chain, err
}

// invitation is the wrapper around a Welcome.
type invitation struct {
	_       struct{} `cbor:",toarray"`
	Welcome []byte
	Ref     []byte
	Room    wire.RoomID
	Server  string
	Seat    seat
	State   []byte
	Tree    wire.BlobID
	TreeKey wire.Secret
	From    wire.AccountID
	Chain   [][]byte
	Doors   []address
	First   []byte
	Link    []byte
	Seats   []knownLeaf
	Sent    int64
}

type knownLeaf struct {
	_       struct{} `cbor:",toarray"`
	Index   uint32
	Account wire.AccountID
	Seat    *wire.SeatID
	Joined  bool
	Doors   []address
}

type letter struct {
	_         struct{} `cbor:",toarray"`
	Kind      uint8    // 1 invitation, 2 leave
	Body      []byte
	Device    []byte
	Signature []byte
}

func sealLetter(at address, key identity.DeviceKey, kind uint8, body []byte) []byte {
	id := key.ID()
	l := letter{Kind: kind, Body: body, Device: id[:], Signature: key.Sign(identity.LabelAnswer, append([]byte{kind}, body...))}
	plain := wire.Encode(l)
	pad := 4096
	for pad < len(plain)+1 {
		pad *= 2
	}
	pad = min(pad, 60<<10)
	if len(plain)+1 <= pad {
		plain = append(plain, 0x80)
		plain = append(plain, make([]byte, pad-len(plain))...)
	}
	return sealUnder(at.Sealing, "letter", plain)
}

func openLetter(sealing wire.Secret, b []byte) (l letter, err error) {
	plain, err := openUnder(sealing, "letter", b)
	if err != nil {
		return l, err
	}
	plain = bytes.TrimRight(plain, "\x00")
	plain = bytes.TrimSuffix(plain, []byte{0x80})
	return l, wire.Decode(plain, &l)
}

func (l letter) signedBy(c *identity.Chain) error {
	if len(l.Device) != 16 {
		return errUnsealed
	}
	return c.SignedBy(identity.DeviceID(l.Device), identity.LabelAnswer, append([]byte{l.Kind}, l.Body...), l.Signature)
}

func conversationOf(e roster.Evidence) (convID, bool) {
	id, _, err := e.Claims()
	return convID(id), err == nil
}

func sealTree(key wire.Secret, plain []byte) []byte { return sealUnder(key, "tree", plain) }

func openTree(key wire.Secret, b []byte) (*treeBlob, error) {
	plain, err := openUnder(key, "tree", b)
	if err != nil {
		return nil, err
	}
	t := new(treeBlob)
	return t, wire.Decode(plain, t)
}

func sealInvitation(at address, key identity.DeviceKey, inv invitation) ([]byte, error) {
	return sealLetter(at, key, 1, wire.Encode(inv)), nil
}

func sealLeave(at address, key identity.DeviceKey, e roster.Evidence) ([]byte, error) {
	return sealLetter(at, key, 2, e.Encode()), nil
}

// knock is what a letter says.
type knock struct {
	invitation *invitation
	leave      *roster.Evidence
}

func openKnock(sealing wire.Secret, b []byte) (k knock, err error) {
	l, err := openLetter(sealing, b)
	if err != nil {
		return k, err
	}
	switch l.Kind {
	case 1:
		inv := new(invitation)
		if err := wire.Decode(l.Body, inv); err != nil {
			return k, err
		}
		chain, err := identity.VerifyFor(inv.From, inv.Chain)
		if err != nil {
			return k, err
		}
		k.invitation = inv
		return k, l.signedBy(chain)
	case 2:
		e, err := roster.ParseEvidence(l.Body)
		k.leave = &e
		return k, err
	}
	return k, errUnsealed
}

type parsedLink struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	At      address
}

func makeLink(me *account, at address) string {
	return me.Server + "/i#" + b64(wire.Encode(parsedLink{Account: me.ID, At: at}))
}

func parseLink(text string) (l parsedLink, err error) {
	_, frag, ok := strings.Cut(text, "/i#")
	if !ok {
		return l, wire.Errorf(wire.BadInput, "that is not an invitation link")
	}
	b, err := base64.RawURLEncoding.DecodeString(frag)
	if err != nil {
		return l, wire.Errorf(wire.BadInput, "that is not an invitation link")
	}
	return l, wire.Decode(b, &l)
}
