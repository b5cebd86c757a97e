package vault

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"

	"hearth/wire"
)

// Records are sealed with XChaCha20-Poly1305 under random nonces, with their
// disk key as associated data: a record moved to another place doesn't open.
// ChaCha20 because AES in a browser's Go isn't constant time.

const recordVersion = 1

// record is what a sealed record says. Its name is inside, for on the disk it
// is only a pseudorandom string.
type record struct {
	name    string
	expires int64 // Unix seconds; 0: no end
	value   []byte
}

// A sealed record: version, masked bucket id, nonce, ciphertext. The mask hides
// which records end on the same day.
const recordHeader = 1 + len(bucketID{}) + chacha20poly1305.NonceSizeX

// sealRecord seals r for its place. b is nil for a record without an end.
func (k *keyring) sealRecord(diskKey string, b *bucket, r record) []byte {
	plain := binary.AppendUvarint(nil, uint64(r.expires))
	plain = binary.AppendUvarint(plain, uint64(len(r.name)))
	plain = append(plain, r.name...)
	plain = binary.AppendUvarint(plain, uint64(len(r.value)))
	plain = append(plain, r.value...)
	plain = append(plain, make([]byte, padded(len(plain))-len(plain))...)

	key, id := k.keep, bucketID{}
	if b != nil {
		key, id = b.key, b.id
	}
	nonce := random(chacha20poly1305.NonceSizeX)
	out := make([]byte, 0, recordHeader+len(plain)+chacha20poly1305.Overhead)
	out = append(out, recordVersion)
	out = append(out, k.mask(id, nonce)...)
	out = append(out, nonce...)
	return aead(key).Seal(out, nonce, plain, recordAAD(diskKey, id))
}

// openRecord opens what lies at diskKey.
func (k *keyring) openRecord(t *table, diskKey string, b []byte) (record, error) {
	if len(b) < recordHeader {
		return record{}, damagedRecord()
	}
	if b[0] != recordVersion {
		return record{}, unsupportedVersion()
	}
	nonce := b[1+len(bucketID{}) : recordHeader]
	id := bucketID(k.mask(bucketID(b[1:]), nonce))
	key := k.keep
	if id != (bucketID{}) {
		bucket := t.byID(id)
		if bucket == nil {
			return record{}, damagedRecord()
		}
		key = bucket.key
	}
	plain, err := aead(key).Open(nil, nonce, b[recordHeader:], recordAAD(diskKey, id))
	if err != nil {
		return record{}, damagedRecord()
	}
	r, ok := parseRecord(plain)
	if !ok {
		return record{}, damagedRecord()
	}
	return r, nil
}

func parseRecord(b []byte) (r record, ok bool) {
	next := func() (n uint64) {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			ok = false
			return 0
		}
		b = b[size:]
		return n
	}
	take := func(n uint64) (part []byte) {
		if n > uint64(len(b)) {
			ok = false
			return nil
		}
		part, b = b[:n:n], b[n:]
		return part
	}
	ok = true
	r.expires = int64(next())
	r.name = string(take(next()))
	r.value = take(next())
	return r, ok
}

// mask hides a bucket id, and shows it again.
func (k *keyring) mask(id bucketID, nonce []byte) []byte {
	h := hmac.New(sha256.New, k.masks.bytes())
	h.Write(nonce)
	stream := h.Sum(nil)
	for i := range id {
		id[i] ^= stream[i]
	}
	return id[:]
}

func recordAAD(diskKey string, id bucketID) []byte {
	return append([]byte(diskKey+"\x00"), id[:]...)
}

// padded returns the size that n bytes are stored in: steps of 64 bytes, then
// of an eighth, so that a length says little.
func padded(n int) int {
	step := 64
	for step*16 <= n {
		step *= 2
	}
	return (n + step - 1) / step * step
}

func aead(key secret) cipher.AEAD {
	a, err := chacha20poly1305.NewX(key.bytes())
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	return a
}

// sealCommitting seals under a key for which a second one might be tried: what
// opens commits to its key (attack A31). Nonce, commitment, ciphertext.
func sealCommitting(key secret, aad, plain []byte) []byte {
	nonce := random(chacha20poly1305.NonceSizeX)
	enc, commitment := committed(key, nonce)
	return aead(enc).Seal(append(nonce, commitment...), nonce, plain, aad)
}

func openCommitting(key secret, aad, b []byte) ([]byte, error) {
	const head = chacha20poly1305.NonceSizeX + 32
	if len(b) < head {
		return nil, errUnsealed
	}
	nonce := b[:chacha20poly1305.NonceSizeX]
	enc, commitment := committed(key, nonce)
	if !hmac.Equal(commitment, b[len(nonce):head]) {
		return nil, errUnsealed
	}
	plain, err := aead(enc).Open(nil, nonce, b[head:], aad)
	if err != nil {
		return nil, errUnsealed
	}
	return plain, nil
}

func committed(key secret, nonce []byte) (enc secret, commitment []byte) {
	b, err := hkdf.Expand(sha256.New, key.bytes(), "hearth vault v1 commit "+string(nonce), 64)
	if err != nil {
		panic(err) // a constant length within bounds
	}
	return secretFrom(b[:32]), b[32:]
}

func unsupportedVersion() *wire.Error {
	return &wire.Error{Code: wire.Unsupported, Message: "this home was written by another version of hearth",
		Next: "use the version that last opened this home, or a newer one"}
}
