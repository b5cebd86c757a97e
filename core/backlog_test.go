package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hearth/core/vault"
	"hearth/core/vault/vaulttest"
)

// slimDisk refuses what is more than its most in one Apply, and counts the
// others. It is what a disk with little room left does.
type slimDisk struct {
	vault.Disk
	mu      sync.Mutex
	most    int
	applies int
	refused int
}

func (d *slimDisk) Apply(ctx context.Context, puts map[string][]byte, deletes []string) error {
	d.mu.Lock()
	most := d.most
	d.applies++
	if most != 0 && len(puts) > most {
		d.refused++
	}
	d.mu.Unlock()
	if most != 0 && len(puts) > most {
		return vaulttest.ErrFault
	}
	return d.Disk.Apply(ctx, puts, deletes)
}

// backlogOf has messages wait for bob, who is stopped.
func backlogOf(t *testing.T, n int) (bob *home, room string, want []string) {
	w := newWorld(t)
	alice, bob := w.person("alice"), w.person("bob")
	alice.receipts(false)
	bob.receipts(false)
	room = alice.send("bob", "hello").Room
	bob.accept()
	time.Sleep(time.Minute)
	bob.got()
	bob.stop()
	for i := range n {
		want = append(want, fmt.Sprint("message ", i))
		alice.send(room, want[i])
	}
	time.Sleep(time.Minute)
	alice.stop()
	return bob, room, want
}

// TestABacklogIsSavedSeveralPostsAtATime: a device that was away for long writes
// its disk less often than it reads posts.
func TestABacklogIsSavedSeveralPostsAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n = 64
		bob, _, want := backlogOf(t, n)
		disk := &slimDisk{Disk: bob.disk}
		bob.disk = disk
		bob.start()
		if err := bob.c.CatchUp(bob.ctx()); err != nil {
			t.Fatal(err)
		}
		if disk.applies > n/2 {
			t.Errorf("%d posts took %d writes", n, disk.applies)
		}
		if got := texts(bob.got()); !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}

// TestPostsThatCannotBeSavedTogetherAreSavedOneByOne: one that has no effects
// must not keep those before it from theirs.
func TestPostsThatCannotBeSavedTogetherAreSavedOneByOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bob, _, want := backlogOf(t, 24)
		disk := &slimDisk{Disk: bob.disk, most: 30}
		bob.disk = disk
		bob.start()
		if err := bob.c.CatchUp(bob.ctx()); err != nil {
			t.Fatal(err)
		}
		if disk.refused == 0 {
			t.Error("nothing was too much at once: the test does not test")
		}
		if got := texts(bob.got()); !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}

// TestAWriteOfSeveralPostsFails, kept or not kept, at every step of a backlog (the
// first ones, in go test alone): nothing is lost, nothing comes twice.
func TestAWriteOfSeveralPostsFails(t *testing.T) {
	const n = 24
	steps, most := 1, 4
	if full() {
		most = 16
	}
	for at := 1; at <= steps; at++ {
		for _, kept := range []bool{false, true} {
			for _, kill := range []bool{false, true} {
				bubble(t, func(t *testing.T) {
					bob, room, want := backlogOf(t, n)
					bare := bob.disk
					faults := &vaulttest.Faults{At: at, Kept: kept, Kill: kill}
					bob.disk = faults.Disk(bare)
					c, err := bob.open()
					if err == nil {
						bob.run(c)
						ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
						if err := c.CatchUp(ctx); err != nil && !errors.Is(err, vaulttest.ErrFault) && ctx.Err() == nil {
							t.Errorf("step %d: catch up: %v", at, err)
						}
						cancel()
						if kill {
							bob.kill()
						} else {
							bob.stop()
						}
					}
					steps = max(steps, min(faults.Steps(), most))
					bob.disk = bare
					bob.start()
					if err := bob.c.CatchUp(bob.ctx()); err != nil {
						t.Fatal(err)
					}
					h, err := bob.c.History(bob.ctx(), room, n)
					if got := texts(h); err != nil || !slices.Equal(got, want) {
						t.Errorf("step %d, kept %v, killed %v: %v, got %q", at, kept, kill, err, got)
					}
					if got := texts(bob.got()); !slices.Equal(got, want) {
						t.Errorf("step %d, kept %v, killed %v: given out %q", at, kept, kill, got)
					}
				})
			}
		}
	}
}
