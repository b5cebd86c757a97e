package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth/core/lane"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// suite is the one that every group uses (protocol §8). No negotiation: another
// suite in a group or a KeyPackage is an error.
const suite = mls.XWing_CHACHA20POLY1305_SHA256_Ed25519

// account is this home's account, with this device in it.
type account struct {
	_      struct{} `cbor:",toarray"`
	ID     wire.AccountID
	Device []byte // identity.DeviceKey: a secret
	Server string // URL of the home server
	Domain string // the server's name in handles
	Name   string // "" for none
	Chain  [][]byte
	// Stage tells how far registration has got.
	Stage stage
	// Linked: this device was added to the account by another one.
	Linked bool
	// HandBack: the home server was restored from a backup and may lack entries
	// of the chain.
	HandBack bool
}

// recoveryName holds the recovery key's words from the making of the keys until
// they are shown, in a record with an end: what seals it is destroyed, so that
// no old block of the disk can give the words away.
var recoveryName = vault.Name("recovery")

// recoveryKept is how long a registration that was cut short can be finished.
const recoveryKept = 24 * time.Hour

// stage is how far registration has got; each is saved before the next begins,
// so that a registration cut short goes on where it was.
type stage uint8

const (
	stageKeys  stage = iota // keys made; the server may not know of them
	stageKnown              // the server has the chain
	stageDone               // the doors stand
	// stageRevoked: the device was taken out of the account; its key is gone.
	stageRevoked

	stageClosed stage = 9 // the account was deleted
)

var accountName = vault.Name("account")

// account returns the account; nil before registration has begun.
func (s *step) account() (*account, error) {
	a := new(account)
	ok, err := s.get(accountName, a)
	if err != nil || !ok {
		return nil, err
	}
	return a, nil
}

// me returns the account, and fails before registration is done.
func (s *step) me() (*account, error) {
	a, err := s.account()
	if err != nil {
		return nil, err
	}
	switch {
	case a != nil && a.Stage == stageClosed:
		return nil, errDeleted
	case a != nil && a.Stage == stageDone:
		return a, nil
	case a != nil && a.Stage == stageRevoked:
		return nil, errRevoked
	case a != nil && a.Linked:
		return nil, errLinking
	}
	return nil, errNotRegistered
}

var errNotRegistered = (&wire.Error{Code: wire.NotFound, Message: "there is no account in this home"}).
	WithNext("make one with: hearth register NAME --server URL")

// Handle returns name@domain, "" without a name.
func (a *account) Handle() string {
	if a.Name == "" {
		return ""
	}
	return identity.Handle{Name: a.Name, Domain: a.Domain}.String()
}

func (a *account) key() (identity.DeviceKey, error) { return identity.ParseDeviceKey(a.Device) }

func (a *account) chain() (*identity.Chain, error) { return identity.VerifyFor(a.ID, a.Chain) }

// member returns what this device brings to a group.
func (a *account) member() (mls.Member, error) {
	key, err := a.key()
	if err != nil {
		return mls.Member{}, err
	}
	chain, err := a.chain()
	if err != nil {
		return mls.Member{}, err
	}
	seed := key.Seed()
	defer clear(seed)
	sign, err := mls.NewSignatureKey(suite, seed)
	if err != nil {
		return mls.Member{}, err
	}
	return mls.Member{
		Credential:   mls.BasicCredential(chain.CredentialOf(key.ID()).Marshal()),
		SignatureKey: sign,
		Capabilities: roster.Capabilities(),
	}, nil
}

// Register makes an account with this device in it. Cut short, it goes on where
// it was when it is called again with the same options.
func (c *Client) Register(ctx context.Context, o RegisterOptions) (Registered, error) {
	var zero Registered
	if o.Name != "" {
		name, err := identity.ParseName(o.Name)
		if err != nil {
			return zero, wire.Errorf(wire.BadInput, "that name cannot be used: %w", err).WithNext("choose another name")
		}
		o.Name = name
	}
	if err := identity.CheckServer(o.Server); err != nil {
		return zero, wire.Errorf(wire.BadInput, "that is not a server's address").
			WithNext("write it as https://example.org or http://localhost:8420")
	}
	if err := c.registering.begin(ctx); err != nil {
		return zero, err
	}
	defer c.registering.done()
	accounts := c.net.To(o.Server, lane.Accounts)
	session, err := accounts.Now(ctx)
	if err != nil {
		return zero, err
	}
	hello := session.Welcome()
	a, err := c.beginRegistration(ctx, o, hello)
	if err != nil {
		return zero, err
	}
	if a.Stage == stageKeys {
		err := accounts.Do(ctx, wire.OpAccountCreate, wire.AccountCreate{Entry: a.Chain[0], Name: o.Name, Invite: o.Invite}, nil)
		if err != nil {
			var we *wire.Error
			if errors.As(err, &we) && we.Code != wire.Unreachable && we.Code != wire.Internal {
				// A clear no: nothing of this account is anywhere.
				c.step(ctx, func(s *step) error { s.del(accountName); s.del(recoveryName); return nil })
			}
			return zero, fmt.Errorf("make the account: %w", err)
		}
		a.Stage = stageKnown
		if err := c.step(ctx, func(s *step) error { s.put(accountName, a); return nil }); err != nil {
			return zero, err
		}
	}
	if err := c.makeDoors(ctx, a, hello.Region); err != nil {
		return zero, err
	}
	key, err := a.key()
	if err != nil {
		return zero, err
	}
	answer := Registered{Handle: a.Handle(), Account: a.ID.String(), Device: key.ID().String()}
	err = c.step(ctx, func(s *step) error {
		if ok, err := s.get(recoveryName, &answer.Recovery); err != nil || !ok {
			return errors.Join(err, errTooLate)
		}
		s.del(recoveryName)
		s.putDevice(&device{ID: key.ID(), Added: s.c.now().Unix()})
		a.Stage = stageDone
		s.put(accountName, a)
		return nil
	})
	if err != nil {
		return zero, err
	}
	return answer, c.startDoors(ctx)
}

// errTooLate says that the words of a registration that was cut short are gone.
var errTooLate = &wire.Error{Code: wire.Denied, Message: "this registration was begun too long ago to be finished",
	Next: "register in a new home, with --home"}

// beginRegistration saves new keys, or finds those of a registration that was
// cut short.
func (c *Client) beginRegistration(ctx context.Context, o RegisterOptions, hello wire.Welcome) (*account, error) {
	var a *account
	err := c.step(ctx, func(s *step) (err error) {
		if a, err = s.account(); err != nil {
			return err
		}
		if a != nil && a.Stage == stageClosed {
			return errDeleted
		}
		if a != nil && (a.Stage >= stageDone || a.Linked) {
			return wire.Errorf(wire.Taken, "this home has an account already").
				WithNext("use another home for another account, with --home")
		}
		words, err := s.has(recoveryName)
		if err != nil {
			return err
		}
		if a != nil && a.Server == o.Server && a.Name == o.Name && (words || a.Stage != stageKeys) {
			return nil
		}
		if a != nil && a.Stage != stageKeys {
			return wire.Errorf(wire.Taken, "this home has begun to register another account").
				WithNext("finish it by registering with the same name and server")
		}
		made, err := identity.NewAccount(o.Server)
		if err != nil {
			return err
		}
		a = &account{
			ID: made.Chain.Account(), Device: made.Device.Marshal(), Server: o.Server,
			Domain: hello.Domain, Name: o.Name, Chain: made.Chain.Entries(),
		}
		s.put(accountName, a)
		s.put(backupRootName, made.Recovery.BackupRoot())
		s.putUntil(recoveryName, made.Recovery.Words(), s.c.now().Add(recoveryKept).Unix())
		return nil
	})
	return a, err
}

// Whoami says who this client is; not_found before Register.
func (c *Client) Whoami() (Identity, error) {
	var id Identity
	err := c.look(context.Background(), func(s *step) error {
		a, err := s.me()
		if err != nil {
			return err
		}
		key, err := a.key()
		if err != nil {
			return err
		}
		id = Identity{Handle: a.Handle(), Account: a.ID.String(), Device: key.ID().String(), Server: a.Server}
		return nil
	})
	return id, err
}
