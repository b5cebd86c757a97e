package mls

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// history is a group with a random life: everybody follows everything, and
// everybody's state is saved and restored on the way.
type history struct {
	t      *testing.T
	r      *rand.Rand
	suite  Suite
	people []*person
	names  int
	done   map[string]int
}

// Random histories: after every commit all agree, a fresh joiner checks the
// whole tree, and nothing is lost by restarts.
func TestRandomHistory(t *testing.T) {
	for _, s := range []Suite{X25519_AES128GCM_SHA256_Ed25519, P256_AES128GCM_SHA256_P256, XWing_CHACHA20POLY1305_SHA256_Ed25519} {
		t.Run(s.String(), func(t *testing.T) {
			seed := rand.Uint64()
			h := &history{t: t, r: rand.New(rand.NewPCG(seed, 1)), suite: s, done: map[string]int{}}
			h.people = testGroup(t, s, 3, openLimits)
			steps := 60
			for range steps {
				h.step()
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
			t.Logf("%d steps, at the end %d members in epoch %d: %v", steps, len(h.people), h.people[0].g.Epoch(), h.done)
		})
	}
}

func (h *history) pick() *person { return h.people[h.r.IntN(len(h.people))] }

func (h *history) others(not *person) (all []*person) {
	for _, p := range h.people {
		if p != not {
			all = append(all, p)
		}
	}
	return all
}

func (h *history) newPerson() *person {
	h.names++
	return newPerson(h.t, h.suite, fmt.Sprintf("n%d", h.names))
}

// restart puts a saved state in the place of a live one.
func (h *history) restart(p *person) {
	h.t.Helper()
	e, r := p.g.MarshalEpoch(), p.g.MarshalRatchets()
	g, err := ParseGroup(e, r)
	if err != nil {
		h.t.Fatal(err)
	}
	if !bytes.Equal(g.MarshalEpoch(), e) || !bytes.Equal(g.MarshalRatchets(), r) {
		h.t.Fatal("a restored group encodes to other bytes")
	}
	p.g = g
}

func (h *history) step() {
	h.t.Helper()
	if h.r.IntN(4) == 0 {
		h.restart(h.pick())
	}
	switch h.r.IntN(6) {
	case 0:
		h.talk()
	case 1:
		h.externalJoin()
	case 2:
		h.proposeAndCommit()
	default:
		h.commit(CommitOptions{})
	}
}

func (h *history) talk() {
	h.t.Helper()
	h.done["talk"]++
	from := h.pick()
	var msgs [][]byte
	for i := range 1 + h.r.IntN(6) {
		m, err := from.g.Encrypt(fmt.Append(nil, i), h.r.IntN(300))
		if err != nil {
			h.t.Fatal(err)
		}
		msgs = append(msgs, m)
	}
	for _, p := range h.others(from) {
		for _, i := range h.r.Perm(len(msgs)) {
			if s := p.read(msgs[i]); string(s.Application()) != fmt.Sprint(i) {
				h.t.Errorf("%s reads %q, want %d", p.name, s.Application(), i)
			}
		}
	}
}

// commit adds to the options at random and sees the commit through.
func (h *history) commit(o CommitOptions) {
	h.t.Helper()
	by := h.pick()
	var joiners []*person
	var secrets []*KeyPackageSecrets
	gone := map[LeafIndex]bool{}
	if len(h.people) > 2 && h.r.IntN(3) == 0 {
		for range 1 + h.r.IntN(2) {
			i := h.pick().g.OwnLeaf()
			if i != by.g.OwnLeaf() && !gone[i] {
				gone[i] = true
				o.Remove = append(o.Remove, i)
			}
		}
		h.done["remove"] += len(o.Remove)
	}
	if len(h.people) < 24 && h.r.IntN(2) == 0 {
		for range 1 + h.r.IntN(3) {
			j := h.newPerson()
			kp, sec := j.keyPackage()
			o.Add = append(o.Add, kp)
			joiners, secrets = append(joiners, j), append(secrets, sec)
		}
		h.done["add"] += len(joiners)
	}
	o.NoPath = len(o.Remove) == 0 && len(o.Add) > 0 && len(o.ByReference) == 0 && h.r.IntN(2) == 0
	if !o.NoPath && h.r.IntN(4) == 0 {
		key, err := GenerateSignatureKey(h.suite)
		if err != nil {
			h.t.Fatal(err)
		}
		o.Leaf = &LeafChange{SignatureKey: key}
		h.done["new signature key"]++
	}
	if h.r.IntN(5) == 0 {
		o.Custom = append(o.Custom, CustomProposal{Type: testCustomType, Data: []byte("x")})
	}
	o.Public = h.r.IntN(3) == 0
	o.InlineTree = h.r.IntN(2) == 0
	o.PadTo = h.r.IntN(500)
	pc, err := by.g.Commit(o)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.r.IntN(3) == 0 { // killed between saving and sending
		raw := pc.Marshal()
		h.restart(by)
		if pc, err = by.g.ParsePendingCommit(raw); err != nil {
			h.t.Fatal(err)
		}
	}
	h.done["commit"]++
	h.follow(pc.Message(), by)
	by.g = pc.Staged().Apply()
	for i, j := range joiners {
		jo := JoinOptions{RatchetTree: pc.RatchetTree(), Limits: openLimits}
		if o.InlineTree {
			jo.RatchetTree = nil
		}
		w := pc.Welcome(o.Add[i].Ref())
		if h.r.IntN(2) == 0 {
			w = pc.WelcomeAll()
		}
		if j.g, _, err = Join(w, o.Add[i], secrets[i], jo); err != nil {
			h.t.Fatal(err)
		}
		secrets[i].Wipe()
		h.people = append(h.people, j)
	}
	sameEpoch(h.t, h.people...)
}

// follow has all but the committer read a commit; those removed leave.
func (h *history) follow(msg []byte, by *person) {
	h.t.Helper()
	var left []*person
	for _, p := range h.people {
		if p == by {
			left = append(left, p)
			continue
		}
		if s := p.read(msg); !s.SelfRemoved() {
			left = append(left, p)
		}
	}
	h.people = left
}

func (h *history) externalJoin() {
	h.t.Helper()
	if len(h.people) >= 24 {
		return
	}
	h.done["external join"]++
	info, err := h.pick().g.GroupInfo(true, true)
	if err != nil {
		h.t.Fatal(err)
	}
	j := h.newPerson()
	o := ExternalOptions{Limits: openLimits}
	if len(h.people) > 2 && h.r.IntN(2) == 0 { // comes back in the place of an old leaf
		old := h.pick().g.OwnLeaf()
		o.Remove = &old
	}
	msg, g, err := JoinExternally(info, j.member(), Lifetime{}, o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.follow(msg, nil)
	j.g = g
	h.people = append(h.people, j)
	sameEpoch(h.t, h.people...)
}

// proposeAndCommit has some propose Updates and Removes by themselves, and
// somebody commit what he may.
func (h *history) proposeAndCommit() {
	h.t.Helper()
	by := h.pick()
	var o CommitOptions
	used := map[LeafIndex]bool{by.g.OwnLeaf(): true}
	for range 1 + h.r.IntN(4) {
		p := h.pick()
		var msg, ref []byte
		var err error
		po := ProposeOptions{Public: h.r.IntN(2) == 0}
		target := p.g.OwnLeaf()
		if h.r.IntN(3) > 0 {
			msg, ref, err = p.g.ProposeUpdate(po)
		} else {
			target = h.pick().g.OwnLeaf()
			msg, ref, err = p.g.Propose(Proposal{Type: ProposalRemove, Remove: target}, po)
		}
		if err != nil {
			h.t.Fatal(err)
		}
		for _, q := range h.others(p) {
			q.read(msg)
		}
		h.done["proposal"]++
		if !used[target] && len(used) < len(h.people)-1 {
			used[target] = true
			o.ByReference = append(o.ByReference, ref)
		}
	}
	pc, err := by.g.Commit(o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.done["commit"]++
	h.follow(pc.Message(), by)
	by.g = pc.Staged().Apply()
	sameEpoch(h.t, h.people...)
}
