package hearthtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth/core"
	"hearth/core/vault/vaulttest"
	"hearth/wire"
)

// TestFuzzedWorld lets people, servers and the network do anything for weeks of
// the world's time, driven by a seed, and then asks: do all members agree, has
// everybody read exactly what was sent while they were there, once and in
// order, and does the next message of each reach all?
//
// HEARTH_WORLD_SEED plays one seed again, HEARTH_WORLD_ROUNDS is how long a
// world lasts, HEARTH_WORLD_FOR for how long new worlds are made. The seed
// decides what happens; the order in which goroutines run it does not decide.
func TestFuzzedWorld(t *testing.T) {
	rounds := int(number(t, "HEARTH_WORLD_ROUNDS", 40))
	var total tally
	defer func() { t.Logf("all worlds: %v", &total) }()
	play := func(seed uint64) bool {
		return t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("to see it again: HEARTH_WORLD_SEED=%d HEARTH_WORLD_ROUNDS=%d go test -run TestFuzzedWorld ./hearthtest", seed, rounds)
				}
			})
			Run(t, func(w *World) {
				f := newFuzz(w, seed)
				f.play(rounds)
				f.judge()
				if t.Failed() && os.Getenv("HEARTH_WORLD_SEED") != "" {
					t.Logf("what happened:\n%s", strings.Join(f.story, "\n"))
				}
				total.add(f.did)
				t.Logf("seed %d: %v", seed, &f.did)
			})
		})
	}
	if seed := number(t, "HEARTH_WORLD_SEED", 0); seed != 0 {
		play(seed)
		return
	}
	if text := os.Getenv("HEARTH_WORLD_FOR"); text != "" {
		long, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(long); time.Now().Before(end); {
			if !play(rand.Uint64() >> 1) {
				return
			}
		}
		return
	}
	// Whether a commit may land must not hang on luck.
	for seed := range uint64(3) {
		play(seed + 1)
	}
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// tally counts what happened.
type tally struct {
	sent, queued, read, founded, added, removed, left, roles, timers, links, crashes, restored, away, restarts, outages, offline, refused int
	days                                                                                                                                  float64
}

func (c *tally) add(o tally) {
	c.sent += o.sent
	c.queued += o.queued
	c.read += o.read
	c.founded += o.founded
	c.added += o.added
	c.removed += o.removed
	c.left += o.left
	c.roles += o.roles
	c.timers += o.timers
	c.links += o.links
	c.crashes += o.crashes
	c.restarts += o.restarts
	c.restored += o.restored
	c.away += o.away
	c.outages += o.outages
	c.offline += o.offline
	c.refused += o.refused
	c.days += o.days
}

func (c *tally) String() string {
	return fmt.Sprintf("%.1f days: %d messages sent, %d left queued, read %d times; %d conversations, %d added, %d removed, %d left, %d roles, %d timers, %d by link; %d crashes, %d restarts, %d restored from a copy, %d long absences, %d outages, %d times offline; %d refusals",
		c.days, c.sent, c.queued, c.read, c.founded, c.added, c.removed, c.left, c.roles, c.timers, c.links, c.crashes, c.restarts, c.restored, c.away, c.outages, c.offline, c.refused)
}

// fuzz is a world gone wild, and what must be true of it.
type fuzz struct {
	w     *World
	rng   *rand.Rand
	souls []*soul
	rooms map[string]*place
	said  []*saying
	did   tally
	began time.Time
	story []string // what happened, for whoever looks for a fault
}

// tell notes what happened; place is a conversation or empty.
func (f *fuzz) tell(who *soul, in, format string, args ...any) {
	line := fmt.Sprintf("%10.1fs  %s  %.6s  %s", time.Since(f.began).Seconds(), who.Name, in, fmt.Sprintf(format, args...))
	f.locked(func() { f.story = append(f.story, line) })
}

// soul is a person, as the model sees them.
type soul struct {
	*Person
	offline bool
	talks   int // messages so far, to number them
	// copied is the home as it was once, restored says that it came back.
	copied   *vaulttest.Memory
	key      *vaulttest.Key
	restored bool
}

// place is a conversation.
type place struct {
	id     string
	direct bool
	// short: its timer was changed, so that what is not read soon may be gone.
	short bool
	stays map[*soul]*stay
}

// stay is what is known for sure of somebody's place in a conversation: between
// in and out they are a member, between gone and back they are not.
type stay struct {
	in, out    time.Time // zero: not known
	gone, back time.Time
}

// saying is a message that somebody sent.
type saying struct {
	by         *soul
	in         *place
	text       string
	began, end time.Time // of the call; end only if it was acknowledged
	sent       bool
	queued     bool
	missed     []*soul // who was offline then
}

const crowd = 5

func newFuzz(w *World, seed uint64) *fuzz {
	f := &fuzz{w: w, rng: rand.New(rand.NewPCG(seed, 2026)), rooms: map[string]*place{}, began: time.Now()}
	for i := range crowd {
		f.souls = append(f.souls, &soul{Person: w.Person("p" + strconv.Itoa(i))})
	}
	return f
}

// play lets rounds pass: in each some people act at the same time.
func (f *fuzz) play(rounds int) {
	for range rounds {
		var acts []func()
		free := f.rng.Perm(len(f.souls))
		for _, i := range free[:1+f.rng.IntN(len(f.souls))] {
			if act := f.act(f.souls[i]); act != nil {
				acts = append(acts, act)
			}
		}
		done := make(chan struct{}, len(acts))
		for _, act := range acts {
			go func() { act(); done <- struct{}{} }()
		}
		for range acts {
			<-done
		}
		f.happen()
		f.collect()
	}
	f.did.days = time.Since(f.began).Hours() / 24
}

// act chooses what one person does next; the choice is made here, on the
// world's goroutine, and carried out by what it returns.
func (f *fuzz) act(p *soul) func() {
	ctx := p.Patience
	switch n := f.rng.IntN(100); {
	case n < 60:
		in := f.roomOf(p)
		if in == nil {
			break
		}
		return f.say(p, in, f.rng.IntN(3)+1)
	case n < 68:
		to := f.other(p)
		return func() {
			p.talks++
			s, err := p.TrySend(to.Name, fmt.Sprintf("first %s %d", p.Name, p.talks))
			f.tell(p, s.Room, "writes first to %s: %s %v", to.Name, s.State, err)
			if f.fine(p, "write first", err) && s.Room != "" {
				f.found(s.Room, true, p)
			}
		}
	case n < 74:
		name, who := fmt.Sprintf("g%d", f.rng.IntN(1000)), []string{}
		for _, i := range f.rng.Perm(len(f.souls))[:1+f.rng.IntN(len(f.souls)-1)] {
			if f.souls[i] != p {
				who = append(who, f.souls[i].Name)
			}
		}
		if len(who) == 0 {
			break
		}
		return func() {
			g, err := p.Client.GroupNew(ctx(), name, who)
			f.tell(p, g.Room, "founds a group of %v: %v", who, err)
			if f.fine(p, "found a group", err) {
				f.found(g.Room, false, p)
			}
		}
	case n < 80:
		in, to := f.groupOf(p), f.other(p)
		if in == nil {
			break
		}
		return func() { f.add(p, in, to) }
	case n < 84:
		in, to := f.groupOf(p), f.other(p)
		if in == nil {
			break
		}
		return func() { f.remove(p, in, to) }
	case n < 86:
		in := f.groupOf(p)
		if in == nil {
			break
		}
		return func() {
			f.leaves(in, p)
			_, err := p.Client.GroupLeave(ctx(), in.id)
			f.tell(p, in.id, "leaves: %v", err)
			if f.fine(p, "leave", err) {
				f.count(func(c *tally) { c.left++ })
			}
		}
	case n < 90:
		in, to, role := f.groupOf(p), f.other(p), []string{"member", "admin", "owner"}[f.rng.IntN(3)]
		if in == nil {
			break
		}
		return func() {
			_, err := p.Client.GroupRole(ctx(), in.id, to.Name, role)
			f.tell(p, in.id, "makes %s %s: %v", to.Name, role, err)
			if f.fine(p, "give a role", err) {
				f.count(func(c *tally) { c.roles++ })
			}
		}
	case n < 92:
		in, timer := f.roomOf(p), []string{"1d", "7d", "30d"}[f.rng.IntN(3)]
		if in == nil {
			break
		}
		in.short = true
		return func() {
			_, err := p.Client.GroupSet(ctx(), in.id, core.GroupSettings{Retention: &timer})
			f.tell(p, in.id, "sets the timer to %s: %v", timer, err)
			if f.fine(p, "set a timer", err) {
				f.count(func(c *tally) { c.timers++ })
			}
		}
	case n < 95:
		in, to := f.groupOf(p), f.other(p)
		if in == nil {
			break
		}
		return func() { f.link(p, in, to) }
	}
	decline := f.rng.IntN(6) == 0
	return func() { f.answer(p, decline) }
}

// happen lets the world have its way with somebody, and time pass.
func (f *fuzz) happen() {
	f.collect() // before what was read can end
	switch n := f.rng.IntN(100); {
	case n < 8:
		p := f.souls[f.rng.IntN(len(f.souls))]
		f.tell(p, "", "crashes")
		p.Crash()
		f.start(p)
		f.did.crashes++
	case n < 12:
		p := f.souls[f.rng.IntN(len(f.souls))]
		f.tell(p, "", "restarts")
		p.Stop()
		f.start(p)
		f.did.restarts++
	case n < 26:
		p := f.souls[f.rng.IntN(len(f.souls))]
		f.tell(p, "", "offline: %v", !p.offline)
		if p.offline = !p.offline; p.offline {
			f.w.Net.Offline(p.Name)
			f.did.offline++
		} else {
			f.w.Net.Online(p.Name)
		}
	case n < 30:
		s := f.w.Server("home")
		f.tell(f.souls[0], "", "the server stops")
		s.Stop()
		f.w.Sleep(f.span(time.Hour))
		s.Start()
		f.tell(f.souls[0], "", "the server starts")
		f.did.outages++
	case n < 38:
		p := f.souls[f.rng.IntN(len(f.souls))]
		p.Stop()
		p.copied, p.key = p.Disk.Copy(), copyOf(p.Key)
		f.start(p)
	case n < 41:
		p := f.souls[f.rng.IntN(len(f.souls))]
		if p.copied == nil {
			break
		}
		f.tell(p, "", "is restored from a copy")
		f.unsure(p)
		p.Stop()
		p.Disk, p.Key, p.copied, p.restored = p.copied, p.key, nil, true
		f.start(p)
		f.did.restored++
	case n < 42:
		p := f.souls[f.rng.IntN(len(f.souls))]
		f.tell(p, "", "is away for more than a month")
		for _, o := range f.souls {
			if o == p || o.offline {
				f.unsure(o)
			}
		}
		f.w.Net.Offline(p.Name)
		f.w.Sleep(31*day + f.span(10*day))
		if !p.offline {
			f.w.Net.Online(p.Name)
		}
		f.did.away++
	case n < 46:
		p := f.souls[f.rng.IntN(len(f.souls))]
		for _, l := range f.w.Net.Links() {
			if l.Person == p.Name {
				l.Cut()
			}
		}
	}
	switch f.rng.IntN(10) {
	case 0:
		f.w.Sleep(f.span(day))
	case 1, 2:
		f.w.Sleep(f.span(time.Hour))
	default:
		f.w.Sleep(f.span(time.Minute))
	}
}

func copyOf(k *vaulttest.Key) *vaulttest.Key {
	b, _ := k.Load()
	c := &vaulttest.Key{}
	c.Store(b)
	return c
}

func (f *fuzz) span(most time.Duration) time.Duration {
	return time.Duration(f.rng.Int64N(int64(most)))
}

func (f *fuzz) start(p *soul) {
	f.w.T.Helper()
	if err := p.Start(); err != nil {
		f.w.T.Fatalf("%s does not start: %v", p.Name, err)
	}
}

// collect takes everybody's events.
func (f *fuzz) collect() {
	for _, p := range f.souls {
		p.Seen()
	}
}

func (f *fuzz) other(p *soul) *soul {
	for {
		if o := f.souls[f.rng.IntN(len(f.souls))]; o != p {
			return o
		}
	}
}

// roomOf picks a conversation that p lists as one to write in.
func (f *fuzz) roomOf(p *soul) *place { return f.pick(p, func(*place) bool { return true }) }

func (f *fuzz) groupOf(p *soul) *place { return f.pick(p, func(in *place) bool { return !in.direct }) }

func (f *fuzz) pick(p *soul, fits func(*place) bool) *place {
	rooms, err := p.Client.Rooms(p.Patience())
	if err != nil {
		f.w.T.Fatalf("%s lists rooms: %v", p.Name, err)
	}
	var list []*place
	for _, r := range rooms {
		if in := f.rooms[r.Room]; in != nil && r.State == core.RoomOK && fits(in) {
			list = append(list, in)
		}
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b *place) int { return strings.Compare(a.id, b.id) })
	return list[f.rng.IntN(len(list))]
}

// fine reports whether a call went well, and fails the test where it went wrong
// in a way that no person should see.
func (f *fuzz) fine(p *soul, what string, err error) bool {
	if err == nil {
		return true
	}
	f.count(func(c *tally) { c.refused++ })
	for _, k := range []wire.Code{wire.Denied, wire.NotFound, wire.Unreachable, wire.Full, wire.Stale, wire.Taken, wire.BadInput} {
		if isCode(err, k) {
			return false
		}
	}
	f.w.T.Errorf("%s: %s: %v", p.Name, what, err)
	return false
}

func (f *fuzz) count(how func(*tally)) {
	f.w.Net.mu.Lock() // any lock will do; it is held for a moment
	defer f.w.Net.mu.Unlock()
	how(&f.did)
}
