package vault

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// sweepChunk bounds the records that a sweep holds in memory and removes in one
// Apply.
const sweepChunk = 256

// saveFloor is how far, in seconds, the floor may run ahead of the disk's.
const saveFloor = hour

// Sweep moves the vault's time to now, which never goes back, and destroys what
// is due: the records, and the keys of buckets that are over or empty. It must
// be called once after Open before anything is read, so that nothing is shown
// after its end; then whenever Next says.
//
// Before a record goes, each is called with it, if not nil: what each puts and
// deletes in the batch is kept together with the removal, so derived records
// (previews, search rows) go with it. If each or the disk fails the sweep stops,
// and the next one meets the same records again. each may read from the vault,
// where the record is already hidden, but not commit or sweep.
//
// A sweep that destroys keys takes two durable steps. First the disk: records
// gone, and the table without the due keys, sealed under the next wrapping key.
// Then the key file: that next key in place of the old one. A crash between
// them is finished by Open, which can make the step itself; afterwards nothing
// in the key file opens an older table.
func (v *Vault) Sweep(ctx context.Context, now time.Time, each func(b *Batch, due Item) error) error {
	v.write.Lock()
	defer v.write.Unlock()
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return errLocked
	}
	v.tab.floor = max(v.tab.floor, now.Unix())
	v.swept = true
	s := sweep{v: v, each: each, batch: v.Batch(), floor: v.tab.floor, next: math.MaxInt64}
	buckets, lagging := slices.Clone(v.tab.buckets), v.keyDirty
	v.mu.Unlock()
	if lagging { // the disk may be one step ahead of the key, never two
		if err := v.settleKey(); err != nil {
			return err
		}
	}
	for i := range buckets {
		if err := s.bucket(ctx, &buckets[i]); err != nil {
			return fmt.Errorf("remove what is due: %w", err)
		}
	}
	if err := s.finish(ctx); err != nil {
		return fmt.Errorf("remove what is due: %w", err)
	}
	v.mu.Lock()
	v.next = s.next
	v.mu.Unlock()
	return nil
}

// Next returns when Sweep will have something to do; the zero time if never. It
// changes with Commit and Sweep, and may come a little early, never late.
func (v *Vault) Next() time.Time {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.next == math.MaxInt64 {
		return time.Time{}
	}
	return time.Unix(v.next, 0).UTC()
}

// sweep is one run of Sweep.
type sweep struct {
	v     *Vault
	each  func(*Batch, Item) error
	floor int64
	next  int64

	batch   *Batch   // what each asked for
	deletes []string // disk keys
	closing bool     // a bucket is to be destroyed
}

// bucket removes what is due in b, and marks it if nothing is left.
func (s *sweep) bucket(ctx context.Context, b *bucket) error {
	if b.start() > s.floor {
		s.next = min(s.next, b.start())
		return nil
	}
	for slot := s.cursor(b.id); slot < slots; slot++ {
		left, err := s.slot(ctx, b, slot)
		if err != nil {
			return err
		}
		if left != 0 {
			s.next = min(s.next, left)
			s.setCursor(b.id, slot)
			return nil
		}
	}
	// What each puts from here on goes to another bucket, even if this sweep
	// fails before the key is gone.
	s.v.mu.Lock()
	s.v.tab.byID(b.id).closing = true
	s.v.mu.Unlock()
	s.closing = true
	return nil
}

// slot removes what is due in one slot and returns the earliest end of what is
// left, 0 for nothing.
func (s *sweep) slot(ctx context.Context, b *bucket, slot int) (left int64, err error) {
	prefix := s.v.k.slotPrefix(b.id, slot)
	for after := ""; ; {
		keys, sealed, err := s.v.disk.Scan(ctx, prefix, after, sweepChunk)
		if err != nil {
			return 0, err
		}
		if len(keys) == 0 {
			return left, nil
		}
		after = keys[len(keys)-1]
		var records []string
		for i, key := range keys {
			e, err := s.v.k.openIndex(&s.v.tab, key, sealed[i])
			if err != nil {
				return 0, err
			}
			if e.Expires > s.floor {
				if left == 0 || e.Expires < left {
					left = e.Expires
				}
				continue
			}
			records = append(records, e.Key)
			s.deletes = append(s.deletes, key)
		}
		if err := s.records(ctx, records); err != nil {
			return 0, err
		}
		if len(s.deletes) >= sweepChunk {
			if err := s.flush(ctx); err != nil {
				return 0, err
			}
		}
		if len(keys) < sweepChunk {
			return left, nil
		}
	}
}

// records removes those of the records that are due: one may have been put
// again with a later end, or deleted, since its index entry was written.
func (s *sweep) records(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	sealed, err := s.v.disk.GetMany(ctx, keys)
	if err != nil {
		return err
	}
	for i, b := range sealed {
		if b == nil {
			continue
		}
		r, due, err := s.v.open(keys[i], b)
		if err != nil {
			return err
		}
		if !due {
			continue
		}
		s.deletes = append(s.deletes, keys[i])
		if s.each == nil {
			continue
		}
		if err := s.each(s.batch, Item{Name: r.name, Value: r.value, Expires: time.Unix(r.expires, 0).UTC()}); err != nil {
			return err
		}
	}
	return nil
}

// flush applies what has gathered, keys of buckets not yet touched.
func (s *sweep) flush(ctx context.Context) error {
	v := s.v
	v.mu.Lock()
	puts := map[string][]byte{}
	deletes := v.lower(s.batch, puts, s.deletes)
	table := v.tableDirty
	if table {
		puts[tableKey] = v.tab.seal(v.k)
	}
	v.mu.Unlock()
	if err := v.disk.Apply(ctx, puts, deletes); err != nil {
		return err
	}
	if table {
		v.tableSaved()
	}
	s.batch, s.deletes = v.Batch(), nil
	return nil
}

// finish applies the rest, and destroys the keys of dead buckets.
func (s *sweep) finish(ctx context.Context) error {
	v := s.v
	if !s.closing {
		v.mu.Lock()
		v.tableDirty = v.tableDirty || v.tab.floor-v.savedFloor >= saveFloor
		idle := !v.tableDirty && len(s.deletes) == 0 && s.batch.Len() == 0
		v.mu.Unlock()
		if idle {
			return nil
		}
		return s.flush(ctx)
	}
	// No reader may hold sealed records while their keys go.
	v.reading.Lock()
	v.mu.Lock()
	puts := map[string][]byte{}
	deletes := v.lower(s.batch, puts, s.deletes)
	tab, k := v.tab.clone(), v.k.forward()
	tab.buckets = slices.DeleteFunc(tab.buckets, func(b bucket) bool { return b.closing })
	puts[tableKey] = tab.seal(k)
	v.mu.Unlock()
	if err := v.disk.Apply(ctx, puts, deletes); err != nil {
		// Kept or not, the key file opens the table that is there, and no
		// bucket that holds anything is missing from it.
		v.reading.Unlock()
		return err
	}
	v.mu.Lock()
	old, before := v.k, v.tab.buckets
	v.k, v.tab, v.keyDirty = k, tab, true
	v.tableDirty, v.savedFloor = false, tab.floor
	for _, b := range before {
		if b.closing {
			delete(v.cursors, b.id)
			b.key.wipe()
		}
	}
	v.mu.Unlock()
	v.reading.Unlock()
	if err := v.settleKey(); err != nil {
		return err
	}
	old.wrapping.wipe()
	return nil
}

func (v *Vault) tableSaved() {
	v.mu.Lock()
	v.tableDirty, v.savedFloor = false, v.tab.floor
	v.mu.Unlock()
}

func (s *sweep) cursor(id bucketID) int {
	s.v.mu.RLock()
	defer s.v.mu.RUnlock()
	return s.v.cursors[id]
}

func (s *sweep) setCursor(id bucketID, slot int) {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	s.v.cursors[id] = slot
}
