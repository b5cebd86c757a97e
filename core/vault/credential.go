package vault

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/secure/precis"

	"hearth/wire"
)

// Credential is what a person shows to open a sealed key file: a passphrase, or
// the content of a file that lies elsewhere. It prints as "secret".
type Credential struct {
	kind   Protection
	secret *[]byte
}

func (Credential) String() string   { return "secret" }
func (Credential) GoString() string { return "secret" }

// Kind says which protection the credential is for.
func (c Credential) Kind() Protection { return c.kind }

// Wipe clears the credential; it opens nothing afterwards.
func (c Credential) Wipe() {
	if c.secret != nil {
		clear(*c.secret)
	}
}

// MinPassphrase is the fewest characters that a new passphrase may have. It
// stops a slip of the finger, not a bad choice: docs/decisions says what a
// guess costs.
const MinPassphrase = 8

// maxPassphrase bounds what is read, in bytes.
const maxPassphrase = 1024

// Passphrase returns the credential of a passphrase. It is read as RFC 8265 §4.2
// says (OpaqueString), so that it is the same whatever keyboard wrote it.
func Passphrase(text []byte) (Credential, error) {
	wrong := wire.Errorf(wire.BadInput, "that can't be a passphrase").
		WithNext("use at least 8 characters that can be typed, on one line")
	if len(text) > maxPassphrase || !utf8.Valid(text) {
		return Credential{}, wrong
	}
	b, err := precis.OpaqueString.Bytes(text)
	if err != nil || len(b) == 0 {
		return Credential{}, wrong
	}
	b = bytes.Clone(b) // text is the caller's to clear
	return Credential{kind: ByPassphrase, secret: &b}, nil
}

// strong refuses a new passphrase that is too short.
func (c Credential) strong() error {
	if c.kind == ByPassphrase && utf8.RuneCount(*c.secret) < MinPassphrase {
		return wire.Errorf(wire.BadInput, "that passphrase is too short").
			WithNext("use at least 8 characters; several words are easier to keep than few signs")
	}
	return nil
}

// The content of a key file that lies elsewhere: a word that says what it is,
// and 32 random bytes. It is text, so that it can be printed and typed.
const keyFilePrefix = "hearth-key-1 "

// NewKeyFile returns the content of a new key file.
func NewKeyFile() []byte {
	return append([]byte(keyFilePrefix+base64.RawURLEncoding.EncodeToString(random(32))), '\n')
}

// FromKeyFile returns the credential of a key file's content.
func FromKeyFile(content []byte) (Credential, error) {
	text, ok := strings.CutPrefix(string(content), keyFilePrefix)
	text, end := strings.CutSuffix(text, "\n")
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if !ok || !end || err != nil || len(b) != 32 || strings.ContainsAny(text, "\r\n") {
		return Credential{}, wire.Errorf(wire.BadInput, "that file is not a key file of hearth").
			WithNext("name the file that was made for this home, or one that does not exist yet for a new one")
	}
	return Credential{kind: ByKeyFile, secret: &b}, nil
}

// Cost is what one guess of a passphrase costs: Argon2id, RFC 9106.
type Cost struct {
	Passes uint32
	Memory uint32 // KiB
	Lanes  uint8
}

// The costs that are used. Three passes over 64 MiB in four lanes is the second
// recommendation of RFC 9106 §4, and the least that this program sets;
// docs/decisions/0026-passphrase.md says why not more.
const (
	costPasses = 3
	costLanes  = 4
	minMemory  = 64 << 10  // KiB
	maxMemory  = 128 << 10 // KiB
)

// CostFor returns the cost for a machine with so many bytes of memory; 0 when
// that isn't known. A home that moves to a smaller machine keeps its cost.
func CostFor(memory uint64) Cost {
	kib := uint32(min(max(memory/16>>10, minMemory), maxMemory))
	return Cost{Passes: costPasses, Memory: kib, Lanes: costLanes}
}

// Bounds on what a key file may ask of this machine: a file that somebody
// changed must not take all of its memory or time.
const (
	mostPasses = 32
	mostMemory = 1 << 20 // KiB: 1 GiB
	mostLanes  = 16
)

func (c Cost) valid() bool {
	return c.Passes >= 1 && c.Passes <= mostPasses && c.Lanes >= 1 && c.Lanes <= mostLanes &&
		c.Memory >= 8*uint32(c.Lanes) && c.Memory <= mostMemory
}

// key returns the key that the credential stands for in one sealed key file.
func (c Credential) key(salt []byte, cost Cost) secret {
	if c.kind == ByPassphrase {
		b := argon2.IDKey(*c.secret, salt, cost.Passes, cost.Memory, cost.Lanes, 32)
		defer clear(b)
		return secretFrom(b)
	}
	b, err := hkdf.Key(sha256.New, *c.secret, salt, "hearth vault v1 key file", 32)
	if err != nil {
		panic(err) // a constant length within bounds
	}
	defer clear(b)
	return secretFrom(b)
}
