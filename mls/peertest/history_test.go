package peertest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// crowd is the size that every history rises to for a stretch; for the rest of
// the time it stays between few and some.
const few, some, crowd = 4, 16, 100

// TestHistory plays a random history in each suite, with two or three members
// in ts-mls and all others ours. After every commit all members agree.
func TestHistory(t *testing.T) {
	// Whether a commit may land must not hang on luck: new histories are for the
	// author's machine and the soak.
	seed := rand.Uint64() >> 1
	if os.Getenv("CI") == "true" {
		seed = 9420
	}
	operations, seed := setting(t, "HEARTH_PEER_OPS", 500), setting(t, "HEARTH_PEER_SEED", seed)
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("to see it again: HEARTH_PEER_SEED=%d HEARTH_PEER_OPS=%d go test -run '^TestHistory$/^%s$' ./mls/peertest", seed, operations, s.name)
				}
			})
			h := &history{rng: rand.New(rand.NewPCG(seed, uint64(s.number)))}
			h.room = newRoom(t, startPeer(t), s, h.rng.IntN(2) == 0)
			start := time.Now()
			for i := range operations {
				h.want(i, operations)
				h.step()
				if (i+1)%1000 == 0 && i+1 < operations {
					t.Logf("suite %s, seed %d: %d of %d operations in %v: %v", s.name, seed, i+1, operations, time.Since(start).Round(time.Second), h.did)
				}
			}
			if operations >= 500 && h.did.largest < crowd {
				t.Errorf("the group never had %d members: %v", crowd, h.did)
			}
			t.Logf("suite %s, seed %d: %d operations in %v: %v", s.name, seed, operations, time.Since(start).Round(time.Second), h.did)
			t.Logf("by kind: %v; waited for ts-mls: %v", h.kinds, h.peer.spent)
		})
	}
}

// setting reads a number from the environment.
func setting(t testing.TB, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// A history is a room to which random things happen.
type history struct {
	*room
	rng    *rand.Rand
	target int // members wanted now
	kinds  map[string]int
}

// want sets the size that the group moves to: a crowd for a stretch in the
// middle, else something small that changes now and then.
func (h *history) want(i, operations uint64) {
	stretch := operations / 25
	if from := operations / 2; i >= from && i < from+stretch {
		h.target = crowd
	} else if h.target == 0 || h.target == crowd || h.rng.IntN(40) == 0 {
		h.target = few + h.rng.IntN(some-few)
	}
}

// step does one operation.
func (h *history) step() {
	h.t.Helper()
	n := len(h.members)
	switch {
	case n < 3 || n < h.target-4 || h.target == crowd && h.did.largest < crowd:
		h.do("grow", h.grow)
	case n > h.target+8:
		h.do("shrink", h.shrink)
	case h.guests() < 2 && h.coin():
		h.do("external join", h.external)
	case h.guests() < 2:
		h.do("add", h.add)
	default:
		k := h.rng.IntN(100)
		for _, o := range operations {
			if k -= o.weight; k < 0 {
				h.do(o.name, func() { o.do(h) })
				return
			}
		}
	}
}

func (h *history) do(name string, f func()) {
	h.t.Helper()
	if h.kinds == nil {
		h.kinds = map[string]int{}
	}
	h.kinds[name]++
	f()
}

// operations and how many of a hundred they are.
var operations = []struct {
	name   string
	weight int
	do     func(*history)
}{
	{"talk", 30, (*history).talk},
	{"update", 14, (*history).update},
	{"add", 10, (*history).add},
	{"remove", 9, (*history).remove},
	{"replace", 6, (*history).replace},
	{"by reference", 10, (*history).byReference},
	{"external join", 4, (*history).external},
	{"lost race", 4, (*history).race},
	{"psk", 2, (*history).psk},
	{"resumption", 1, (*history).resumption},
	{"custom", 2, (*history).custom},
	{"extensions", 3, (*history).extensions},
	{"restart", 5, (*history).restart},
}

func (h *history) guests() int {
	n := 0
	for _, m := range h.members {
		if m.theirs() {
			n++
		}
	}
	return n
}

// anyone picks a member, one in ts-mls a third of the time.
func (h *history) anyone(but ...member) member {
	theirs := h.rng.IntN(3) == 0
	var of, all []member
	for _, m := range h.members {
		if slices.Contains(but, m) {
			continue
		}
		all = append(all, m)
		if m.theirs() == theirs {
			of = append(of, m)
		}
	}
	if len(of) > 0 {
		return of[h.rng.IntN(len(of))]
	}
	return all[h.rng.IntN(len(all))]
}

func (h *history) coin() bool { return h.rng.IntN(2) == 0 }

// newcomers makes n clients, so that two or three of the room are in ts-mls.
func (h *history) newcomers(n int) []member {
	var made []member
	guests := h.guests()
	for range n {
		theirs := guests < 2 || guests < 3 && h.rng.IntN(4) == 0
		if theirs {
			guests++
		}
		made = append(made, h.newMember(theirs))
	}
	return made
}

func (h *history) plan() plan {
	return plan{inlineTree: h.coin(), public: h.rng.IntN(4) == 0, newLeaf: h.rng.IntN(8) == 0}
}

func (h *history) grow() {
	n := 1 + h.rng.IntN(24)
	if h.target == crowd {
		n = max(n, 8) // the stretch is to be long enough
	}
	n = min(n, h.target-len(h.members))
	h.commit(h.anyone(), h.plan(), h.newcomers(max(n, 1))...)
}

func (h *history) add() { h.commit(h.anyone(), h.plan(), h.newcomers(1+h.rng.IntN(2))...) }

// removals are n proposals that remove somebody, not the given member.
func (h *history) removals(n int, but member) []proposal {
	var ps []proposal
	for _, i := range h.rng.Perm(len(h.members)) {
		if m := h.members[i]; m != but && len(ps) < n {
			ps = append(ps, h.removeOf(m))
		}
	}
	return ps
}

func (h *history) shrink() {
	by, p := h.anyone(), h.plan()
	p.proposals = h.removals(min(len(h.members)-h.target, 1+h.rng.IntN(24)), by)
	h.commit(by, p)
}

func (h *history) remove() {
	by, p := h.anyone(), h.plan()
	p.proposals = h.removals(1+h.rng.IntN(2), by)
	h.commit(by, p)
}

// replace removes and adds in one commit: newcomers take the leaves over.
func (h *history) replace() {
	by, p := h.anyone(), h.plan()
	p.proposals = h.removals(1+h.rng.IntN(2), by)
	h.commit(by, p, h.newcomers(1+h.rng.IntN(3))...)
}

func (h *history) update() { h.commit(h.anyone(), h.plan()) }

// talk sends messages of a few members, to each receiver in order or in an
// order of its own, and some a second time.
func (h *history) talk() {
	var letters []letter
	from := []member{h.anyone(), h.anyone()}
	for range 1 + h.rng.IntN(6) {
		data := make([]byte, h.rng.IntN(1<<h.rng.IntN(14)))
		for i := range data {
			data[i] = byte(h.rng.Uint32())
		}
		letters = append(letters, h.write(from[h.rng.IntN(2)], data))
	}
	shuffled := h.coin()
	h.deliver(letters, func(l []letter) {
		if shuffled {
			h.rng.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
		}
	})
	if h.rng.IntN(4) == 0 {
		h.refuse(letters[h.rng.IntN(len(letters))])
	}
}

// byReference has several members propose, at most one thing about each leaf,
// and one whom nothing is proposed about commit all of it.
func (h *history) byReference() {
	by := h.anyone()
	touched := []member{by}
	var joiners []member
	public := h.coin()
	for range 1 + h.rng.IntN(4) {
		if len(touched) == len(h.members) {
			break
		}
		m := h.anyone(touched...)
		switch h.rng.IntN(4) {
		case 0:
			joiner := h.newcomers(len(joiners) + 1)[len(joiners)]
			joiners = append(joiners, joiner)
			h.propose(h.anyone(), addOf(joiner), public)
		case 1:
			touched = append(touched, m)
			h.propose(h.anyone(), h.removeOf(m), public)
		default:
			touched = append(touched, m)
			h.propose(m, proposal{Kind: "update"}, public)
		}
	}
	h.commitProposed(by, joiners...)
}

func (h *history) external() {
	h.joinExternally(h.newcomers(1)[0], h.anyone(), h.coin())
}

func (h *history) race() {
	winner := h.anyone()
	h.loseTo(h.anyone(winner), winner, h.plan(), h.newcomers(h.rng.IntN(2))...)
}

func (h *history) psk() {
	p := h.plan()
	p.proposals = []proposal{{Kind: "psk", ID: []byte("first")}}
	if h.coin() {
		p.proposals = append(p.proposals, proposal{Kind: "psk", ID: []byte("second")})
	}
	h.commit(h.anyone(), p, h.newcomers(h.rng.IntN(2))...)
}

// resumption uses the epoch's own resumption secret, which no joiner has.
func (h *history) resumption() {
	p := h.plan()
	p.proposals = []proposal{{Kind: "resumption"}}
	h.commit(h.anyone(), p)
}

func (h *history) custom() {
	p := h.plan()
	p.proposals = []proposal{{Kind: "custom", Type: customProposal, Data: fmt.Append(nil, h.rng.Uint64())}}
	h.commit(h.anyone(), p)
}

// extensions replaces the GroupContext extensions; ours only, see known_test.go.
func (h *history) extensions() {
	p := h.plan()
	data := fmt.Append(nil, h.rng.Uint64())
	p.proposals = []proposal{{Kind: "extensions", Extensions: []extension{{groupExtension, data}}}}
	for {
		if m := h.anyone(); !m.theirs() {
			h.commit(m, p)
			return
		}
	}
}

// restart has some of ours forget everything but their saved state.
func (h *history) restart() {
	for _, m := range h.members {
		if o, ok := m.(interface{ restart() error }); ok && h.coin() {
			h.checkBy(m, "restart", o.restart())
		}
	}
}
