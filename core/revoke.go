package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hearth/core/lane"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// Taking all other devices out of the account. The chain names one device an entry,
// so it is one entry after the other; which devices is saved before the first, and
// a device that was cut short goes on with those that are left.

// revoking are the devices that are still to be taken out.
type revoking struct {
	_       struct{} `cbor:",toarray"`
	Devices []identity.DeviceID
}

var revokingName = vault.Name("revoking")

// revokeQueue is what takes them out.
const revokeQueue queueKind = 0x35

// RevokeOthers takes all devices but this one out of the account, as RevokeDevice
// does one. When ctx ends before that is done it goes on by itself.
func (c *Client) RevokeOthers(ctx context.Context) ([]Device, error) {
	me, err := c.self(ctx)
	if err != nil {
		return nil, err
	}
	newest, err := c.fetchChain(ctx, me) // one may have been linked elsewhere
	if err != nil {
		return nil, err
	}
	var out []Device
	err = c.step(ctx, func(s *step) error {
		if err := s.learnOwnChain(newest); err != nil {
			return err
		}
		me, err := s.me()
		if err != nil {
			return err
		}
		others, err := s.siblings(me)
		if err != nil || len(others) == 0 {
			return err
		}
		var r revoking
		for _, d := range others {
			r.Devices = append(r.Devices, d.ID)
			out = append(out, showDevice(d, false))
		}
		s.put(revokingName, r)
		s.then(c.wakeRevoking)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = c.wait(ctx, func(s *step) (bool, error) {
		if busy, err := s.has(revokingName); err != nil || busy {
			return false, err
		}
		for _, d := range out {
			id, err := identity.ParseDeviceID(d.Device)
			if err != nil {
				return false, err
			}
			if done, err := s.buried(id); err != nil || !done {
				return false, err
			}
		}
		return true, nil
	})
	if err == nil || ctx.Err() == nil {
		return out, err
	}
	err = c.look(context.WithoutCancel(ctx), func(s *step) error {
		busy, err := s.has(revokingName)
		if err == nil && busy {
			err = wire.Errorf(wire.Unreachable, "not all of them are removed yet").WithNext("it goes on by itself; look with: hearth device list")
		}
		return err
	})
	return out, err
}

func (c *Client) wakeRevoking() {
	c.poke(queueID{what: revokeQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			var r revoking
			ok, err := s.get(revokingName, &r)
			if ok && err == nil {
				act = c.revokeNext
			}
			return err
		})
		return act, err
	})
}

// revokeNext takes out the first device that is left.
func (c *Client) revokeNext(ctx context.Context) (time.Duration, error) {
	done := false
	err := c.appendChain(ctx, func(s *step, me *account, chain *identity.Chain) ([]byte, error) {
		var r revoking
		if _, err := s.get(revokingName, &r); err != nil {
			return nil, err
		}
		key, err := me.key()
		if err != nil {
			return nil, err
		}
		for _, id := range r.Devices {
			if d, ok := chain.Device(id); ok && d.Live && id != key.ID() {
				_, entry, err := chain.RevokeDevice(key, id)
				return entry, err
			}
		}
		done = true
		return nil, nil
	})
	if err != nil || !done {
		return 0, err
	}
	return 0, c.step(ctx, func(s *step) error { s.del(revokingName); return nil })
}

// standAlone takes all devices but this one out of the account of a home that is
// being restored, by the recovery key's word. Each entry follows what this home
// knows: what the others have signed meanwhile it voids (protocol §7), so that a
// thief who adds a device, or revokes this one, is not faster.
func (c *Client) standAlone(ctx context.Context, a *account, device identity.DeviceID, key identity.RecoveryKey) error {
	accounts := c.net.To(a.Server, lane.Accounts)
	for try := 0; ; {
		chain, err := a.chain()
		if err != nil {
			return err
		}
		devices := chain.Devices()
		i := slices.IndexFunc(devices, func(d identity.Device) bool { return d.Live && d.ID != device })
		if i < 0 {
			return nil
		}
		next, entry, err := chain.RevokeDevice(key, devices[i].ID)
		if err != nil {
			return fmt.Errorf("remove the other devices: %w", err)
		}
		err = accounts.Do(ctx, wire.OpAccountAppend, wire.AccountAppend{Account: a.ID, Head: wire.SecretHash(chain.Head()), Entry: entry}, nil)
		if errors.Is(err, wire.ErrStale) && try < 3 {
			// Another home was restored meanwhile, or our own answer was lost.
			try++
			next, err = c.newestOwn(ctx, a)
		}
		if err != nil {
			return fmt.Errorf("remove the other devices: %w", err)
		}
		a.Chain = next.Entries()
		if err := c.step(ctx, func(s *step) error { s.put(accountName, a); return nil }); err != nil {
			return err
		}
	}
}
