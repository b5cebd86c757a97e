// Package letter holds what goes through doors and links: the seal on whatever
// is posted to a door, the wrapper around a Welcome, answers, the tree blob, and
// the codes of links. It is pure: bytes in, values out.
//
// It promises that what it returns was sealed and signed by who it names; that
// a thing sealed for one purpose or place opens for no other; that sizes say
// little; and that every refusal of what another wrote is one error. It can not
// say whether a signer's chain is the newest one: that is for the caller, who
// knows chains seen before.
//
// Three seals lie around an invitation, from outside in: the door's sealing key,
// which all holders of the door's classes share (Seal); the joiner's init key,
// which one device holds (SealWelcome); and inside it MLS's own Welcome.
//
// Start with Letter and Seal; invitations are in welcome.go, links in link.go.
package letter

import (
	"errors"
	"fmt"

	"hearth/identity"
	"hearth/wire"
)

// Door is how a device is reached: the place, and one class's way in.
type Door struct {
	_ struct{} `cbor:",toarray"`
	// Server is the URL of the server that keeps the door.
	Server string
	ID     wire.RoomID
	// Key is the access key of the class.
	Key wire.Secret
	// Sealing is the key under which what is posted there is sealed, and what
	// the door hands out.
	Sealing wire.Secret
}

func (d Door) check() error {
	if identity.CheckServer(d.Server) != nil || d.Key.Reveal() == nil || d.Sealing.Reveal() == nil {
		return errForm
	}
	return nil
}

func checkDoors(doors []Door) error {
	if len(doors) > MaxDoors {
		return errForm
	}
	for _, d := range doors {
		if err := d.check(); err != nil {
			return err
		}
	}
	return nil
}

// MaxDoors bounds the doors of one account in one place: one a device.
const MaxDoors = 32

// Letter is what is posted to a door, before it is sealed.
type Letter struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Kind    Kind
	Body    []byte
}

// Kind says what a letter's body is.
type Kind uint8

// The kinds. A letter of a kind that isn't known is acknowledged and dropped.
const (
	KindWelcome Kind = 1 // SealWelcome's
	KindAnswer  Kind = 2 // Answer, signed
	KindRejoin  Kind = 3 // Rejoin
	KindJoin    Kind = 4 // Join, signed
	KindVerdict Kind = 9 // Verdict, signed
	// A device that asks to be linked, and what it is answered (linking.go).
	KindLinkRequest Kind = 16
	KindLinkAnswer  Kind = 17
	// The account's chain, for a device that it has revoked: no room tells it,
	// if it was away.
	KindRevoked Kind = 18
)

// LetterVersion is the version of letters.
const LetterVersion = 1

// ErrRefused says that something another wrote is not what it should be; why is
// in the text behind it, for logs, without ids or content.
var ErrRefused = errors.New("refused")

var (
	errForm = errors.New("not of the right form")
	errSeal = errors.New("does not open")
	errSign = errors.New("not signed by a live device of the account")
	errLong = errors.New("too long")
)

func refuse(what string, why error) error {
	return fmt.Errorf("%s: %w: %w", what, ErrRefused, why)
}

// tooLong is for what this side wanted to send.
func tooLong(what string) error {
	return wire.Errorf(wire.Full, "%s is too large to be sent", what).WithNext("invite fewer people at once")
}
