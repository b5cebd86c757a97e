package letter

import (
	"hearth/identity"
	"hearth/wire"
)

// signed is how everything stands in a letter that a device signs: the bytes
// exactly as they were signed, so that nothing is encoded again to check them.
type signed struct {
	_         struct{} `cbor:",toarray"`
	Body      []byte
	Signature []byte
}

// sign signs what a letter says, under a label of its own.
func sign(key identity.DeviceKey, label identity.Label, v any) []byte {
	b := wire.Encode(v)
	return wire.Encode(signed{Body: b, Signature: key.Sign(label, b)})
}

// parseSigned reads what sign wrote and checks its form. Who signed it is not
// checked.
func parseSigned[T any, P interface {
	*T
	check() error
}](b []byte) (v T, s signed, err error) {
	if err := wire.Decode(b, &s); err != nil {
		return v, s, err
	}
	if err := wire.Decode(s.Body, &v); err != nil {
		return *new(T), s, err
	}
	return v, s, P(&v).check()
}

// by checks that a live device of an account signed, by the newest chain that the
// reader knows.
func (s signed) by(account wire.AccountID, device identity.DeviceID, label identity.Label, chain func(wire.AccountID) (*identity.Chain, bool)) error {
	c, ok := chain(account)
	if !ok || c.Account() != account || c.SignedBy(device, label, s.Body, s.Signature) != nil {
		return errSign
	}
	return nil
}
