package identity

import (
	"fmt"

	"hearth/wire"
)

// Credential is what a leaf says it is: the content of its MLS basic credential
// (RFC 9420 §5.3). It proves nothing by itself; Chain.Proves checks it.
type Credential struct {
	Account  wire.AccountID
	Device   DeviceID
	Position Position // of the chain when the leaf was made
}

type credentialBody struct {
	_        struct{} `cbor:",toarray"`
	Version  uint8
	Account  wire.AccountID
	Device   DeviceID
	Position Position
}

// Marshal returns the bytes that go into the leaf.
func (c Credential) Marshal() []byte {
	return wire.Encode(credentialBody{Version: 1, Account: c.Account, Device: c.Device, Position: c.Position})
}

// ParseCredential reads what Marshal wrote.
func ParseCredential(b []byte) (Credential, error) {
	var s credentialBody
	if err := wire.Decode(b, &s); err != nil || s.Version != 1 || s.Position.Length == 0 {
		return Credential{}, fmt.Errorf("%w: a credential could not be read", ErrInvalid)
	}
	return Credential{Account: s.Account, Device: s.Device, Position: s.Position}, nil
}

// CredentialOf returns the credential of the chain's device id at its head.
func (c *Chain) CredentialOf(id DeviceID) Credential {
	return Credential{Account: c.Account(), Device: id, Position: c.Position()}
}

// ErrRevoked says that a credential is of a device that its chain has revoked.
var ErrRevoked = fmt.Errorf("%w: a credential of a revoked device", ErrInvalid)

// Proves checks that a leaf with this credential and signature key is a device
// of the chain, live at its head, and that the credential's position lies
// between the device's entry and the head. Entries of the chain that was voided
// since may lie between, so the position itself need not be found in it.
func (c *Chain) Proves(cred Credential, signatureKey []byte) error {
	d, ok := c.Device(cred.Device)
	switch {
	case cred.Account != c.Account():
		return fmt.Errorf("%w: a credential of another account", ErrInvalid)
	case !ok:
		return fmt.Errorf("%w: a credential of a device that the chain does not hold", ErrInvalid)
	case string(signatureKey) != string(d.Key[:]):
		return fmt.Errorf("%w: a leaf whose key is not its device's", ErrInvalid)
	case !d.Live:
		return ErrRevoked
	case cred.Position.Compare(d.Added) < 0:
		return fmt.Errorf("%w: a credential from before its device was added", ErrInvalid)
	case cred.Position.Compare(c.Position()) > 0:
		return fmt.Errorf("%w: a credential ahead of the chain that travels with it", ErrInvalid)
	}
	return nil
}
