package mls

import (
	"bytes"
	"fmt"
	"math/bits"
	"testing"
)

// grown is a group whose members have all committed once, so that its tree has
// no blank parents: the steady state. Only the public tree and the wanted
// members' states are made, without 1000 x 1000 joins.
type grown struct {
	people  []*person // 0 and last
	joiner  *person
	kp      *KeyPackage
	secrets *KeyPackageSecrets
}

var grownGroups = map[string]*grown{}

func grow(t testing.TB, s Suite, n int) *grown {
	t.Helper()
	name := fmt.Sprint(s, n)
	if g := grownGroups[name]; g != nil {
		return g
	}
	p, err := s.params()
	if err != nil {
		t.Fatal(err)
	}
	people := make([]*person, n)
	leaves := make([]*LeafNode, n)
	tree := newTree(p)
	for i := range people {
		people[i] = newPerson(t, s, fmt.Sprintf("p%d", i))
		leaf, _, err := newOwnLeaf(p, people[i].member(), Lifetime{})
		if err != nil {
			t.Fatal(err)
		}
		leaves[i] = leaf
		tree.add(leaf)
	}
	ctx := groupContext{suite: s, groupID: []byte("group"), epoch: 9, confirmedTranscriptHash: p.random()}
	made := make([]*createdPath, n)
	// Far apart in turn, so that the early commits cover the whole tree: from one
	// end to the other each would encrypt to every leaf beyond it.
	for k := range tree.leafCount() {
		i := int(bits.Reverse32(k) >> (32 - bits.Len32(tree.leafCount()-1)))
		if i >= n {
			continue
		}
		made[i], err = tree.createPath(LeafIndex(i), leaves[i], people[i].key, ctx.groupID, nil,
			func(hash []byte) []byte { return hash })
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx.treeHash = tree.rootHash()
	epoch := p.random()
	out := &grown{}
	for _, i := range []int{0, n - 1} {
		// A member knows the key of every node above it: from whoever set it.
		priv := made[i].keys.current(tree)
		for _, x := range tree.directPath(LeafIndex(i)) {
			for _, m := range made {
				if key, ok := m.keys.nodes[x]; ok && bytes.Equal(key.pub, tree.encryptionKey(x)) {
					priv.nodes[x] = nodeKey{key.pub, key.priv.clone()}
				}
			}
		}
		sig, err := NewSignatureKey(s, people[i].key.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		g := &Group{p: p, ctx: ctx, tree: tree, own: LeafIndex(i), priv: priv, sig: sig}
		g.enter(keysOfEpochSecret(p, clone(epoch)))
		people[i].g = g
		out.people = append(out.people, people[i])
	}
	out.joiner = newPerson(t, s, "joiner")
	out.kp, out.secrets = out.joiner.keyPackage()
	grownGroups[name] = out
	return out
}

// A grown group is a group: its tree passes every check of a joiner, and its
// members follow each other.
func TestGrownGroup(t *testing.T) {
	for _, n := range []int{2, 3, 16, 33} {
		g := grow(t, X25519_AES128GCM_SHA256_Ed25519, n)
		a, b := g.people[0], g.people[1]
		a.commit(CommitOptions{}, b)
		pc := b.commit(CommitOptions{Add: []*KeyPackage{g.kp}}, a)
		var err error
		g.joiner.g, _, err = Join(pc.WelcomeAll(), g.kp, g.secrets, JoinOptions{RatchetTree: pc.RatchetTree()})
		if err != nil {
			t.Fatal(err)
		}
		sameEpoch(t, a, b, g.joiner)
		g.joiner.say("hello", a, b)
	}
	clear(grownGroups)
}

// Receiving a commit costs O(log n): one HPKE opening and the signatures of the
// message and of the new leaf, whatever the size; and in a grown tree only the
// nodes on one path are hashed again.
func TestCommitCost(t *testing.T) {
	const n = 128
	g := grow(t, X25519_AES128GCM_SHA256_Ed25519, n)
	a, b := g.people[0], g.people[1]
	b.g.tree.rootHash()
	pc, err := a.g.Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := pc.staged.content.content.commit.path
	secrets := 0
	for _, node := range path.nodes {
		secrets += len(node.secrets)
	}
	if len(path.nodes) != 7 || secrets != 7 {
		t.Errorf("a commit in a grown group of %d has %d nodes with %d secrets, want 7 with 7", n, len(path.nodes), secrets)
	}
	st, err := b.g.Process(pc.Message())
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for x := range st.next.tree.hashes {
		if h := b.g.tree.hashes[x]; h != nil && st.next.tree.hashes[x] != nil && &h[0] == &st.next.tree.hashes[x][0] {
			same++
		}
	}
	// 255 nodes, of which one leaf and the 7 above it are new.
	if same != 255-8 {
		t.Errorf("%d of 255 node hashes were taken over, want %d", same, 255-8)
	}
	clear(grownGroups)
}

// copyOf is a member's state whose ratchets can be stepped without a trace, so
// that one benchmark does not push the next one's generations ahead.
func copyOf(p *person) *Group {
	g := *p.g
	g.secrets = g.secrets.clone()
	return &g
}

func benchGroups(b *testing.B, run func(b *testing.B, g *grown, n int)) {
	for _, s := range Suites() {
		for _, n := range []int{2, 16, 128, 1000} {
			b.Run(fmt.Sprintf("suite=%#x/members=%d", uint16(s), n), func(b *testing.B) {
				g := grow(b, s, n)
				b.ReportAllocs()
				b.ResetTimer()
				run(b, g, n)
			})
		}
	}
}

// BenchmarkCreate founds a group of n: NewGroup and one commit with n-1 Adds,
// Welcomes included. The KeyPackages are made before.
func BenchmarkCreate(b *testing.B) {
	for _, s := range Suites() {
		for _, n := range []int{2, 16, 128, 1000} {
			b.Run(fmt.Sprintf("suite=%#x/members=%d", uint16(s), n), func(b *testing.B) {
				var o CommitOptions
				for i := 1; i < n; i++ {
					kp, _ := newPerson(b, s, fmt.Sprintf("p%d", i)).keyPackage()
					o.Add = append(o.Add, kp)
				}
				me := newPerson(b, s, "p0").member()
				b.ResetTimer()
				for b.Loop() {
					g, err := NewGroup(GroupConfig{Suite: s}, me, Lifetime{})
					if err != nil {
						b.Fatal(err)
					}
					if _, err := g.Commit(o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkAdd commits one Add, with its Welcome.
func BenchmarkAdd(b *testing.B) {
	benchGroups(b, func(b *testing.B, g *grown, _ int) {
		me := copyOf(g.people[0])
		for b.Loop() {
			if _, err := me.Commit(CommitOptions{Add: []*KeyPackage{g.kp}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCommit commits a fresh path.
func BenchmarkCommit(b *testing.B) {
	benchGroups(b, func(b *testing.B, g *grown, _ int) {
		me := copyOf(g.people[0])
		var size int
		for b.Loop() {
			pc, err := me.Commit(CommitOptions{})
			if err != nil {
				b.Fatal(err)
			}
			size = len(pc.message)
		}
		b.ReportMetric(float64(size), "message-bytes")
	})
}

// BenchmarkProcess reads such a commit.
func BenchmarkProcess(b *testing.B) {
	benchGroups(b, func(b *testing.B, g *grown, _ int) {
		me := copyOf(g.people[0])
		pc, err := me.Commit(CommitOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := g.people[1].g.Process(pc.message); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkJoin enters from a Welcome and a tree beside it, all checks made.
func BenchmarkJoin(b *testing.B) {
	benchGroups(b, func(b *testing.B, g *grown, _ int) {
		me := copyOf(g.people[0])
		pc, err := me.Commit(CommitOptions{Add: []*KeyPackage{g.kp}})
		if err != nil {
			b.Fatal(err)
		}
		w, tree := pc.WelcomeAll(), pc.RatchetTree()
		for b.Loop() {
			if _, _, err := Join(w, g.kp, g.secrets, JoinOptions{RatchetTree: tree}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(w)), "welcome-bytes")
		b.ReportMetric(float64(len(tree)), "tree-bytes")
	})
}

// BenchmarkEncrypt seals 1 KiB.
func BenchmarkEncrypt(b *testing.B) {
	text := make([]byte, 1024)
	benchGroups(b, func(b *testing.B, g *grown, _ int) {
		me := copyOf(g.people[0])
		b.SetBytes(1024)
		for b.Loop() {
			if _, err := me.Encrypt(text, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDecrypt reads 1 KiB: the sender's next message each time.
func BenchmarkDecrypt(b *testing.B) {
	benchGroups(b, func(b *testing.B, g *grown, _ int) {
		me := *g.people[1].g
		me.secrets = newSecretTree(me.p, me.tree.leafCount(), me.p.random(), Limits{})
		you := *g.people[0].g
		you.secrets = me.secrets.clone()
		text := make([]byte, 1024)
		var msgs [][]byte
		b.SetBytes(1024)
		for i := 0; b.Loop(); i++ {
			if len(msgs) == 0 {
				b.StopTimer()
				for range 256 {
					m, err := you.Encrypt(text, 0)
					if err != nil {
						b.Fatal(err)
					}
					msgs = append(msgs, m)
				}
				b.StartTimer()
			}
			s, err := me.Process(msgs[0])
			if err != nil {
				b.Fatal(err)
			}
			s.Apply()
			msgs = msgs[1:]
		}
	})
}

// BenchmarkState saves and restores, and tells the bytes of both parts.
func BenchmarkState(b *testing.B) {
	benchGroups(b, func(b *testing.B, g *grown, _ int) {
		var epoch, ratchets []byte
		for b.Loop() {
			epoch, ratchets = g.people[0].g.MarshalEpoch(), g.people[0].g.MarshalRatchets()
		}
		if _, err := ParseGroup(epoch, ratchets); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(epoch)), "epoch-bytes")
		b.ReportMetric(float64(len(ratchets)), "ratchet-bytes")
	})
}
