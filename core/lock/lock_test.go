package lock_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core"
	"hearth/core/lock"
	"hearth/core/vault"
	"hearth/core/vault/vaulttest"
	"hearth/hearthtest"
	"hearth/wire"
)

var cheap = vault.Cost{Passes: 1, Memory: 64, Lanes: 1}

func passphrase(t *testing.T, text string) vault.Credential {
	t.Helper()
	c, err := vault.Passphrase([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantCode(t *testing.T, err error, code wire.Code) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != code || e.Message == "" || e.Next == "" {
		t.Fatalf("error: got %v, want code %s with message and next step", err, code)
	}
}

// alice is a registered person behind a lock, and what a test changes of her
// machine.
type alice struct {
	*lock.Home
	t        *testing.T
	w        *hearthtest.World
	person   *hearthtest.Person
	settings *vaulttest.Key
	mu       sync.Mutex
	slept    time.Duration // that only the clock on the wall counted
	stop     func()
}

func (a *alice) now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Add(a.slept)
}

// sleep is what a closed lid is: the clock on the wall goes on.
func (a *alice) sleep(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.slept += d
}

func newAlice(t *testing.T, w *hearthtest.World) *alice {
	a := &alice{t: t, w: w, person: w.Person("alice"), settings: &vaulttest.Key{}}
	a.person.Stop()
	a.start()
	return a
}

func (a *alice) start() {
	cfg := lock.Config{Client: a.person.Config(), Settings: a.settings, Cost: cheap}
	cfg.Client.Now = a.now
	h, err := lock.Open(context.Background(), cfg)
	if err != nil {
		a.t.Fatal(err)
	}
	a.Home = h
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	a.stop = sync.OnceFunc(func() {
		cancel()
		<-ran
		if err := h.Close(); err != nil {
			a.t.Error(err)
		}
	})
}

// whoami is one request.
func (a *alice) whoami() (core.Identity, error) {
	c, _, leave, err := a.Enter(context.Background())
	if err != nil {
		return core.Identity{}, err
	}
	defer leave()
	return c.Whoami()
}

// send is one request, to bob.
func (a *alice) send(text string) error {
	c, ctx, leave, err := a.Enter(a.person.Patience())
	if err != nil {
		return err
	}
	defer leave()
	_, err = c.Send(ctx, core.SendOptions{To: "bob", Text: text})
	return err
}

func (a *alice) protect(text string) vault.Credential {
	a.t.Helper()
	c := passphrase(a.t, text)
	if s, err := a.Protect(a.w.T.Context(), nil, c, ""); err != nil || s.Protection != "passphrase" || s.Locked {
		a.t.Fatalf("%+v, %v", s, err)
	}
	return c
}

func TestALockedHomeAnswersNothingAndLosesNothing(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		ctx := context.Background()
		w.Person("bob")
		a := newAlice(t, w)
		defer func() { a.stop() }()
		_, err := a.Lock(ctx)
		wantCode(t, err, wire.BadInput) // nothing to lock it with
		_, err = a.SetAfter(ctx, time.Minute)
		wantCode(t, err, wire.BadInput)
		c := a.protect("correct horse")
		if err := a.send("before"); err != nil {
			t.Fatal(err)
		}
		_, changed := a.Watch()
		if s, err := a.Lock(ctx); err != nil || !s.Locked || s.Protection != "passphrase" {
			t.Fatalf("%+v, %v", s, err)
		}
		select {
		case <-changed:
		default:
			t.Error("nobody was told")
		}
		_, err = a.whoami()
		wantCode(t, err, wire.Locked)
		_, err = a.SetAfter(ctx, time.Minute)
		wantCode(t, err, wire.Locked)
		_, err = a.Protect(ctx, &c, passphrase(t, "another one"), "")
		wantCode(t, err, wire.Locked)
		_, err = a.Unprotect(ctx, &c)
		wantCode(t, err, wire.Locked)
		_, err = vault.Open(ctx, a.person.Disk, a.person.Key)
		wantCode(t, err, wire.Locked)
		if s, err := a.Lock(ctx); err != nil || !s.Locked {
			t.Errorf("locked again: %+v, %v", s, err)
		}
		_, err = a.Unlock(ctx, passphrase(t, "wrong horse"))
		wantCode(t, err, wire.Denied)
		for range 2 {
			if s, err := a.Unlock(ctx, c); err != nil || s.Locked {
				t.Fatalf("%+v, %v", s, err)
			}
		}
		if me, err := a.whoami(); err != nil || me.Handle != "alice@home.example" {
			t.Fatalf("%+v, %v", me, err)
		}
		if err := a.send("after"); err != nil { // it runs again
			t.Fatal(err)
		}
		// And the next start begins locked.
		a.stop()
		a.start()
		if s := a.Status(); !s.Locked {
			t.Errorf("%+v", s)
		}
	})
}

// A passphrase that is set first is there before any key: none ever lies on the
// medium in clear.
func TestANewHomeBeginsUnderItsPassphrase(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		ctx := context.Background()
		p := w.Stranger("alice")
		p.Stop()
		disk, key := &vaulttest.Memory{}, &noted{}
		cfg := lock.Config{Client: p.Config(), Cost: cheap}
		cfg.Client.Disk, cfg.Client.Key = disk, key
		h, err := lock.Open(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if s := h.Status(); s.Locked || s.Protection != "none" || len(key.stored) != 0 {
			t.Fatalf("%+v, %d stores", s, len(key.stored))
		}
		_, err = h.Lock(ctx)
		wantCode(t, err, wire.BadInput)
		c := passphrase(t, "correct horse")
		if s, err := h.Protect(ctx, nil, c, ""); err != nil || s.Protection != "passphrase" || s.Locked {
			t.Fatalf("%+v, %v", s, err)
		}
		if len(key.stored) == 0 {
			t.Fatal("nothing was stored")
		}
		for _, b := range key.stored {
			if b[1] != 2 { // kind: sealed
				t.Error("the keys lay there in clear")
			}
		}
		h.Lock(ctx)
		if _, err := h.Unlock(ctx, c); err != nil {
			t.Fatal(err)
		}
		if _, _, leave, err := h.Enter(ctx); err != nil {
			t.Fatal(err)
		} else {
			leave()
		}
		// Data whose key is missing are no new home.
		cfg.Client.Key = &vaulttest.Key{}
		_, err = lock.Open(ctx, cfg)
		wantCode(t, err, wire.Damaged)
	})
}

// noted is a key file that keeps all that was ever stored.
type noted struct {
	vaulttest.Key
	stored [][]byte
}

func (n *noted) Store(b []byte) error {
	n.stored = append(n.stored, append([]byte{}, b...))
	return n.Key.Store(b)
}

func TestLockingCutsOffWhatWaits(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		ctx := context.Background()
		a := newAlice(t, w)
		defer func() { a.stop() }()
		c := a.protect("correct horse")
		client, inside, leave, err := a.Enter(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer leave()
			client.Receive(inside, func(core.Event) error { return nil })
			if !lock.Cut(inside) {
				t.Error("the request doesn't know why it ended")
			}
		}()
		synctest.Wait()
		a.Lock(ctx)
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Fatal("it still waits")
		}
		// One that never ends doesn't keep the home open.
		if _, err := a.Unlock(ctx, c); err != nil {
			t.Fatal(err)
		}
		client, _, leave, err = a.Enter(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		begun := time.Now()
		a.Lock(ctx)
		if took := time.Since(begun); took == 0 || took > time.Minute {
			t.Errorf("it took %v", took)
		}
		if _, err := client.Whoami(); err == nil {
			t.Error("the old client still answers")
		}
	})
}

func TestAnIdleHomeLocksItself(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		ctx := context.Background()
		a := newAlice(t, w)
		defer func() { a.stop() }()
		c := a.protect("correct horse")
		locked := func() bool { synctest.Wait(); return a.Status().Locked }
		w.Sleep(100 * time.Hour)
		if locked() {
			t.Fatal("it locked itself without being told to")
		}
		if s, err := a.SetAfter(ctx, 15*time.Minute); err != nil || s.After != "15m0s" {
			t.Fatalf("%+v, %v", s, err)
		}
		if !locked() { // it has been idle for long enough already
			t.Fatal("open after 100 hours")
		}
		unlock := func() {
			t.Helper()
			if _, err := a.Unlock(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		unlock()
		for range 10 { // each request counts; looking at the status doesn't
			w.Sleep(14 * time.Minute)
			if _, err := a.whoami(); err != nil {
				t.Fatal(err)
			}
		}
		w.Sleep(14*time.Minute + 59*time.Second)
		if a.Status(); locked() {
			t.Fatal("too early")
		}
		w.Sleep(2 * time.Second)
		if !locked() {
			t.Fatal("still open")
		}
		// What only waits is no use.
		unlock()
		client, inside, leave, err := a.Enter(ctx)
		if err != nil {
			t.Fatal(err)
		}
		go func() { defer leave(); client.Receive(inside, func(core.Event) error { return nil }) }()
		w.Sleep(16 * time.Minute)
		if !locked() {
			t.Fatal("kept open by who listens")
		}
		// A closed lid counts, however little of it the machine noticed.
		unlock()
		a.sleep(8 * time.Hour)
		w.Sleep(11 * time.Second)
		if !locked() {
			t.Fatal("open after a night")
		}
		// A clock set back doesn't keep it open.
		unlock()
		a.sleep(-100 * time.Hour)
		w.Sleep(16 * time.Minute)
		if !locked() {
			t.Fatal("kept open by a clock set back")
		}
		// It holds after a restart, and ends with never.
		a.stop()
		a.start()
		unlock()
		w.Sleep(16 * time.Minute)
		if !locked() {
			t.Fatal("forgotten at the restart")
		}
		unlock()
		if s, err := a.SetAfter(ctx, 0); err != nil || s.After != "" {
			t.Fatalf("%+v, %v", s, err)
		}
		w.Sleep(1000 * time.Hour)
		if locked() {
			t.Fatal("never is not never")
		}
	})
}

func TestTheCredentialIsAskedForBeforeItIsChanged(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		ctx := context.Background()
		a := newAlice(t, w)
		defer func() { a.stop() }()
		first := a.protect("correct horse")
		stick, err := vault.FromKeyFile(vault.NewKeyFile())
		if err != nil {
			t.Fatal(err)
		}
		wrong := passphrase(t, "wrong horse")
		for _, current := range []*vault.Credential{nil, &wrong, &stick} {
			_, err := a.Protect(ctx, current, stick, "/stick/key")
			wantCode(t, err, wire.Denied)
			_, err = a.Unprotect(ctx, current)
			wantCode(t, err, wire.Denied)
		}
		if s, err := a.Protect(ctx, &first, stick, "/stick/key"); err != nil || s.Protection != "key_file" || s.KeyFile != "/stick/key" {
			t.Fatalf("%+v, %v", s, err)
		}
		a.Lock(ctx)
		_, err = a.Unlock(ctx, first)
		wantCode(t, err, wire.Denied)
		if _, err := a.Unlock(ctx, stick); err != nil {
			t.Fatal(err)
		}
		if s, err := a.Unprotect(ctx, &stick); err != nil || s != (lock.Status{Protection: "none"}) {
			t.Fatalf("%+v, %v", s, err)
		}
		a.stop()
		a.start()
		if _, err := a.whoami(); err != nil {
			t.Fatal(err)
		}
	})
}

// Requests, locks and unlocks at the same time: nothing but locked is ever
// wrong.
func TestEverybodyAtOnce(t *testing.T) {
	hearthtest.Run(t, func(w *hearthtest.World) {
		a := newAlice(t, w)
		defer func() { a.stop() }()
		c := a.protect("correct horse")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 20 {
					if _, err := a.whoami(); err != nil && !errors.Is(err, lock.ErrLocked) {
						t.Errorf("a request: %v", err)
					}
					var err error
					if i%2 == 0 {
						_, err = a.Lock(context.Background())
					} else {
						_, err = a.Unlock(context.Background(), c)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
}
