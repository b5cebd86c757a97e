package vault

import (
	"context"
	"fmt"
	"time"
)

// Item is one opened record.
type Item struct {
	Name  string
	Value []byte
	// Expires is when it ends; zero for never.
	Expires time.Time
}

// Get returns the value under name, and whether there is one. What is due is
// not there, swept or not.
func (v *Vault) Get(ctx context.Context, name string) (value []byte, ok bool, err error) {
	values, err := v.GetMany(ctx, []string{name})
	if err != nil {
		return nil, false, err
	}
	return values[0], values[0] != nil, nil
}

// GetMany returns the values of names, in their order; nil for an absent one,
// not nil for an empty one.
func (v *Vault) GetMany(ctx context.Context, names []string) ([][]byte, error) {
	v.reading.RLock()
	defer v.reading.RUnlock()
	keys := make([]string, len(names))
	v.mu.RLock()
	if err := v.ready(); err != nil {
		v.mu.RUnlock()
		return nil, err
	}
	for i, name := range names {
		keys[i] = v.k.diskKey(name)
	}
	v.mu.RUnlock()
	sealed, err := v.disk.GetMany(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	if len(sealed) != len(keys) {
		return nil, damagedRecord()
	}
	values := make([][]byte, len(names))
	for i, b := range sealed {
		if b == nil {
			continue
		}
		r, due, err := v.open(keys[i], b)
		if err != nil {
			return nil, err
		}
		if due {
			continue
		}
		if r.name != names[i] {
			return nil, damagedRecord()
		}
		values[i] = append([]byte{}, r.value...)
	}
	return values, nil
}

// Scan returns at most limit records under prefix, which is one or more whole
// segments, or "" for all, that come behind the record after ("" for the first).
// Numbered records of one parent come in order of their numbers, all others in
// an order of their own that stays. Fewer than limit means that there are no
// more.
func (v *Vault) Scan(ctx context.Context, prefix, after string, limit int) ([]Item, error) {
	v.reading.RLock()
	defer v.reading.RUnlock()
	v.mu.RLock()
	if err := v.ready(); err != nil {
		v.mu.RUnlock()
		return nil, err
	}
	diskPrefix, diskAfter := v.k.diskPrefix(prefix), ""
	if after != "" {
		diskAfter = v.k.diskKey(after)
	}
	v.mu.RUnlock()
	var items []Item
	for len(items) < limit {
		want := limit - len(items)
		keys, sealed, err := v.disk.Scan(ctx, diskPrefix, diskAfter, want)
		if err != nil {
			return nil, fmt.Errorf("read records: %w", err)
		}
		for i, b := range sealed {
			r, due, err := v.open(keys[i], b)
			if err != nil {
				return nil, err
			}
			if due {
				continue
			}
			it := Item{Name: r.name, Value: r.value}
			if r.expires != 0 {
				it.Expires = time.Unix(r.expires, 0).UTC()
			}
			items = append(items, it)
		}
		if len(keys) < want {
			break
		}
		diskAfter = keys[len(keys)-1]
	}
	return items, nil
}

// open opens a record and says whether it is due.
func (v *Vault) open(key string, b []byte) (r record, due bool, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if err := v.ready(); err != nil {
		return r, false, err
	}
	r, err = v.k.openRecord(&v.tab, key, b)
	if err != nil {
		return r, false, err
	}
	return r, r.expires != 0 && r.expires <= v.tab.floor, nil
}
