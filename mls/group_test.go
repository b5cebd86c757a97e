package mls

import (
	"bytes"
	"fmt"
	"testing"
)

// person is one member in the tests of this package.
type person struct {
	t    testing.TB
	name string
	key  *SignatureKey
	g    *Group
}

func newPerson(t testing.TB, s Suite, name string) *person {
	t.Helper()
	key, err := GenerateSignatureKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t: t, name: name, key: key}
}

// testCustomType is a custom proposal that everybody in the tests supports.
const testCustomType = 0xF0AA

func (p *person) member() Member {
	c := DefaultCapabilities()
	c.Proposals = append(c.Proposals, testCustomType)
	return Member{Credential: BasicCredential([]byte(p.name)), SignatureKey: p.key, Capabilities: c}
}

func (p *person) keyPackage() (*KeyPackage, *KeyPackageSecrets) {
	p.t.Helper()
	kp, secrets, err := NewKeyPackage(p.key.suite, p.member(), Lifetime{0, 1 << 62}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return kp, secrets
}

// testGroup makes a group of n members, all at the same epoch.
func testGroup(t testing.TB, s Suite, n int, limits Limits) []*person {
	t.Helper()
	return testGroupWith(t, GroupConfig{Suite: s, GroupID: []byte("group"), Limits: limits}, n)
}

func testGroupWith(t testing.TB, cfg GroupConfig, n int) []*person {
	t.Helper()
	people := []*person{newPerson(t, cfg.Suite, "p0")}
	g, err := NewGroup(cfg, people[0].member(), Lifetime{0, 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	people[0].g = g
	if n == 1 {
		return people
	}
	var o CommitOptions
	var secrets []*KeyPackageSecrets
	for i := 1; i < n; i++ {
		p := newPerson(t, cfg.Suite, fmt.Sprintf("p%d", i))
		kp, sec := p.keyPackage()
		o.Add = append(o.Add, kp)
		secrets = append(secrets, sec)
		people = append(people, p)
	}
	pc, err := g.Commit(o)
	if err != nil {
		t.Fatal(err)
	}
	people[0].g = pc.Staged().Apply()
	for i, p := range people[1:] {
		p.g, _, err = Join(pc.Welcome(o.Add[i].Ref()), o.Add[i], secrets[i], JoinOptions{RatchetTree: pc.RatchetTree(), Limits: cfg.Limits})
		if err != nil {
			t.Fatal(err)
		}
	}
	return people
}

// sameEpoch fails unless all agree.
func sameEpoch(t testing.TB, people ...*person) {
	t.Helper()
	for _, p := range people[1:] {
		if !bytes.Equal(p.g.EpochAuthenticator(), people[0].g.EpochAuthenticator()) {
			t.Fatalf("%s and %s disagree on epoch %d", people[0].name, p.name, p.g.Epoch())
		}
	}
}

// commit has one person commit and all others follow.
func (p *person) commit(o CommitOptions, others ...*person) *PendingCommit {
	p.t.Helper()
	pc, err := p.g.Commit(o)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, q := range others {
		q.read(pc.Message())
	}
	p.g = pc.Staged().Apply()
	return pc
}

// read processes and applies one message.
func (p *person) read(msg []byte) *Staged {
	p.t.Helper()
	s, err := p.g.Process(msg)
	if err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	p.g = s.Apply()
	return s
}

func (p *person) say(text string, others ...*person) {
	p.t.Helper()
	msg, err := p.g.Encrypt([]byte(text), 64)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, q := range others {
		if s := q.read(msg); string(s.Application()) != text {
			p.t.Fatalf("%s reads %q, want %q", q.name, s.Application(), text)
		}
	}
}

// The thin path in every suite: create, add, join, speak, update, remove.
func TestGroupLife(t *testing.T) {
	for _, s := range Suites() {
		t.Run(s.String(), func(t *testing.T) {
			people := testGroup(t, s, 3, Limits{})
			a, b, c := people[0], people[1], people[2]
			sameEpoch(t, people...)
			a.say("hello", b, c)
			b.say("hi", a, c)
			c.say("and me", a, b)

			b.commit(CommitOptions{}, a, c)
			sameEpoch(t, people...)
			c.say("after an update", a, b)

			d := newPerson(t, s, "d")
			kp, secrets := d.keyPackage()
			pc := c.commit(CommitOptions{Add: []*KeyPackage{kp}, InlineTree: true, NoPath: true}, a, b)
			var err error
			if d.g, _, err = Join(pc.WelcomeAll(), kp, secrets, JoinOptions{}); err != nil {
				t.Fatal(err)
			}
			sameEpoch(t, a, b, c, d)
			d.say("new here", a, b, c)
			d.commit(CommitOptions{}, a, b, c)
			sameEpoch(t, a, b, c, d)

			pc, err = a.g.Commit(CommitOptions{Remove: []LeafIndex{b.g.OwnLeaf()}})
			if err != nil {
				t.Fatal(err)
			}
			gone, err := b.g.Process(pc.Message())
			if err != nil {
				t.Fatal(err)
			}
			if !gone.SelfRemoved() || gone.Apply() != nil {
				t.Error("a removed member was not told so")
			}
			c.read(pc.Message())
			d.read(pc.Message())
			a.g = pc.Staged().Apply()
			sameEpoch(t, a, c, d)
			if _, err := b.g.Process(pc.Message()); err != ErrRemoved {
				t.Errorf("a removed member's group: got %v, want ErrRemoved", err)
			}
		})
	}
}

// A restored group has the very bytes it was saved from, and goes on.
func TestStateRoundTrip(t *testing.T) {
	people := testGroup(t, XWing_CHACHA20POLY1305_SHA256_Ed25519, 5, Limits{KeepEpochs: 2})
	a, b := people[0], people[1]
	restore := func(p *person) {
		t.Helper()
		e, r := p.g.MarshalEpoch(), p.g.MarshalRatchets()
		g, err := ParseGroup(e, r)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(g.MarshalEpoch(), e) || !bytes.Equal(g.MarshalRatchets(), r) {
			t.Fatal("a restored group encodes to other bytes")
		}
		p.g = g
	}
	for range 3 {
		for _, p := range people {
			restore(p)
		}
		b.say("one", people[0], people[2], people[3], people[4])
		lost, err := b.g.Encrypt([]byte("late"), 0)
		if err != nil {
			t.Fatal(err)
		}
		b.say("two", people[0], people[2], people[3], people[4])
		for _, p := range people {
			restore(p)
		}
		a.read(lost)
		pc, err := a.g.Commit(CommitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		raw := pc.Marshal()
		restore(a)
		pc2, err := a.g.ParsePendingCommit(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pc2.Marshal(), raw) {
			t.Fatal("a restored pending commit encodes to other bytes")
		}
		if _, err := a.g.Process(pc2.Message()); err != ErrOwnCommit {
			t.Fatalf("own commit: got %v, want ErrOwnCommit", err)
		}
		for _, p := range people[1:] {
			p.read(pc2.Message())
		}
		a.g = pc2.Staged().Apply()
		sameEpoch(t, people...)
	}
}
