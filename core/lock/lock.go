// Package lock keeps a person's home behind a passphrase: the client while the
// home is open, nothing while it is locked.
//
// It promises that a locked home answers nothing but that it is locked; that
// what was under way is cut off, with locked as its error, and what was
// acknowledged is kept; that keys and caches are wiped, as far as Go lets a
// program do that (docs/threats.md says how far); and that an idle home locks
// itself, by the clock on the wall, so that a machine that slept counts its
// sleep. It holds no credential longer than the call that brings it.
//
// Start with Home. How a key file is sealed is core/vault's (guard.go).
package lock

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"hearth/core"
	"hearth/core/vault"
	"hearth/wire"
)

// Config is what a home is handed.
type Config struct {
	// Client opens the client; its Key is the key file as it lies there,
	// sealed or not.
	Client core.Config
	// Settings is where the settings lie, in clear: they count while the home
	// is locked. nil: none are kept.
	Settings vault.KeyFile
	// Cost is what a guess of a passphrase that is set here shall cost; the
	// zero value is vault.CostFor(0).
	Cost vault.Cost
}

// Status says how a home stands.
type Status struct {
	Locked bool `json:"locked"`
	// Protection is none, passphrase or key_file.
	Protection string `json:"protection"`
	// After is how long the home is idle before it locks itself; absent: never.
	After string `json:"after,omitempty"`
	// KeyFile is where the key file lies that opens the home.
	KeyFile string `json:"key_file,omitempty"`
}

// ErrLocked answers everything that is asked of a locked home.
var ErrLocked = &wire.Error{Code: wire.Locked, Message: "this home is locked", Next: "open it with hearth unlock"}

var errUnprotected = &wire.Error{Code: wire.BadInput, Message: "this home has no passphrase, so there is nothing to lock it with",
	Next: "set one with hearth passphrase set"}

// linger bounds how long a lock waits for those whom it has cut off.
const linger = 5 * time.Second

// watchEvery is how often an open home looks at the clock on the wall.
const watchEvery = 10 * time.Second

// Home is a home behind its lock. Its methods may be called at the same time.
type Home struct {
	cfg   Config
	guard *vault.Guard
	// turn holds one token: who has it locks, unlocks or changes the
	// credential.
	turn chan struct{}

	mu      sync.Mutex // guards what follows; never held over a wait
	running context.Context
	open    *period // nil: locked, or new
	// isNew: a home in which nothing was ever kept: its keys are made when
	// something first enters, so that a passphrase set before is there first.
	isNew   bool
	set     settings
	used    moment        // of the newest request
	changed chan struct{} // closed and replaced with every change of Status
}

// period is a client from an unlock to the next lock.
type period struct {
	client *core.Client
	ctx    context.Context // ends with the period
	stop   context.CancelCauseFunc
	ran    chan struct{} // nil before the client runs; closed when it has ended
	inside int           // requests
	empty  chan struct{} // made by who waits for them
}

// moment is a time by the clock on the wall, which counts while the machine
// sleeps, and by the one that never goes back.
type moment struct{ wall, steady time.Time }

// Open opens a home: locked if its key file is sealed.
func Open(ctx context.Context, cfg Config) (*Home, error) {
	if cfg.Client.Now == nil {
		cfg.Client.Now = time.Now
	}
	if cfg.Cost == (vault.Cost{}) {
		cfg.Cost = vault.CostFor(0)
	}
	guard, err := vault.NewGuard(cfg.Client.Key)
	if err != nil {
		return nil, err
	}
	cfg.Client.Key = guard
	h := &Home{cfg: cfg, guard: guard, turn: make(chan struct{}, 1), changed: make(chan struct{})}
	h.turn <- struct{}{}
	if h.set, err = loadSettings(cfg.Settings); err != nil {
		return nil, err
	}
	if !guard.Stored() {
		keys, _, err := cfg.Client.Disk.Scan(ctx, "", "", 1)
		if err != nil {
			return nil, err
		}
		h.isNew = len(keys) == 0
	}
	if !h.isNew && !guard.Locked() {
		if err := h.enter(ctx); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Run owns every goroutine of the home. It returns when ctx ends. A home runs
// once.
func (h *Home) Run(ctx context.Context) error {
	h.mu.Lock()
	h.running = ctx
	if h.open != nil {
		h.open.run(ctx)
	}
	h.mu.Unlock()
	h.watch(ctx)
	<-h.turn // nobody opens it any more
	h.mu.Lock()
	p := h.open
	h.mu.Unlock()
	if p != nil {
		<-p.ran
	}
	h.turn <- struct{}{}
	return ctx.Err()
}

// run runs the client; the home's mu is held.
func (p *period) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.ctx, cancel)
	p.ran = make(chan struct{})
	go func() {
		defer close(p.ran)
		defer cancel()
		defer stop()
		p.client.Run(ctx) // it returns why ctx ended
	}()
}

// Close locks the home for good; Run must have returned.
func (h *Home) Close() error {
	<-h.turn
	h.mu.Lock()
	p := h.open
	h.open = nil
	h.mu.Unlock()
	defer h.guard.Lock()
	if p == nil {
		return nil
	}
	p.stop(ErrLocked)
	return p.client.Close()
}

// Enter returns the client for one request, and the context for it, which ends
// with the home's locking too: its cause is then ErrLocked. leave must be called
// when the request is over. A locked home answers ErrLocked.
func (h *Home) Enter(ctx context.Context) (c *core.Client, inside context.Context, leave func(), err error) {
	if err := h.begin(ctx); err != nil {
		return nil, nil, nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.open
	if p == nil {
		return nil, nil, nil, ErrLocked
	}
	h.used = h.now()
	p.inside++
	inside, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.ctx, func() { cancel(ErrLocked) })
	return p.client, inside, sync.OnceFunc(func() {
		stop()
		cancel(nil)
		h.mu.Lock()
		defer h.mu.Unlock()
		if p.inside--; p.inside == 0 && p.empty != nil {
			close(p.empty)
			p.empty = nil
		}
	}), nil
}

// begin begins a new home; any other began before.
func (h *Home) begin(ctx context.Context) error {
	if !h.fresh() {
		return nil
	}
	if err := h.take(ctx); err != nil {
		return err
	}
	defer h.give()
	if !h.fresh() {
		return nil
	}
	return h.enter(ctx)
}

func (h *Home) fresh() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isNew
}

// Watch returns how the home stands, and a channel that is closed when that has
// changed.
func (h *Home) Watch() (Status, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Status{Locked: h.open == nil && !h.isNew, Protection: h.guard.Protection().String(), KeyFile: h.set.KeyFile}
	if h.set.After > 0 {
		s.After = h.set.After.String()
	}
	return s, h.changed
}

// Status returns how the home stands.
func (h *Home) Status() Status {
	s, _ := h.Watch()
	return s
}

// notify says that Status has changed; mu is held.
func (h *Home) notify() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// Lock locks the home: requests are cut off, the client ends, its keys and
// caches are wiped. It is done when Lock returns, or was before.
func (h *Home) Lock(ctx context.Context) (Status, error) {
	if h.guard.Protection() == vault.Unprotected {
		return h.Status(), errUnprotected
	}
	if err := h.take(ctx); err != nil {
		return Status{}, err
	}
	defer h.give()
	h.lock()
	return h.Status(), nil
}

func (h *Home) lock() {
	h.mu.Lock()
	p := h.open
	h.open = nil
	var empty chan struct{}
	if p != nil && p.inside > 0 {
		empty = make(chan struct{})
		p.empty = empty
	}
	h.mu.Unlock()
	if p == nil {
		return
	}
	p.stop(ErrLocked)
	if empty != nil {
		late := time.NewTimer(linger)
		defer late.Stop()
		select {
		case <-empty:
		case <-late.C: // it finds the vault closed
		}
	}
	if p.ran != nil {
		<-p.ran
	}
	// It gives reserved generations back, and a full disk may prevent that:
	// then they are skipped, as after a crash. The vault closes all the same.
	p.client.Close()
	p.client = nil
	h.guard.Lock()
	debug.FreeOSMemory() // what the collector finds dead leaves the process
	h.mu.Lock()
	h.notify()
	h.mu.Unlock()
}

// Unlock opens the home: denied for a credential that does not, no error if it
// is open already. The credential is the caller's to wipe.
func (h *Home) Unlock(ctx context.Context, c vault.Credential) (Status, error) {
	if err := h.take(ctx); err != nil {
		return Status{}, err
	}
	defer h.give()
	if s := h.Status(); !s.Locked {
		return s, nil
	}
	defer debug.FreeOSMemory() // the memory that made guessing dear
	if err := h.guard.Unlock(c); err != nil {
		return Status{}, err
	}
	if err := h.enter(ctx); err != nil {
		h.guard.Lock()
		return Status{}, err
	}
	return h.Status(), nil
}

// enter begins a period.
func (h *Home) enter(ctx context.Context) error {
	client, err := core.Open(context.WithoutCancel(ctx), h.cfg.Client)
	if err != nil {
		return err
	}
	p := &period{client: client}
	p.ctx, p.stop = context.WithCancelCause(context.Background())
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open, h.used, h.isNew = p, h.now(), false
	if h.running != nil {
		p.run(h.running)
	}
	h.notify()
	return nil
}

// Protect puts the home under a credential, in place of the one it had, which
// must be shown. keyFile is where a key file lies, to be found again.
func (h *Home) Protect(ctx context.Context, current *vault.Credential, next vault.Credential, keyFile string) (Status, error) {
	return h.change(ctx, current, func(s *settings) error {
		s.KeyFile = ""
		if next.Kind() == vault.ByKeyFile {
			s.KeyFile = keyFile
		}
		return h.guard.Protect(next, h.cfg.Cost)
	})
}

// Unprotect takes the protection away; the credential must be shown.
func (h *Home) Unprotect(ctx context.Context, current *vault.Credential) (Status, error) {
	return h.change(ctx, current, func(s *settings) error {
		*s = settings{}
		return h.guard.Unprotect()
	})
}

// SetAfter says after how long an idle home locks itself; 0: never.
func (h *Home) SetAfter(ctx context.Context, after time.Duration) (Status, error) {
	if err := h.take(ctx); err != nil {
		return Status{}, err
	}
	defer h.give()
	if h.guard.Protection() == vault.Unprotected {
		return Status{}, errUnprotected
	}
	if h.Status().Locked { // who can't open it decides nothing about it
		return Status{}, ErrLocked
	}
	h.mu.Lock()
	s := h.set
	h.mu.Unlock()
	s.After = after
	return h.save(s)
}

// change changes the protection of an open home, and then the settings.
func (h *Home) change(ctx context.Context, current *vault.Credential, f func(*settings) error) (Status, error) {
	if err := h.take(ctx); err != nil {
		return Status{}, err
	}
	defer h.give()
	defer debug.FreeOSMemory()
	if h.Status().Locked {
		return Status{}, ErrLocked
	}
	if h.guard.Protection() != vault.Unprotected {
		if current == nil {
			return Status{}, wire.Errorf(wire.Denied, "what opens this home now must be shown first").
				WithNext("give the present passphrase or key file too")
		}
		if err := h.guard.Check(*current); err != nil {
			return Status{}, err
		}
	}
	h.mu.Lock()
	s := h.set
	h.mu.Unlock()
	if err := f(&s); err != nil {
		return Status{}, err
	}
	if h.fresh() { // the first keys are made under what was just set
		if err := h.enter(ctx); err != nil {
			return Status{}, err
		}
	}
	return h.save(s)
}

func (h *Home) save(s settings) (Status, error) {
	h.mu.Lock()
	same := s == h.set
	h.mu.Unlock()
	if !same {
		if err := s.store(h.cfg.Settings); err != nil {
			return Status{}, err
		}
	}
	h.mu.Lock()
	h.set = s
	h.notify()
	h.mu.Unlock()
	return h.Status(), nil
}

// take waits for the turn.
func (h *Home) take(ctx context.Context) error {
	select {
	case <-h.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Home) give() { h.turn <- struct{}{} }

// watch locks the home when it has been idle for long enough.
func (h *Home) watch(ctx context.Context) {
	for {
		_, changed := h.Watch()
		wait, due := h.idle()
		if due {
			h.Lock(context.WithoutCancel(ctx)) // it fails only without a protection, and then nothing is due
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-changed:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// idle returns how long to wait until the next look, or that it is time.
func (h *Home) idle() (wait time.Duration, due bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open == nil || h.set.After == 0 || h.guard.Protection() == vault.Unprotected {
		return time.Hour, false
	}
	now := h.now()
	idle := max(now.wall.Sub(h.used.wall), now.steady.Sub(h.used.steady))
	if idle >= h.set.After {
		return 0, true
	}
	return min(h.set.After-idle, watchEvery), false
}

func (h *Home) now() moment {
	return moment{wall: h.cfg.Client.Now().Round(0), steady: time.Now()}
}

// Cut reports whether a request was cut off by the home's locking.
func Cut(inside context.Context) bool { return errors.Is(context.Cause(inside), ErrLocked) }
