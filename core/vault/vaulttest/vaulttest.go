// Package vaulttest holds doubles of what a vault stands on: a disk and a key
// file in memory, and faults at chosen durable steps. For tests only.
//
// Start with Memory and Faults.
package vaulttest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Memory is a disk in memory. The zero value is empty and ready.
type Memory struct {
	mu     sync.Mutex
	m      map[string][]byte
	sorted []string // nil: not known
}

// GetMany returns copies.
func (d *Memory) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	values := make([][]byte, len(keys))
	for i, k := range keys {
		values[i] = bytes.Clone(d.m[k])
	}
	return values, nil
}

// Scan returns copies, in order.
func (d *Memory) Scan(ctx context.Context, prefix, after string, limit int) ([]string, [][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sorted == nil {
		d.sorted = slices.Sorted(maps.Keys(d.m))
	}
	var keys []string
	var values [][]byte
	i, _ := slices.BinarySearch(d.sorted, max(prefix, after))
	for ; i < len(d.sorted) && len(keys) < limit; i++ {
		k := d.sorted[i]
		if !strings.HasPrefix(k, prefix) {
			break
		}
		if k > after {
			keys, values = append(keys, k), append(values, bytes.Clone(d.m[k]))
		}
	}
	return keys, values, nil
}

// Apply changes all or, if ctx has ended, nothing.
func (d *Memory) Apply(ctx context.Context, puts map[string][]byte, deletes []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.m == nil {
		d.m = map[string][]byte{}
	}
	for _, k := range deletes {
		if _, both := puts[k]; both {
			return errors.New("vaulttest: a key is both put and deleted")
		}
		if _, ok := d.m[k]; ok {
			delete(d.m, k)
			d.remove(k)
		}
	}
	for k, v := range puts {
		if _, ok := d.m[k]; !ok {
			d.insert(k)
		}
		d.m[k] = append([]byte{}, v...)
	}
	return nil
}

// insert keeps sorted as it is known; mu is held.
func (d *Memory) insert(k string) {
	if d.sorted == nil {
		return
	}
	i, _ := slices.BinarySearch(d.sorted, k)
	d.sorted = slices.Insert(d.sorted, i, k)
}

// remove keeps sorted as it is known; mu is held.
func (d *Memory) remove(k string) {
	if i, ok := slices.BinarySearch(d.sorted, k); ok {
		d.sorted = slices.Delete(d.sorted, i, i+1)
	}
}

// Copy returns an image of the disk, as a thief or a backup would take it.
func (d *Memory) Copy() *Memory {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &Memory{m: map[string][]byte{}}
	for k, v := range d.m {
		c.m[k] = bytes.Clone(v)
	}
	return c
}

// Bytes returns every byte that is stored, keys and values, in order of keys.
func (d *Memory) Bytes() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b []byte
	for _, k := range slices.Sorted(maps.Keys(d.m)) {
		b = append(append(b, k...), d.m[k]...)
	}
	return b
}

// Len returns the number of records.
func (d *Memory) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.m)
}

// Change calls f with each record; what f returns takes the value's place, nil
// the record's. It plays damage.
func (d *Memory) Change(f func(key string, value []byte) []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sorted = nil
	for _, k := range slices.Sorted(maps.Keys(d.m)) {
		if v := f(k, bytes.Clone(d.m[k])); v != nil {
			d.m[k] = v
		} else {
			delete(d.m, k)
		}
	}
}

// Key is a key file in memory. The zero value is empty and ready.
type Key struct {
	mu      sync.Mutex
	content []byte
}

// Load returns a copy of what was stored last, nil for nothing.
func (k *Key) Load() ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return bytes.Clone(k.content), nil
}

// Store keeps a copy.
func (k *Key) Store(content []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.content = append([]byte{}, content...)
	return nil
}

// Copy returns an image of the key file.
func (k *Key) Copy() *Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return &Key{content: bytes.Clone(k.content)}
}
