package core

import (
	"hearth/core/letter"
	"hearth/wire"
)

// handedOut is what one of our doors hands out: a KeyPackage, and the chain that
// proves its device, for accounts that no directory shows.
type handedOut struct {
	_       struct{} `cbor:",toarray"`
	Package []byte
	Chain   [][]byte
}

// sealPackage writes a KeyPackage as a door of ours hands it out.
func sealPackage(d *door, kp []byte, chain [][]byte) ([]byte, error) {
	return letter.SealPackage(d.ID, d.Sealing, wire.Encode(handedOut{Package: kp, Chain: chain}))
}

// openPackage reads what somebody's door handed out; nothing of it is proven
// yet.
func openPackage(at address, b []byte) (kp []byte, chain [][]byte, err error) {
	plain, err := letter.OpenPackage(at, b)
	if err != nil {
		return nil, nil, err
	}
	var h handedOut
	err = wire.Decode(plain, &h)
	return h.Package, h.Chain, err
}
