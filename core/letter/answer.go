package letter

import (
	"hearth/identity"
	"hearth/wire"
)

// Answer says what became of an invitation: it goes to the inviter's doors, as a
// letter of KindAnswer, signed by the device that answers.
type Answer struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	// Conversation is the conversation's id, and Ref the KeyPackage that the
	// invitation was sealed to.
	Conversation [32]byte
	Ref          []byte
	Account      wire.AccountID
	Device       identity.DeviceID
	Accept       bool
	// Leave is, in a decline, the encoded evidence of a signed leave, by which
	// any member may take the leaf out (protocol §4, §6).
	Leave []byte
	// Doors are, in an acceptance, the account's private doors.
	Doors []Door
}

// AnswerVersion is the version of answers.
const AnswerVersion = 1

func (a *Answer) check() error {
	if a.Version != AnswerVersion || len(a.Ref) == 0 || len(a.Ref) > 64 || len(a.Leave) > maxState {
		return errForm
	}
	// A decline that names doors, or an acceptance that leaves, says two things.
	if a.Accept && len(a.Leave) > 0 || !a.Accept && (len(a.Doors) > 0 || len(a.Leave) == 0) {
		return errForm
	}
	return checkDoors(a.Doors)
}

// NewAnswer signs an answer: the body of a letter of KindAnswer. Version, and
// Device from key, are set by it.
func NewAnswer(key identity.DeviceKey, a Answer) ([]byte, error) {
	a.Version, a.Device = AnswerVersion, key.ID()
	if err := a.check(); err != nil {
		return nil, refuse("write an answer", err)
	}
	return sign(key, identity.LabelAnswer, a), nil
}

// ParseAnswer reads an answer and checks that a live device of its account
// signed it, by the newest chain that the reader knows.
func ParseAnswer(body []byte, chain func(wire.AccountID) (*identity.Chain, bool)) (Answer, error) {
	a, s, err := parseSigned[Answer](body)
	if err == nil {
		err = s.by(a.Account, a.Device, identity.LabelAnswer, chain)
	}
	if err != nil {
		return Answer{}, refuse("read an answer", err)
	}
	return a, nil
}
