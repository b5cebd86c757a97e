// Package vault keeps what a client knows, sealed, on a disk that is handed in.
//
// It promises that no value and no name lies in clear on the disk; that a batch
// is kept whole or not at all; that what was put with an end is gone after it:
// not shown, not stored, and not to be opened from an older image of the disk
// with the present key; that damage is said and never looks like a new home;
// and that its memory does not grow with the history it holds.
//
// Two things live outside: the records, behind Disk, and the keys, behind
// KeyFile. Whoever has both and was given no passphrase reads all that has not
// expired; whoever has one of them reads nothing.
//
// Start with Open, then Batch and Commit. The key schedule is in keyring.go,
// names in names.go, expiry in bucket.go and sweep.go.
package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"hearth/wire"
)

// Disk is ordered storage for sealed records: SQLite natively, IndexedDB or OPFS
// in a browser, memory in tests. Keys are printable ASCII, at most 200 bytes;
// order is by byte. It holds only standard types, so that an engine need not
// import this package. Its methods may be called from several goroutines.
type Disk interface {
	// GetMany returns the values of keys, in their order; nil for an absent
	// one. The caller owns the result.
	GetMany(ctx context.Context, keys []string) ([][]byte, error)
	// Scan returns, in order, at most limit records whose keys begin with
	// prefix and sort behind after.
	Scan(ctx context.Context, prefix, after string, limit int) (keys []string, values [][]byte, err error)
	// Apply puts and deletes, all or nothing, and is durable when it returns.
	// After an error the caller doesn't know which of the two it was.
	Apply(ctx context.Context, puts map[string][]byte, deletes []string) error
}

// KeyFile is the small place that the vault's keys lie in, apart from the disk:
// a file of the home natively.
type KeyFile interface {
	// Load returns what was stored last, or nil if nothing ever was.
	Load() ([]byte, error)
	// Store replaces the content, all or nothing, and is durable when it
	// returns. What it replaces is destroyed as well as the medium allows.
	Store(content []byte) error
}

// Vault is an open vault. Its methods may be called from several goroutines.
type Vault struct {
	disk Disk
	file KeyFile

	// write is held by whoever changes the disk: batches and sweeps are one
	// after another, so that the table on disk never goes backwards.
	write sync.Mutex

	// reading is held, shared, by whoever reads sealed records and opens them,
	// and alone by a sweep while it destroys keys.
	reading sync.RWMutex

	// mu guards what follows; no I/O happens under it.
	mu sync.RWMutex
	k  keyring
	// tab is the table of live buckets. A bucket in it may not be on the disk
	// yet: then tableDirty is set and the next Apply carries the table.
	tab        table
	tableDirty bool
	// keyDirty says that the disk's table may be sealed under a wrapping key
	// that the key file doesn't hold yet: no sweep begins before it does.
	keyDirty bool
	// cursors are the slots of each bucket that a sweep may begin at.
	cursors map[bucketID]int
	// next is when the next sweep is due, Unix seconds; savedFloor the floor
	// that the disk's table has.
	next, savedFloor int64
	// swept says that the first sweep has come; closed vaults answer locked.
	swept, closed bool
}

// Open opens the vault on disk with the keys in file, or founds a new one if
// both are empty. It reads O(1) records.
//
// Errors: damaged when one of the two is missing, doesn't fit the other, or was
// changed; locked when the keys need a passphrase; unsupported when a newer
// version wrote it; else what disk and file say.
func Open(ctx context.Context, disk Disk, file KeyFile) (*Vault, error) {
	v := &Vault{disk: disk, file: file, cursors: map[bucketID]int{}, next: math.MaxInt64}
	content, err := file.Load()
	if err != nil {
		return nil, fmt.Errorf("read the vault's key: %w", err)
	}
	keys, _, err := disk.Scan(ctx, "", "", 1)
	if err != nil {
		return nil, fmt.Errorf("read the vault: %w", err)
	}
	empty := len(keys) == 0
	switch {
	case content == nil && empty:
		return opened(v, v.found(ctx, newKeyring()))
	case content == nil:
		return nil, &wire.Error{Code: wire.Damaged, Message: "this home has data but its key is missing",
			Next: "put the home's key file back, or restore a backup into a new home"}
	}
	k, err := parseKeyring(content)
	if err != nil {
		return nil, err
	}
	if empty {
		if k.founding { // died between the key and the first record: nothing was ever in it
			return opened(v, v.found(ctx, k))
		}
		return nil, &wire.Error{Code: wire.Damaged, Message: "this home has a key but its data are missing",
			Next: "put the home's data back, or restore a backup into a new home"}
	}
	return opened(v, v.load(ctx, k))
}

func opened(v *Vault, err error) (*Vault, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// found makes a new vault in three durable steps: the key marked as founding,
// the table, the key. A crash between any two is finished by the next Open.
func (v *Vault) found(ctx context.Context, k keyring) error {
	k.founding = true
	v.k = k
	if err := v.file.Store(k.marshal()); err != nil {
		return fmt.Errorf("keep the vault's key: %w", err)
	}
	if err := v.disk.Apply(ctx, map[string][]byte{tableKey: v.tab.seal(k)}, nil); err != nil {
		return fmt.Errorf("found the vault: %w", err)
	}
	return v.settleKey()
}

// load reads the table. The disk may be one step ahead of the key file: a sweep
// died between the two (sweep.go).
func (v *Vault) load(ctx context.Context, k keyring) error {
	got, err := v.disk.GetMany(ctx, []string{tableKey})
	if err != nil {
		return fmt.Errorf("read the vault's table: %w", err)
	}
	if len(got) != 1 || got[0] == nil {
		return damagedTable("the table of this home is missing")
	}
	tab, generation, err := openTable(k, got[0])
	if err != nil {
		return err
	}
	v.k, v.tab, v.savedFloor = k, tab, tab.floor
	if generation != k.generation {
		v.k = k.forward()
		v.keyDirty = true
	}
	if k.founding || v.keyDirty {
		return v.settleKey()
	}
	return nil
}

// settleKey makes the key file hold the present keys.
func (v *Vault) settleKey() error {
	v.mu.Lock()
	k := v.k
	k.founding = false
	v.mu.Unlock()
	if err := v.file.Store(k.marshal()); err != nil {
		return fmt.Errorf("keep the vault's key: %w", err)
	}
	v.mu.Lock()
	v.k, v.keyDirty = k, false
	v.mu.Unlock()
	return nil
}

// Close forgets the keys. Every later call answers locked.
func (v *Vault) Close() {
	v.write.Lock()
	defer v.write.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.k.wipe()
	for i := range v.tab.buckets {
		v.tab.buckets[i].key.wipe()
	}
	v.tab, v.closed = table{}, true
}

// ready fails for a closed vault, and before the first sweep; mu is held.
func (v *Vault) ready() error {
	if v.closed {
		return errLocked
	}
	if !v.swept {
		return errNotSwept
	}
	return nil
}

var (
	// errNotSwept is a bug of the caller: what is due must go first (A53).
	errNotSwept = &wire.Error{Code: wire.Internal, Message: "the home was used before what is due was removed"}
	errLocked   = &wire.Error{Code: wire.Locked, Message: "this home is locked", Next: "unlock it"}

	errUnsealed = errors.New("does not open")
)

func damagedTable(message string) *wire.Error {
	return &wire.Error{Code: wire.Damaged, Message: message,
		Next: "put the home back as it was, or restore a backup into a new home"}
}

func damagedRecord() *wire.Error {
	return &wire.Error{Code: wire.Damaged, Message: "a record of this home is damaged and was not used",
		Next: "copy the home away, then restore a backup into a new home"}
}

// Expired reports whether an item that ends at expires is due at the time that
// the vault has reached, which never goes back (attack A53).
func (v *Vault) Expired(expires time.Time) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return !expires.IsZero() && expiry(expires) <= v.tab.floor
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
