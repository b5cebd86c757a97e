package vaulttest

import (
	"context"
	"errors"
	"sync"
)

// ErrFault is what a chosen step answers, and all steps behind it where the
// process counts as killed.
var ErrFault = errors.New("vaulttest: the disk failed here")

// Faults counts durable steps, over all the disks and key files that it wraps,
// and makes one of them fail: in both ways that a step can (style.md, "Tests").
//
//	f := vaulttest.Faults{}                                   // counts only
//	f := vaulttest.Faults{At: 3, Kept: true, Kill: true}
//	v, err := vault.Open(ctx, f.Disk(disk), f.Key(key))
//
// A test runs its story once with the zero Faults, asserts Steps, then runs it
// for each step, kept and not kept, and opens the bare disk again.
type Faults struct {
	// At is the step that fails, from 1; 0 for none.
	At int
	// Kept: the step is done, and only its answer is lost.
	Kept bool
	// Kill: after that step everything fails, reads too, as if the process had
	// died there. Without it the disk works again afterwards.
	Kill bool
	// OnFault is called, if not nil, as the step fails, before it returns.
	OnFault func()
	// OnStep is called, if not nil, with the number of each step before it is
	// done, by whoever takes it: a test can tell from the stack what it is.
	OnStep func(n int)

	mu    sync.Mutex
	steps int
	dead  bool
}

// Steps returns how many durable steps there were.
func (f *Faults) Steps() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.steps
}

// Failed reports whether the chosen step was reached.
func (f *Faults) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.At != 0 && f.steps >= f.At
}

func (f *Faults) step(do func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return ErrFault
	}
	f.steps++
	if f.OnStep != nil {
		f.OnStep(f.steps)
	}
	if f.steps != f.At {
		return do()
	}
	f.dead = f.Kill
	if f.Kept {
		if err := do(); err != nil {
			return err
		}
	}
	if f.OnFault != nil {
		f.OnFault()
	}
	return ErrFault
}

func (f *Faults) alive() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return ErrFault
	}
	return nil
}

// disk is vault.Disk, written out so that any engine can be wrapped.
type disk interface {
	GetMany(ctx context.Context, keys []string) ([][]byte, error)
	Scan(ctx context.Context, prefix, after string, limit int) ([]string, [][]byte, error)
	Apply(ctx context.Context, puts map[string][]byte, deletes []string) error
}

// Disk is a disk whose Apply calls are steps of a Faults.
type Disk struct {
	f *Faults
	d disk
}

// Disk wraps d.
func (f *Faults) Disk(d disk) *Disk { return &Disk{f, d} }

// GetMany reads.
func (d *Disk) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if err := d.f.alive(); err != nil {
		return nil, err
	}
	return d.d.GetMany(ctx, keys)
}

// Scan reads.
func (d *Disk) Scan(ctx context.Context, prefix, after string, limit int) ([]string, [][]byte, error) {
	if err := d.f.alive(); err != nil {
		return nil, nil, err
	}
	return d.d.Scan(ctx, prefix, after, limit)
}

// Apply is a step.
func (d *Disk) Apply(ctx context.Context, puts map[string][]byte, deletes []string) error {
	return d.f.step(func() error { return d.d.Apply(ctx, puts, deletes) })
}

type keyFile interface {
	Load() ([]byte, error)
	Store([]byte) error
}

// KeyFile is a key file whose Store calls are steps of a Faults.
type KeyFile struct {
	f *Faults
	k keyFile
}

// Key wraps k.
func (f *Faults) Key(k keyFile) *KeyFile { return &KeyFile{f, k} }

// Load reads.
func (k *KeyFile) Load() ([]byte, error) {
	if err := k.f.alive(); err != nil {
		return nil, err
	}
	return k.k.Load()
}

// Store is a step.
func (k *KeyFile) Store(content []byte) error {
	return k.f.step(func() error { return k.k.Store(content) })
}
