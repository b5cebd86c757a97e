package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// story is a life of a store, one durable change after another, and what was
// reported of it. Its check holds after any fault: what was reported is there,
// once; what was not may be there or not, whole.
type story struct {
	s        *running
	rm       *testRoom
	own      wire.SeatID // seat 0 after its rename
	ownKey   wire.Secret
	door     wire.RoomID
	doorSeat wire.SeatID
	doorKey  wire.Secret
	classKey wire.Secret

	created, doored, renamed bool
	posted                   []string // reported posts and commits in order
	tried                    []string
	claims                   []string // packages that were handed out
	acked                    wire.Number
}

func newStory() *story {
	st := &story{own: wire.NewSeatID(1), ownKey: wire.NewSecret(), door: wire.NewRoomID(1), doorSeat: wire.NewSeatID(1), doorKey: wire.NewSecret(), classKey: wire.NewSecret()}
	st.rm, _ = newRoom(2)
	return st
}

// tell lives the story until the first error.
func (st *story) tell() error {
	ctx := context.Background()
	s, rm := st.s, st.rm
	req := &wire.RoomCreate{Room: rm.id, TokenHash: rm.token.Hash(), Payload: []byte("founding"),
		Seats: []wire.NewSeat{{ID: rm.seats[0], Hash: rm.secrets[0].Hash()}, {ID: rm.seats[1], Hash: rm.secrets[1].Hash()}}}
	if _, err := wait(func(d Done) { s.Create(ctx, req, d) }); err != nil {
		return err
	}
	st.created = true
	for i := range 3 {
		if err := st.post(fmt.Sprint("first ", i)); err != nil {
			return err
		}
	}
	time.Sleep(3 * time.Second) // a checkpoint
	if err := st.commit("commit one"); err != nil {
		return err
	}
	if _, err := wait(func(d Done) {
		s.Rename(ctx, &wire.SeatRename{Room: rm.id, Seat: rm.seats[0], Secret: rm.secrets[0], New: wire.NewSeat{ID: st.own, Hash: st.ownKey.Hash()}}, d)
	}); err != nil {
		return err
	}
	st.renamed = true
	door := &wire.DoorCreate{Door: st.door, Seat: wire.NewSeat{ID: st.doorSeat, Hash: st.doorKey.Hash()},
		Classes:  []wire.DoorClass{{ID: wire.ClassID{1}, Hash: st.classKey.Hash(), Quota: 9}},
		Packages: []wire.DoorPackage{{Sealed: []byte("p0")}, {Sealed: []byte("p1")}, {Sealed: []byte("p2")}}}
	if _, err := wait(func(d Done) { s.CreateDoor(ctx, door, func(err error) { d(wire.Appended{}, err) }) }); err != nil {
		return err
	}
	st.doored = true
	for i := range 2 {
		if err := st.claim(); err != nil {
			return err
		}
		if i == 0 {
			time.Sleep(3 * time.Second)
		}
	}
	// Both seats acknowledge some of it: a checkpoint deletes.
	for i := range 2 {
		if err := st.ack(i, 3); err != nil {
			return err
		}
	}
	st.acked = 3
	if err := st.post("last"); err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	return s.failure()
}

func (st *story) post(text string) error {
	st.tried = append(st.tried, text)
	_, err := st.s.post(st.rm, text)
	if err == nil {
		st.posted = append(st.posted, text)
	}
	return err
}

func (st *story) commit(text string) error {
	st.tried = append(st.tried, text)
	_, err := wait(func(d Done) {
		st.s.Commit(context.Background(), &wire.RoomCommit{Room: st.rm.id, Epoch: st.rm.epoch, Seat: st.rm.seats[1], SeatSecret: st.rm.secrets[1],
			Token: st.rm.token, Payload: []byte(text), NewHash: st.rm.token.Hash()}, d)
	})
	if err == nil {
		st.posted = append(st.posted, text)
		st.rm.epoch++
	}
	return err
}

func (st *story) claim() error {
	var got wire.DoorClaimed
	_, err := wait(func(d Done) {
		st.s.Claim(context.Background(), &wire.DoorClaim{Door: st.door, Key: st.classKey}, func(a wire.DoorClaimed, err error) {
			got = a
			d(wire.Appended{}, err)
		})
	})
	if err == nil {
		st.claims = append(st.claims, string(got.Sealed))
	}
	return err
}

// ack opens seat i, under its old or new name, and acknowledges.
func (st *story) ack(i int, n wire.Number) error {
	o, _, err := st.openSeat(i)
	if err != nil {
		return err
	}
	defer o.Close()
	return o.Ack(n, wire.Secret{})
}

func (st *story) openSeat(i int) (*OpenSeat, wire.SeatOpened, error) {
	id, secret := st.rm.seats[i], st.rm.secrets[i]
	if i == 0 && st.renamed {
		id, secret = st.own, st.ownKey
	}
	return st.s.OpenSeat(context.Background(), &wire.SeatOpen{Room: st.rm.id, Seat: id, Secret: secret}, nil, func() {})
}

// check opens the folder again and looks whether all that was reported is kept.
func (st *story) check(t *testing.T, dir string) {
	t.Helper()
	s := run(t, testConfig(dir))
	st.s = s
	defer s.stop()
	o, a, err := st.openSeat(1)
	if !st.created && errors.Is(err, wire.ErrDenied) {
		return
	}
	if err != nil {
		t.Fatalf("the room that was reported: %v", err)
	}
	r, err := o.Read(context.Background(), a.Cursor, 1000, 1<<20)
	o.Close()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range r.Events {
		x, err := wire.EntryOfTail(e.Tail)
		if err != nil {
			t.Fatalf("a hole, or %v", err)
		}
		got = append(got, string(x.Payload))
	}
	// Entry 1 is the founding; what the cursor passed is not read again.
	want := st.tried[min(len(st.tried), int(a.Cursor)-1):]
	if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
		t.Fatalf("got %q of %q", got, want)
	}
	if int(a.Cursor)-1+len(got) < len(st.posted) {
		t.Fatalf("of %q only %d are there", st.posted, int(a.Cursor)-1+len(got))
	}
	if a.Epoch < st.rm.epoch {
		t.Fatalf("the epoch went back to %d", a.Epoch)
	}
	if st.renamed {
		if _, _, err := st.openSeat(0); err != nil {
			t.Fatalf("the seat under its new name: %v", err)
		}
	}
	if st.doored {
		for st.claim() == nil {
		}
		slices.Sort(st.claims)
		if len(slices.Compact(slices.Clone(st.claims))) != len(st.claims) {
			t.Fatalf("a package was handed out twice: %q", st.claims)
		}
	}
	st.rm.epoch = a.Epoch
	if err := st.post("after the fault"); err != nil {
		t.Fatalf("the store does not go on: %v", err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
}

var errFault = errors.New("a fault of the test")

// faulty returns a Step whose n-th step (from 1) fails; kept says whether it is
// performed all the same.
func faulty(n int, kept bool, fault error) (Step, *[]string) {
	var mu sync.Mutex
	var names []string
	return func(name string, do func() error) error {
		mu.Lock()
		names = append(names, name)
		hit := len(names) == n
		mu.Unlock()
		if !hit {
			return do()
		}
		if kept {
			do()
		}
		return fault
	}, &names
}

func TestEveryDurableStepMayFail(t *testing.T) {
	// The whole story first, to count its steps.
	var steps []string
	synctest.Test(t, func(t *testing.T) {
		step, names := faulty(0, false, nil)
		cfg := testConfig(t.TempDir())
		cfg.Step = step
		st := newStory()
		st.s = run(t, cfg)
		if err := st.tell(); err != nil {
			t.Fatal(err)
		}
		st.s.stop()
		steps = slices.Clone(*names)
		st.check(t, cfg.Dir)
	})
	if len(steps) != 32 {
		t.Errorf("the story has %d durable steps, want 32: %q", len(steps), steps)
	}
	for n := 1; n <= len(steps); n++ {
		for _, kept := range []bool{false, true} {
			for _, fault := range []error{errFault, syscall.ENOSPC} {
				name := fmt.Sprintf("%02d %s kept=%v %v", n, steps[n-1], kept, fault)
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						step, _ := faulty(n, kept, fault)
						cfg := testConfig(t.TempDir())
						cfg.Step = step
						st := newStory()
						st.s = run(t, cfg)
						told := st.tell()
						ended := st.s.stop()
						if told == nil && ended == nil {
							t.Error("a fault went unnoticed")
						}
						if fault == syscall.ENOSPC && told != nil && !errors.Is(told, &wire.Error{Code: wire.DiskFull}) && !errors.Is(told, ErrClosed) {
							t.Errorf("got %v, want disk_full", told)
						}
						st.check(t, cfg.Dir)
					})
				})
			}
		}
	}
}

// copyFolder copies a folder as SIGKILL would leave it: all that was written,
// synced or not.
func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	if err != nil {
		t.Error(err)
	}
	return to
}

func TestKilledAtAnyMomentNothingReportedIsLost(t *testing.T) {
	// The folder is copied before and after steps under load; each copy must
	// hold what was reported before the copying began, once and in order.
	dir := t.TempDir()
	var mu sync.Mutex
	reported := [4]int{} // of each sender
	type copied struct {
		dir      string
		step     string
		reported [4]int
	}
	var copies []copied
	var one sync.Mutex // steps one at a time, so that a copy is of one moment
	perStep := map[string]int{}
	snap := func(name string) {
		if perStep[name]++; len(copies) >= 24 || perStep[name] > 4 && perStep[name]%50 != 0 {
			return
		}
		mu.Lock()
		at := reported
		mu.Unlock()
		copies = append(copies, copied{copyFolder(t, dir), name, at})
	}
	cfg := testConfig(dir)
	cfg.CheckpointEvery = 50 * time.Millisecond
	cfg.Step = func(name string, do func() error) error {
		one.Lock()
		defer one.Unlock()
		snap("before " + name)
		err := do()
		snap("after " + name)
		return err
	}
	s := run(t, cfg)
	rm := s.room(2)
	reported = [4]int{}
	var wg sync.WaitGroup
	for i := range reported {
		wg.Go(func() {
			for j := range 150 {
				if _, err := s.post(rm, fmt.Sprintf("%d %04d", i, j)); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				reported[i] = j + 1
				mu.Unlock()
			}
		})
	}
	wg.Go(func() { // seat 0 keeps up, seat 1 never reads
		woken := make(chan struct{}, 1)
		o, _ := s.openWoken(rm, 0, func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		})
		defer o.Close()
		for n := wire.Number(1); n < 500; {
			r, err := o.Read(t.Context(), n, 100, 1<<20)
			if err != nil {
				t.Error(err)
				return
			}
			n = max(n, r.Head)
			o.Ack(n, wire.Secret{})
			<-woken
		}
	})
	wg.Wait()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if len(copies) < 12 {
		t.Fatalf("only %d moments were tried", len(copies))
	}
	for _, c := range copies {
		s := run(t, testConfig(c.dir))
		if _, _, err := s.OpenSeat(t.Context(), &wire.SeatOpen{Room: rm.id, Seat: rm.seats[1], Secret: rm.secrets[1]}, nil, func() {}); err != nil {
			if c.reported != [4]int{} {
				t.Errorf("%s: the room is gone: %v", c.step, err)
			}
			s.stop()
			continue
		}
		next := [4]int{}
		for _, text := range s.texts(rm, 1) {
			var i, j int
			if _, err := fmt.Sscanf(text, "%d %04d", &i, &j); err != nil || next[i] != j {
				t.Fatalf("%s: got %q, want number %d", c.step, text, next[i])
			}
			next[i]++
		}
		for i := range next {
			if next[i] < c.reported[i] {
				t.Errorf("%s: sender %d had %d reported, %d are there", c.step, i, c.reported[i], next[i])
			}
		}
		s.stop()
	}
}

func TestNearlyFullDiskRefusesPostsAndStillForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t.TempDir())
		s := run(t, cfg)
		rm := s.room(1)
		a, err := s.post(rm, "one")
		if err != nil {
			t.Fatal(err)
		}
		s.stop()
		cfg.MinFree = 1 << 60
		s = run(t, cfg)
		if _, err := s.post(rm, "two"); !errors.Is(err, &wire.Error{Code: wire.DiskFull}) {
			t.Errorf("got %v, want disk_full", err)
		}
		if got := s.texts(rm, 0); !slices.Equal(got, []string{"one"}) {
			t.Errorf("got %q", got)
		}
		o, _ := s.open(rm, 0)
		if err := o.Ack(a.Number, wire.Secret{}); err != nil {
			t.Error(err)
		}
		o.Close()
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAccountsEveryDurableStepMayFail(t *testing.T) {
	for _, kept := range []bool{false, true} {
		dir := t.TempDir()
		step, _ := faulty(1, kept, errFault)
		a, err := OpenAccounts(t.Context(), dir, step)
		if err != nil {
			t.Fatal(err)
		}
		id := wire.AccountID{7}
		create := func() error {
			return a.Create(t.Context(), id, []byte("entry"), "alice", "alice", nil, 1)
		}
		if err := create(); err == nil {
			t.Error("a fault went unnoticed")
		}
		a.Close()
		if a, err = OpenAccounts(t.Context(), dir, nil); err != nil {
			t.Fatal(err)
		}
		if err := create(); err != nil { // repeated, whichever happened
			t.Errorf("kept=%v: %v", kept, err)
		}
		if acc, err := a.Get(t.Context(), "alice", nil); err != nil || acc.ID != id || len(acc.Chain) != 1 {
			t.Errorf("kept=%v: got %+v, %v", kept, acc, err)
		}
		a.Close()
	}
}
