package vault

import (
	"bytes"
	"errors"
	"sync"

	"hearth/wire"
)

// Guard is a key file behind a protection: to the vault it is a KeyFile like
// any other, on the medium the content lies sealed. Without a protection it
// hands through.
//
// While it is open it holds one random key, with which it seals what the vault
// stores: so keys move forward without anybody typing a passphrase. Locked, it
// holds nothing, and Load and Store answer locked.
//
// Every change is one Store of the file beneath: after a crash the file opens
// with the old credential or with the new one, and holds the newest keys.
type Guard struct {
	file KeyFile

	mu     sync.Mutex // held over the file: one change after another
	sealed *sealedKey // nil: unprotected
	kek    secret     // without bytes: locked, or unprotected
	stored bool       // something was ever stored
}

// NewGuard reads how a key file is protected. A file that is protected is
// locked until Unlock.
func NewGuard(file KeyFile) (*Guard, error) {
	b, err := file.Load()
	if err != nil {
		return nil, err
	}
	g := &Guard{file: file, stored: b != nil}
	if isSealed(b) {
		s, err := parseSealedKey(b)
		if err != nil {
			return nil, err
		}
		g.sealed = &s
	}
	return g, nil
}

// isSealed: an unknown version is the vault's to refuse.
func isSealed(b []byte) bool { return len(b) >= 2 && b[0] == keyVersion && b[1] == keySealed }

// Stored reports whether anything was ever stored: if not, a protection that is
// set now is that of the first content, and no key ever lies there in clear.
func (g *Guard) Stored() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stored
}

// Protection says what opens the file.
func (g *Guard) Protection() Protection {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sealed == nil {
		return Unprotected
	}
	return g.sealed.protection
}

// Locked reports whether a credential is needed.
func (g *Guard) Locked() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.locked()
}

func (g *Guard) locked() bool { return g.sealed != nil && g.kek.b == nil }

// Unlock opens the file: denied for a credential that does not. It takes as long
// as the file's cost says. Unprotected there is nothing to open.
func (g *Guard) Unlock(c Credential) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sealed == nil {
		return nil
	}
	kek, err := g.sealed.unwrap(c)
	if err != nil {
		return err
	}
	g.kek.wipe()
	g.kek = kek
	return nil
}

// Lock forgets. The file stays as it is.
func (g *Guard) Lock() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kek.wipe()
	g.kek = secret{}
}

// Check is nil for the credential that opens the file, whether it is open or
// not, and for an unprotected one.
func (g *Guard) Check(c Credential) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sealed == nil {
		return nil
	}
	kek, err := g.sealed.unwrap(c)
	kek.wipe()
	return err
}

// Protect puts the file under a credential, in place of the one it had. cost is
// what a guess of a passphrase shall cost.
func (g *Guard) Protect(c Credential, cost Cost) error {
	if err := c.strong(); err != nil {
		return err
	}
	if c.kind == ByPassphrase && !cost.valid() {
		return &wire.Error{Code: wire.Internal, Message: "a passphrase was to be kept at no sensible cost"}
	}
	return g.change(func(plain []byte) (*sealedKey, secret, []byte) {
		s, kek := sealKey(c, cost, plain)
		return &s, kek, s.marshal()
	})
}

// Unprotect takes the protection away.
func (g *Guard) Unprotect() error {
	return g.change(func(plain []byte) (*sealedKey, secret, []byte) { return nil, secret{}, plain })
}

// change writes the file in another form. A file that was never stored is
// written in that form by the vault, when it is founded.
func (g *Guard) change(form func(plain []byte) (*sealedKey, secret, []byte)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	plain, err := g.load()
	if err != nil {
		return err
	}
	defer clear(plain)
	sealed, kek, content := form(plain)
	if plain != nil {
		if err = g.file.Store(content); err != nil {
			// Kept or not? What lies there now decides, so that the next forward
			// move is written in the same form.
			now, loadErr := g.file.Load()
			if loadErr != nil || !bytes.Equal(now, content) {
				kek.wipe()
				return errors.Join(err, loadErr)
			}
		}
	}
	g.kek.wipe()
	g.sealed, g.kek = sealed, kek
	return err
}

// Load returns the plain content, nil if nothing was ever stored.
func (g *Guard) Load() ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.load()
}

func (g *Guard) load() ([]byte, error) {
	if g.locked() {
		return nil, errLocked
	}
	b, err := g.file.Load()
	if err != nil || b == nil || g.sealed == nil {
		return b, err
	}
	s, err := parseSealedKey(b)
	if err != nil {
		return nil, err
	}
	return s.open(g.kek)
}

// Store seals content and stores it.
func (g *Guard) Store(content []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.locked() {
		return errLocked
	}
	g.stored = true
	if g.sealed == nil {
		return g.file.Store(content)
	}
	g.sealed.seal(g.kek, content)
	return g.file.Store(g.sealed.marshal())
}
