package mls

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// RFC 9420 §9.2: once a message was read, nothing in the saved state leads back
// to its key: not the key, no ratchet secret before it, no tree node above.
func TestDeletionSchedule(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 6, Limits{})
	a, b := people[0], people[1]
	tree := a.g.secrets // read before anything was derived for b's own leaf
	var gone [][]byte
	path := tree.path(uint32(b.g.OwnLeaf()))
	secret := clone(tree.nodes[path[0]])
	if secret == nil {
		t.Fatal("the tree's root was derived before any message")
	}
	p := tree.p
	for i, node := range path[1:] {
		gone = append(gone, clone(secret))
		side := "left"
		if node > path[i] {
			side = "right"
		}
		secret = p.expandWithLabel(secret, "tree", []byte(side), p.nh)
	}
	gone = append(gone, clone(secret))
	ratchet := p.expandWithLabel(secret, "application", nil, p.nh)
	for g := range uint32(4) {
		gone = append(gone, clone(ratchet), p.deriveTreeSecret(ratchet, "key", g, p.nk))
		ratchet = p.deriveTreeSecret(ratchet, "secret", g, p.nh)
	}
	var msgs [][]byte
	for i := range 4 {
		m, err := b.g.Encrypt(fmt.Appendf(nil, "message %d", i), 0)
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, m)
	}
	a.read(msgs[3]) // keys 0 to 2 are kept for now
	state := a.g.MarshalRatchets()
	if !bytes.Contains(state, gone[len(gone)-7]) {
		t.Error("the key of a skipped message is not kept")
	}
	for _, i := range []int{1, 0, 2} {
		a.read(msgs[i])
	}
	for who, g := range map[string]*Group{"receiver": a.g, "sender": b.g} {
		state := append(g.MarshalRatchets(), g.MarshalEpoch()...)
		for i, s := range gone {
			if bytes.Contains(state, s) {
				t.Errorf("secret %d of the way to a used key is still in the %s's state", i, who)
			}
		}
	}
	// What is left serves the others as before.
	people[2].say("still there", a, b)
}

// After a commit nothing of the old epoch is left in memory, and the private
// keys that both epochs share still work.
func TestOldEpochWiped(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 4, Limits{})
	a, b, c, d := people[0], people[1], people[2], people[3]
	old := b.g
	keys, nodes := *old.keys, old.secrets.nodes
	var secrets [][]byte
	for _, s := range keys.all() {
		secrets = append(secrets, *s)
	}
	for _, s := range nodes {
		secrets = append(secrets, s)
	}
	a.commit(CommitOptions{}, b, c, d)
	for i, s := range secrets {
		if !bytes.Equal(s, make([]byte, len(s))) {
			t.Errorf("secret %d of the old epoch is not wiped", i)
		}
	}
	if _, err := old.Encrypt([]byte("x"), 0); !errors.Is(err, ErrRemoved) {
		t.Errorf("sending from the old state: got %v, want ErrRemoved", err)
	}
	if _, err := old.Export("x", nil, 32); !errors.Is(err, ErrRemoved) {
		t.Errorf("exporting from the old state: got %v, want ErrRemoved", err)
	}
	c.commit(CommitOptions{}, a, b, d)
	d.commit(CommitOptions{}, a, b, c)
	sameEpoch(t, people...)
}

// A staged or pending commit that is dropped leaves the group fit for another.
func TestDiscard(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 4, Limits{})
	a, b, c, d := people[0], people[1], people[2], people[3]
	lost, err := a.g.Commit(CommitOptions{Remove: []LeafIndex{3}})
	if err != nil {
		t.Fatal(err)
	}
	st, err := b.g.Process(lost.Message())
	if err != nil {
		t.Fatal(err)
	}
	next := st.Next()
	st.Discard()
	lost.Discard()
	if !next.gone || !bytes.Equal(next.keys.init, nil) {
		t.Error("the dropped epoch's secrets are not wiped")
	}
	late, err := b.g.Process(lost.Message())
	if err != nil {
		t.Fatal(err)
	}
	won := c.commit(CommitOptions{}, a, b, d)
	late.Discard() // after another has won
	if !bytes.Equal(late.next.keys.init, nil) {
		t.Error("the epoch dropped late is not wiped")
	}
	won.Discard() // after Apply: nothing
	d.commit(CommitOptions{}, a, b, c)
	sameEpoch(t, people...)
	for _, p := range people {
		others := []*person{}
		for _, q := range people {
			if q != p {
				others = append(others, q)
			}
		}
		p.say("all well", others...)
	}
}

// Keys that were jumped over are kept up to the limits; the sender with the
// most loses its oldest first.
func TestSkippedKeyBounds(t *testing.T) {
	limits := Limits{MaxForward: 50, MaxSkipped: 10, MaxSkippedTotal: 15}
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 3, limits)
	a, b, c := people[0], people[1], people[2]
	send := func(p *person, n int) (msgs [][]byte) {
		for range n {
			m, err := p.g.Encrypt([]byte("x"), 0)
			if err != nil {
				t.Fatal(err)
			}
			msgs = append(msgs, m)
		}
		return msgs
	}
	fromB := send(b, 21)
	a.read(fromB[20]) // 20 jumped over, 10 kept
	for i, want := range map[int]error{9: ErrGenerationUsed, 10: nil, 19: nil} {
		if _, err := a.g.Process(fromB[i]); err != want {
			t.Errorf("message %d: got %v, want %v", i, err, want)
		}
	}
	fromC := send(c, 11)
	a.read(fromC[10]) // 10 more kept, 15 in all: the oldest five of both go
	kept := 0
	for _, r := range a.g.secrets.ratch {
		kept += len(r.application.skipped)
	}
	if kept != 15 {
		t.Errorf("got %d keys kept, want 15", kept)
	}
	if _, err := a.g.Process(fromC[9]); err != nil {
		t.Errorf("a key of c's within the limit: %v", err)
	}
	if _, err := a.g.Process(fromB[19]); err != nil {
		t.Errorf("a key of b's within the limit: %v", err)
	}
	if err := c.g.SkipTo(62); !errors.Is(err, ErrTooFarAhead) {
		t.Errorf("skipping too far: got %v, want ErrTooFarAhead", err)
	}
	if err := c.g.SkipTo(61); err != nil || c.g.OwnGeneration() != 61 {
		t.Errorf("skipping: got %v at generation %d, want 61", err, c.g.OwnGeneration())
	}
	if _, err := a.g.Process(send(c, 1)[0]); err != nil {
		t.Errorf("50 ahead of the last one: %v", err)
	}
	if err := c.g.SkipTo(5); err != nil || c.g.OwnGeneration() != 62 {
		t.Errorf("skipping back: got %v at generation %d, want 62", err, c.g.OwnGeneration())
	}
}

// Messages in any order within the bounds are all read, once.
func TestOutOfOrder(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 2, Limits{})
	a, b := people[0], people[1]
	for range 20 {
		n := 1 + rand.IntN(40)
		var msgs [][]byte
		for i := range n {
			m, err := a.g.Encrypt(fmt.Appendf(nil, "%d", i), rand.IntN(200))
			if err != nil {
				t.Fatal(err)
			}
			msgs = append(msgs, m)
		}
		for _, i := range rand.Perm(n) {
			if s := b.read(msgs[i]); string(s.Application()) != fmt.Sprint(i) {
				t.Fatalf("message %d reads %q", i, s.Application())
			}
			if _, err := b.g.Process(msgs[i]); err != ErrGenerationUsed {
				t.Fatalf("message %d again: got %v, want ErrGenerationUsed", i, err)
			}
		}
	}
	for _, r := range b.g.secrets.ratch {
		if len(r.application.skipped) > 0 {
			t.Errorf("%d keys are left over", len(r.application.skipped))
		}
	}
}

// Two messages looked at before either is applied are both read, in any order.
func TestStagedSideBySide(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 3, Limits{})
	a, b, c := people[0], people[1], people[2]
	var staged []*Staged
	for _, p := range []*person{b, c, b} {
		m, err := p.g.Encrypt([]byte(p.name), 0)
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.g.Process(m)
		if err != nil {
			t.Fatal(err)
		}
		staged = append(staged, s)
	}
	for _, i := range []int{2, 0, 1} {
		a.g = staged[i].Apply()
	}
	staged[1].Apply() // twice is once
	a.say("done", b, c)
	b.say("next", a, c)
	c.say("and me", a, b)
}

// A ratchet ends at the greatest generation: it is used once, and there is none
// after it.
func TestRatchetEnd(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 2, Limits{})
	a, b := people[0], people[1]
	for _, p := range people {
		r, err := p.g.secrets.derive(0, true)
		if err != nil {
			t.Fatal(err)
		}
		r.application.next = 1<<32 - 2
	}
	a.say("last but one", b)
	msg, err := a.g.Encrypt([]byte("last"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.g.Encrypt([]byte("beyond"), 0); !errors.Is(err, ErrGenerationsSpent) {
		t.Errorf("beyond the last generation: got %v, want ErrGenerationsSpent", err)
	}
	if s := b.read(msg); s.Generation() != 1<<32-1 {
		t.Errorf("got generation %d", s.Generation())
	}
	if _, err := b.g.Process(msg); !errors.Is(err, ErrGenerationUsed) {
		t.Errorf("the last message again: got %v, want ErrGenerationUsed", err)
	}
	for _, p := range people {
		g, err := ParseGroup(p.g.MarshalEpoch(), p.g.MarshalRatchets())
		if err != nil {
			t.Fatal(err)
		}
		p.g = g
	}
	a.commit(CommitOptions{}, b) // commits have a ratchet of their own
	a.say("a new start", b)
}

// No value of this package prints a secret, whatever the verb.
func TestNothingPrintsSecrets(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 2, Limits{})
	pc, err := people[0].g.Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	key := people[0].g.keys.exporter
	type holder struct {
		g *Group
		p PSK
		c *PendingCommit
	}
	h := holder{people[0].g, people[0].g.ResumptionPSK(UsageApplication), pc}
	for _, v := range []any{people[0].g, *pc, pc, pc.Staged(), h, &h, h.p} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
			out := fmt.Sprintf(verb, v)
			for _, s := range [][]byte{key, h.p.Bytes()} {
				for _, form := range []string{fmt.Sprintf("%x", s), strings.Trim(fmt.Sprint(s), "[]"), strings.Trim(fmt.Sprintf("%#v", s), "[]byte{}")} {
					if strings.Contains(out, form) {
						t.Errorf("%T with %s prints a secret", v, verb)
					}
				}
			}
		}
	}
}
