package core_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/core"
	"hearth/hearthtest"
)

// The hostile member: seventeen attacks of mallory's, one each in a fresh room of
// six. Whatever she does, the five others agree again, and what one of them says
// next reaches them all. The acts are in hostile_acts_test.go.

// TestHostile plays the rows one after another, for what they cost is that of
// the process. An ordinary run takes a seeded few.
func TestHostile(t *testing.T) {
	rows := slices.Clone(hostileRows)
	if os.Getenv("CI") != "true" && os.Getenv("HEARTH_FULL") == "" {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		rows = rows[:3]
	}
	for _, r := range rows {
		t.Run(hearthtest.Subtest(r.name), func(t *testing.T) {
			hearthtest.Run(t, func(w *hearthtest.World) { r.play(newHouse(w, r)) })
		})
	}
}

// hostile are the rows as deviations, whose checks are taken out.
func hostile() (all []hearthtest.Deviation) {
	for _, r := range hostileRows {
		all = append(all, hearthtest.Deviation{Name: r.name, Edits: r.edits})
	}
	return all
}

// hostileRow is one attack.
type hostileRow struct {
	name string
	act  func(h *house, m *insider)
	// admin: mallory is one; otherwise she is a plain member.
	admin bool
	// away lists who is offline meanwhile; they come back five minutes after the
	// others agree.
	away string
	// within is how long it takes until what is said next has reached all who
	// are online, 0 for shortly; back is the same for those who come back. Where
	// it is more, a successor is needed: protocol §5 waits ten minutes for a
	// refresh, and then two minutes for each who stands before in rank.
	within, back time.Duration
	// refreshed: some are put back into the room, to whom what was said
	// meanwhile is lost; the others wait for them before they speak.
	refreshed bool
	// young: nobody's keys are renewed yet, so that a commit seals its secrets to
	// each leaf by itself.
	young bool
	// told is what people read, by name; "online" and "away" are all others.
	told map[string]string
	// gone: mallory is not in the group any more. guest: somebody else is.
	gone  bool
	guest string
	// edits take out what stops the attack (hearthtest.Checks). That the room heals
	// at all has many parts; where a row needs one of its own, it is that.
	edits []hearthtest.Edit
}

const (
	// shortly is what a message may take in virtual time where no successor is
	// needed.
	shortly = 30 * time.Second
	// founded is that where the owner founds one, foundedByAdmin where the owner
	// is away: waits, and a little for the founding itself.
	founded        = 10*time.Minute + shortly
	foundedByAdmin = founded + 2*time.Minute
)

// house is the room of six: alice owns it, bob is an admin.
type house struct {
	*stage
	all    []*hearthtest.Person // mallory is first
	away   []*hearthtest.Person
	before core.Room
	roles  map[string]string // by account
	struck time.Time
	used   used
}

// newHouse is the room before the attack, past the renewals that follow joining
// unless it is young.
func newHouse(w *hearthtest.World, r hostileRow) *house {
	w.T.Helper()
	h := &house{stage: &stage{World: w}}
	for _, name := range []string{"mallory", "bob", "carol", "dave", "erin"} {
		h.all = append(h.all, w.Person(name))
	}
	h.Bob, h.Carol = h.all[1], h.all[2]
	h.Alice, h.Group = kitchen(w, h.all...)
	h.all = slices.Insert(h.all, 1, h.Alice)
	if !r.young {
		w.Sleep(15 * time.Minute)
	}
	admins := []string{"bob"}
	if r.admin {
		admins = append(admins, "mallory")
	}
	for _, name := range admins {
		if _, err := h.Alice.Client.GroupRole(h.Alice.Patience(), h.Group, name, "admin"); err != nil {
			w.T.Fatal(err)
		}
	}
	w.Sleep(10 * time.Second)
	for _, p := range h.all {
		p.Seen()
	}
	h.before, h.roles = h.Alice.Room(h.Group), h.rolesFor(h.Alice)
	return h
}

func (h *house) rolesFor(p *hearthtest.Person) map[string]string {
	h.T.Helper()
	roles := map[string]string{}
	for _, m := range p.Members(h.Group) {
		roles[m.Account] = m.Role
	}
	return roles
}

// honest are the five others.
func (h *house) honest() []*hearthtest.Person { return h.all[1:] }

func (h *house) mallory() *hearthtest.Person { return h.all[0] }

// strikes says that the attack begins: what came before is its preparation, and
// mallory's own effort.
func (h *house) strikes() {
	h.struck, h.used = time.Now(), usedSoFar()
}

func (r hostileRow) play(h *house) {
	for _, name := range strings.Fields(r.away) {
		h.away = append(h.away, h.Person(name))
		h.Net.Offline(name)
	}
	m := turn(h.stage, h.mallory(), h.Group)
	h.strikes()
	r.act(h, m)
	online := h.but(h.away...)
	says := online[0]
	ends := time.Now().Add(max(r.within, shortly))
	h.struck = time.Now()
	if r.refreshed {
		h.Sleep(time.Second)
		h.agreeBy(ends, online...)
	}
	h.says(says, "what now?", ends, online...)
	reached := time.Since(h.struck)

	h.Sleep(5 * time.Minute)
	came := time.Now()
	ends = came.Add(max(r.back, shortly))
	for _, p := range h.away {
		h.Net.Online(p.Name)
		p.Restart() // they look into their phone
	}
	if r.refreshed {
		h.agreeBy(ends, h.honest()...)
	} else {
		h.hear("what now?", ends, h.but(says)...)
	}
	h.says(append(h.away, online...)[0], "as before", ends, h.honest()...)
	back := time.Since(came)
	cost := usedSoFar().since(h.used)
	// A line of the table in docs/benchmarks.md, which make attacks prints: all who
	// were online reached, and those who were away; processor time, MB allocated.
	h.T.Logf("| %s | %v | %v | %d ms | %d |", r.name, reached.Round(time.Second), back.Round(time.Second),
		cost.cpu.Round(10*time.Millisecond).Milliseconds(), cost.bytes>>20)
	if cost.cpu > allowed.cpu || cost.bytes > allowed.bytes {
		h.T.Errorf("it cost %v and %d MB", cost.cpu, cost.bytes>>20)
	}
	h.agree(r)
	for _, p := range h.honest() {
		want, ok := r.told[p.Name]
		if !ok && slices.Contains(h.away, p) {
			want = r.told["away"]
		} else if !ok {
			want = r.told["online"]
		}
		told(h.World, p, strings.Fields(want)...)
	}
}

// allowed is what a row may cost: that of the whole process, server and test
// included. The bound of a single client is 2 s and 200 MB. Memory counts whether
// or not it was freed, so that nobody can have held 200 MB at once beside what the
// others use; time is that of five clients, for it varies with the machine. What
// was measured is in docs/benchmarks.md: in sum less than what one may.
var allowed = used{cpu: 5 * 2 * time.Second, bytes: 300 << 20}

// but are the honest without some.
func (h *house) but(some ...*hearthtest.Person) []*hearthtest.Person {
	return slices.DeleteFunc(slices.Clone(h.honest()), func(p *hearthtest.Person) bool { return slices.Contains(some, p) })
}

// says has somebody say what these others must have read in time.
func (h *house) says(who *hearthtest.Person, text string, ends time.Time, people ...*hearthtest.Person) {
	h.T.Helper()
	if _, err := who.TrySend(h.Group, text); err != nil {
		h.T.Fatalf("%s cannot say anything: %v", who.Name, err)
	}
	h.hear(text, ends, slices.DeleteFunc(slices.Clone(people), func(p *hearthtest.Person) bool { return p == who })...)
}

// agreeBy waits until these are in one epoch.
func (h *house) agreeBy(ends time.Time, people ...*hearthtest.Person) {
	h.T.Helper()
	for {
		first, apart := people[0].Room(h.Group), ""
		for _, p := range people {
			if r := p.Room(h.Group); r.State != core.RoomOK || r.Epoch != first.Epoch {
				apart += " " + p.Name + ":" + r.State
			}
		}
		switch {
		case apart == "":
			return
		case !time.Now().Before(ends):
			h.T.Errorf("apart in the end:%s", apart)
			return
		}
		// Looking costs memory, too.
		h.Sleep(min(time.Second+time.Since(h.struck)/100, 5*time.Second))
	}
}

func together(a, b core.Inside) bool {
	return a.Room == b.Room && a.Group.Epoch() == b.Group.Epoch() && string(a.Group.EpochAuthenticator()) == string(b.Group.EpochAuthenticator())
}

// hear waits until all of these have read a text.
func (h *house) hear(text string, ends time.Time, people ...*hearthtest.Person) {
	h.T.Helper()
	for _, p := range people {
		if count(p.Texts(), text) == 0 {
			p.TryAwait(time.Until(ends), func(e core.Event) bool { return e.Type == core.EventMessage && e.Text == text })
		}
		if n := count(p.Texts(), text); n != 1 {
			h.T.Errorf("%s, whose room is %s, has %q %d times", p.Name, p.State(h.Group), text, n)
		}
	}
}

// agree checks that the honest are in one epoch of one room with the same
// people, who have the roles that they had.
func (h *house) agree(r hostileRow) {
	h.T.Helper()
	want := maps.Clone(h.roles)
	if r.gone {
		delete(want, account(h.mallory()).String())
	}
	if r.guest != "" {
		want[account(h.Person(r.guest)).String()] = "member"
	}
	first, err := h.Alice.Client.Inside(h.Group)
	if err != nil {
		h.T.Fatal(err)
	}
	for _, p := range h.honest() {
		in, err := p.Client.Inside(h.Group)
		if err != nil || !together(in, first) {
			h.T.Errorf("%s is elsewhere than alice, %v", p.Name, err)
		}
		if got := p.Room(h.Group); got.State != core.RoomOK || got.Name != h.before.Name || got.Retention != h.before.Retention {
			h.T.Errorf("%s sees %+v", p.Name, got)
		}
		if got := h.rolesFor(p); !maps.Equal(got, want) {
			h.T.Errorf("%s sees the roles %v, want %v", p.Name, got, want)
		}
	}
}

// used is what this process has used.
type used struct {
	cpu   time.Duration
	bytes uint64 // allocated, freed or not
}

func usedSoFar() used {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return used{time.Duration(u.Utime.Nano() + u.Stime.Nano()), m.TotalAlloc}
}

func (u used) since(v used) used { return used{u.cpu - v.cpu, u.bytes - v.bytes} }
