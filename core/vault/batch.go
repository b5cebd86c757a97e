package vault

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hearth/wire"
)

// Batch is a set of changes that is kept whole or not at all. It is not safe for
// several goroutines. Of several changes to one name the last counts.
type Batch struct {
	ops   map[string]op
	order []string // names in the order of their first change
}

type op struct {
	value   []byte
	expires int64
	remove  bool
}

// Batch returns an empty batch.
func (v *Vault) Batch() *Batch { return &Batch{ops: map[string]op{}} }

// Put keeps value, which must not be changed until the batch is committed, under
// name, without an end.
func (b *Batch) Put(name string, value []byte) { b.set(name, op{value: value}) }

// PutUntil keeps value under name until expires: then it is gone, from Get and
// Scan at once, from the disk with the next Sweep. An end that the vault has
// already passed removes the name. The zero time means no end.
func (b *Batch) PutUntil(name string, value []byte, expires time.Time) {
	if expires.IsZero() {
		b.Put(name, value)
		return
	}
	b.set(name, op{value: value, expires: expiry(expires)})
}

// Delete removes name. An absent name is no error.
func (b *Batch) Delete(name string) { b.set(name, op{remove: true}) }

// Len returns the number of names that the batch changes.
func (b *Batch) Len() int { return len(b.order) }

func (b *Batch) set(name string, o op) {
	if _, ok := b.ops[name]; !ok {
		b.order = append(b.order, name)
	}
	b.ops[name] = o
}

// Commit keeps the batch: one Apply, durable when it returns nil. After an error
// the batch was kept whole or not at all, and it is not known which: read
// again, or commit the same again. An empty batch does nothing.
func (v *Vault) Commit(ctx context.Context, b *Batch) error {
	if b.Len() == 0 {
		return nil
	}
	v.write.Lock()
	defer v.write.Unlock()
	puts, deletes := map[string][]byte{}, []string(nil)
	v.mu.Lock()
	if err := v.ready(); err != nil {
		v.mu.Unlock()
		return err
	}
	deletes = v.lower(b, puts, deletes)
	table := v.tableDirty
	if table {
		puts[tableKey] = v.tab.seal(v.k)
	}
	v.mu.Unlock()
	if err := v.disk.Apply(ctx, puts, deletes); err != nil {
		// A new bucket stays in memory and the table stays dirty: whether or
		// not this was kept, the next Apply carries the bucket's key.
		return fmt.Errorf("keep a batch: %w", err)
	}
	if table {
		v.tableSaved()
	}
	return nil
}

// lower turns a batch into changes of the disk; mu is held.
func (v *Vault) lower(b *Batch, puts map[string][]byte, deletes []string) []string {
	for _, name := range b.order {
		o := b.ops[name]
		key := v.k.diskKey(name)
		if o.remove || o.expires != 0 && o.expires <= v.tab.floor {
			// An index entry that is left behind is dropped when it is due.
			deletes = append(deletes, key)
			continue
		}
		var in *bucket
		if o.expires != 0 {
			var fresh bool
			in, fresh = v.tab.with(o.expires)
			v.tableDirty = v.tableDirty || fresh
			slot := in.slot(o.expires)
			if at, ok := v.cursors[in.id]; ok && slot < at {
				v.cursors[in.id] = slot
			}
			v.next = min(v.next, o.expires)
			entry := v.k.indexKey(in.id, slot, key)
			puts[entry] = v.k.sealIndex(entry, indexEntry{Expires: o.expires, Key: key})
		}
		puts[key] = v.k.sealRecord(key, in, record{name: name, expires: o.expires, value: o.value})
	}
	// In a sweep the batch may put again what was about to go.
	return slices.DeleteFunc(deletes, func(key string) bool { return puts[key] != nil })
}

// The index of ends has one sealed entry a record, under a pseudorandom key
// that is common to one slot of one bucket.
type indexEntry struct {
	_       struct{} `cbor:",toarray"`
	Expires int64
	Key     string // the record's disk key
}

func (k *keyring) slotPrefix(id bucketID, slot int) string {
	return indexPrefix + prf(k.index, string(id[:]), string([]byte{byte(slot)})) + "/"
}

func (k *keyring) indexKey(id bucketID, slot int, diskKey string) string {
	return k.slotPrefix(id, slot) + prf(k.index, "key", diskKey)
}

func (k *keyring) sealIndex(at string, e indexEntry) []byte {
	return k.sealRecord(at, nil, record{value: wire.Encode(e)})
}

func (k *keyring) openIndex(t *table, at string, b []byte) (e indexEntry, err error) {
	r, err := k.openRecord(t, at, b)
	if err != nil {
		return e, err
	}
	if err := wire.Decode(r.value, &e); err != nil {
		return e, damagedRecord()
	}
	return e, nil
}
