package identity

import (
	"fmt"

	"hearth/wire"
)

// Signer signs entries of a chain: a DeviceKey or a RecoveryKey.
type Signer interface {
	sign(*entry)
}

// Created is a new account: its chain of one entry, its first device, and the
// recovery key, which is to be shown and forgotten.
type Created struct {
	Chain    *Chain
	Device   DeviceKey
	Recovery RecoveryKey
}

// NewAccount makes an account at home on server (see CheckServer).
func NewAccount(server string) (Created, error) {
	a := Created{Device: NewDeviceKey(), Recovery: NewRecoveryKey()}
	raw := sealEntry(a.Device, 1, Hash{}, KindCreate, createBody{
		Device: a.Device.ID(), Key: a.Device.Public(), Recovery: a.Recovery.Public(), Server: server,
	})
	var err error
	if a.Chain, err = first(raw); err != nil {
		return Created{}, fmt.Errorf("make an account: %w", err)
	}
	return a, nil
}

func sealEntry(by Signer, number uint32, prev Hash, kind Kind, body any) []byte {
	e := entry{Version: entryVersion, Number: number, Prev: prev, Kind: kind, Body: wire.Encode(body)}
	by.sign(&e)
	return wire.Encode(e)
}

// next signs an entry that follows c and checks it as anybody would.
func (c *Chain) next(by Signer, kind Kind, body any) (*Chain, []byte, error) {
	raw := sealEntry(by, uint32(len(c.steps)+1), c.Head(), kind, body)
	n, err := c.Append(raw)
	if err != nil {
		return nil, nil, err
	}
	return n, raw, nil
}

// The methods below sign the entry that follows c and return the longer chain
// with that entry's bytes, which go to the directory. For an entry that voids
// device-signed ones, call them on a Prefix with the recovery key, and Append
// the entry to the chain. The error wraps ErrInvalid.

// AddDevice adds a device that has asked for it.
func (c *Chain) AddDevice(by Signer, d Candidate) (*Chain, []byte, error) {
	return c.next(by, KindAdd, addBody{Device: d.ID, Key: d.Key, Proof: d.Proof})
}

// RevokeDevice ends a device for good. A device may not revoke the last one.
func (c *Chain) RevokeDevice(by Signer, id DeviceID) (*Chain, []byte, error) {
	return c.next(by, KindRevoke, revokeBody{Device: id})
}

// SetRecovery puts another recovery key in the old one's place.
func (c *Chain) SetRecovery(by RecoveryKey, to PublicKey) (*Chain, []byte, error) {
	return c.next(by, KindRecovery, recoveryBody{Recovery: to})
}

// MoveServer names another home server (see CheckServer).
func (c *Chain) MoveServer(by Signer, server string) (*Chain, []byte, error) {
	return c.next(by, KindMove, moveBody{Server: server})
}

// Close ends the account: all devices are revoked and nothing follows.
func (c *Chain) Close(by Signer) (*Chain, []byte, error) {
	return c.next(by, KindClosed, closedBody{})
}
