package core

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
)

// memoryDisk is a vault's disk that leaves nothing behind: for trial restores.
type memoryDisk struct {
	mu      sync.Mutex
	records map[string][]byte
	keys    []string // sorted
}

func newMemoryDisk() *memoryDisk { return &memoryDisk{records: map[string][]byte{}} }

// GetMany implements vault.Disk.
func (d *memoryDisk) GetMany(_ context.Context, keys []string) ([][]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = bytes.Clone(d.records[k])
	}
	return out, nil
}

// Scan implements vault.Disk.
func (d *memoryDisk) Scan(_ context.Context, prefix, after string, limit int) (keys []string, values [][]byte, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	from, found := slices.BinarySearch(d.keys, max(prefix, after))
	if found && after >= prefix {
		from++
	}
	for _, k := range d.keys[from:] {
		if len(keys) == limit || !strings.HasPrefix(k, prefix) {
			break
		}
		keys, values = append(keys, k), append(values, bytes.Clone(d.records[k]))
	}
	return keys, values, nil
}

// Apply implements vault.Disk.
func (d *memoryDisk) Apply(_ context.Context, puts map[string][]byte, deletes []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range deletes {
		delete(d.records, k)
	}
	for k, v := range puts {
		d.records[k] = bytes.Clone(v)
	}
	d.keys = d.keys[:0]
	for k := range d.records {
		d.keys = append(d.keys, k)
	}
	slices.Sort(d.keys)
	return nil
}

// memoryKey is the key file of such a vault.
type memoryKey struct{ b []byte }

// Load implements vault.KeyFile.
func (k *memoryKey) Load() ([]byte, error) { return k.b, nil }

// Store implements vault.KeyFile.
func (k *memoryKey) Store(b []byte) error {
	k.b = bytes.Clone(b)
	return nil
}
