package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"time"

	"hearth/core"
	"hearth/core/lock"
	"hearth/core/vault"
	"hearth/wire"
)

// Home is a home that may be locked. Locking makes one of a *lock.Home.
type Home interface {
	// Enter returns the client for one request, the context for it, which ends
	// when the home is locked, and what must be called when it is over.
	Enter(ctx context.Context) (c Core, inside context.Context, leave func(), err error)
	// Watch returns how the home stands, and a channel that is closed when
	// that has changed.
	Watch() (lock.Status, <-chan struct{})
	Lock(ctx context.Context) (lock.Status, error)
	Unlock(ctx context.Context, c vault.Credential) (lock.Status, error)
	Protect(ctx context.Context, current *vault.Credential, next vault.Credential, keyFile string) (lock.Status, error)
	Unprotect(ctx context.Context, current *vault.Credential) (lock.Status, error)
	SetAfter(ctx context.Context, after time.Duration) (lock.Status, error)
}

// Locking is the Home of a home with a lock.
func Locking(h *lock.Home) Home { return locking{h} }

type locking struct{ *lock.Home }

// Enter is that of the home, with the client as the API needs it.
func (l locking) Enter(ctx context.Context) (Core, context.Context, func(), error) {
	c, inside, leave, err := l.Home.Enter(ctx)
	if err != nil {
		return nil, nil, nil, err // not a nil *core.Client as a Core
	}
	return c, inside, leave, nil
}

// Lockless is the Home of a client that has no lock.
func Lockless(c Core) Home { return lockless{c} }

type lockless struct{ c Core }

var errLockless = wire.Errorf(wire.Unsupported, "this home can't be locked").WithNext("use one on a disk")

func (l lockless) Enter(ctx context.Context) (Core, context.Context, func(), error) {
	return l.c, ctx, func() {}, nil
}

func (lockless) Watch() (lock.Status, <-chan struct{}) {
	return lock.Status{Protection: vault.Unprotected.String()}, nil
}

func (lockless) Lock(context.Context) (lock.Status, error) { return lock.Status{}, errLockless }

func (lockless) Unlock(context.Context, vault.Credential) (lock.Status, error) {
	return lock.Status{}, errLockless
}

func (lockless) Protect(context.Context, *vault.Credential, vault.Credential, string) (lock.Status, error) {
	return lock.Status{}, errLockless
}

func (lockless) Unprotect(context.Context, *vault.Credential) (lock.Status, error) {
	return lock.Status{}, errLockless
}

func (lockless) SetAfter(context.Context, time.Duration) (lock.Status, error) {
	return lock.Status{}, errLockless
}

// notifyLock tells every connection that the home was locked or unlocked; its
// parameters are a lock.Status.
const notifyLock = "lock"

// homeCall carries out a method that a locked home answers too.
type homeCall struct {
	do             func(ctx context.Context, h Home, params json.RawMessage) (any, error)
	params, result reflect.Type
}

// homeMethods are those.
var homeMethods = map[string]homeCall{
	"whoami":            homeMethod(whoami),
	"lock":              homeMethod(lockHome),
	"unlock":            homeMethod(unlockHome),
	"lock.status":       homeMethod(lockStatus),
	"lock.after":        homeMethod(lockAfter),
	"passphrase.set":    homeMethod(passphraseSet),
	"passphrase.remove": homeMethod(passphraseRemove),
}

func homeMethod[P, R any](f func(ctx context.Context, h Home, p P) (R, error)) homeCall {
	return homeCall{func(ctx context.Context, h Home, raw json.RawMessage) (any, error) {
		var p P
		if err := readParams(raw, &p); err != nil {
			return nil, err
		}
		return f(ctx, h, p)
	}, reflect.TypeFor[P](), reflect.TypeFor[R]()}
}

// whoami of a locked home says that it is locked: who lives there is inside.
func whoami(ctx context.Context, h Home, _ None) (core.Identity, error) {
	c, _, leave, err := h.Enter(ctx)
	if errors.Is(err, lock.ErrLocked) {
		return core.Identity{Locked: true}, nil
	}
	if err != nil {
		return core.Identity{}, err
	}
	defer leave()
	return c.Whoami()
}

func lockHome(ctx context.Context, h Home, _ None) (lock.Status, error) { return h.Lock(ctx) }

func lockStatus(_ context.Context, h Home, _ None) (lock.Status, error) {
	s, _ := h.Watch()
	return s, nil
}

// CredentialParams are those of unlock and passphrase.remove: a passphrase, or
// the content of a key file.
type CredentialParams struct {
	Passphrase string `json:"passphrase,omitempty"`
	Key        string `json:"key,omitempty"`
}

func (p CredentialParams) read() (vault.Credential, error) {
	switch {
	case (p.Passphrase == "") == (p.Key == ""):
		return vault.Credential{}, invalidParams("either passphrase or key is needed")
	case p.Key != "":
		return vault.FromKeyFile([]byte(p.Key))
	}
	return vault.Passphrase([]byte(p.Passphrase))
}

// optional is read for what need not be there.
func (p CredentialParams) optional() (*vault.Credential, error) {
	if p == (CredentialParams{}) {
		return nil, nil
	}
	c, err := p.read()
	if err != nil {
		return nil, err
	}
	return &c, nil
}

func unlockHome(ctx context.Context, h Home, p CredentialParams) (lock.Status, error) {
	c, err := p.read()
	if err != nil {
		return lock.Status{}, err
	}
	defer c.Wipe()
	return h.Unlock(ctx, c)
}

// PassphraseParams are those of passphrase.set: what opens the home from now on,
// and what does now, if anything does.
type PassphraseParams struct {
	Passphrase string `json:"passphrase,omitempty"`
	Key        string `json:"key,omitempty"`
	// KeyFile is where the key file lies, if key is that of one: commands look
	// for it there.
	KeyFile           string `json:"key_file,omitempty"`
	CurrentPassphrase string `json:"current_passphrase,omitempty"`
	CurrentKey        string `json:"current_key,omitempty"`
}

func passphraseSet(ctx context.Context, h Home, p PassphraseParams) (lock.Status, error) {
	next, err := CredentialParams{p.Passphrase, p.Key}.read()
	if err != nil {
		return lock.Status{}, err
	}
	defer next.Wipe()
	if p.KeyFile != "" && p.Key == "" {
		return lock.Status{}, invalidParams("key_file is for a key")
	}
	current, err := CredentialParams{p.CurrentPassphrase, p.CurrentKey}.optional()
	if err != nil {
		return lock.Status{}, err
	}
	return h.Protect(ctx, current, next, p.KeyFile)
}

func passphraseRemove(ctx context.Context, h Home, p CredentialParams) (lock.Status, error) {
	current, err := p.optional()
	if err != nil {
		return lock.Status{}, err
	}
	return h.Unprotect(ctx, current)
}

// LockAfterParams are those of lock.after: a time span such as 15m; 0s is never.
type LockAfterParams struct {
	After string `json:"after"`
}

func lockAfter(ctx context.Context, h Home, p LockAfterParams) (lock.Status, error) {
	if err := need("after", p.After); err != nil {
		return lock.Status{}, err
	}
	d, err := optionalSpan("after", p.After)
	if err != nil {
		return lock.Status{}, err
	}
	return h.SetAfter(ctx, d)
}

// entered carries out f with the home's client, if the home is open. What was
// cut off by its locking says so.
func (c *conn) entered(ctx context.Context, f func(ctx context.Context, core Core) (any, error)) (any, error) {
	core, inside, leave, err := c.server.home.Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	result, err := f(inside, core)
	if err != nil && lock.Cut(inside) {
		return nil, lock.ErrLocked
	}
	return result, err
}

// tellLocks tells the other side when the home is locked or unlocked, until ctx
// ends.
func (c *conn) tellLocks(ctx context.Context) {
	for {
		_, changed := c.server.home.Watch()
		c.tellLock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// tellLock tells it now, if it isn't known yet.
func (c *conn) tellLock() {
	c.telling.Lock()
	defer c.telling.Unlock()
	s, _ := c.server.home.Watch()
	if s.Locked == c.toldLocked {
		return
	}
	c.toldLocked = s.Locked
	if params, err := json.Marshal(s); err == nil {
		c.write(message{Method: notifyLock, Params: params})
	}
}
