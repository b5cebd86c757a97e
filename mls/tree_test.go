package mls

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestVectorsTreeMath(t *testing.T) {
	var cases []struct {
		Leaves  uint32       `json:"n_leaves"`
		Nodes   uint32       `json:"n_nodes"`
		Root    nodeIndex    `json:"root"`
		Left    []*nodeIndex `json:"left"`
		Right   []*nodeIndex `json:"right"`
		Parent  []*nodeIndex `json:"parent"`
		Sibling []*nodeIndex `json:"sibling"`
	}
	loadVectors(t, "tree-math.json", &cases)
	nodes := 0
	for _, c := range cases {
		root := rootNode(c.Leaves)
		if root != c.Root || 2*c.Leaves-1 != c.Nodes {
			t.Errorf("%d leaves: root %d, want %d", c.Leaves, root, c.Root)
		}
		for i := range c.Nodes {
			x := nodeIndex(i)
			nodes++
			// null stands for "there is none": children of leaves, and what is
			// above or beside the root.
			if (c.Left[x] == nil) != x.isLeaf() || (c.Parent[x] == nil) != (x == root) {
				t.Errorf("node %d of %d leaves is in the wrong place", x, c.Leaves)
			}
			if !x.isLeaf() && (x.left() != *c.Left[x] || x.right() != *c.Right[x]) {
				t.Errorf("children of %d: %d %d, want %d %d", x, x.left(), x.right(), *c.Left[x], *c.Right[x])
			}
			if x != root && (x.up() != *c.Parent[x] || x.sibling() != *c.Sibling[x]) {
				t.Errorf("%d: parent %d, sibling %d, want %d, %d", x, x.up(), x.sibling(), *c.Parent[x], *c.Sibling[x])
			}
		}
	}
	t.Logf("tree-math.json: %d cases passed (%d nodes)", len(cases), nodes)
	if len(cases) != 10 {
		t.Errorf("%d cases, want 10", len(cases))
	}
}

func TestVectorsTreeOperations(t *testing.T) {
	var cases []struct {
		Suite      Suite    `json:"cipher_suite"`
		Before     hexBytes `json:"tree_before"`
		After      hexBytes `json:"tree_after"`
		HashBefore hexBytes `json:"tree_hash_before"`
		HashAfter  hexBytes `json:"tree_hash_after"`
		Proposal   hexBytes `json:"proposal"`
		Sender     uint32   `json:"proposal_sender"`
	}
	loadVectors(t, "tree-operations.json", &cases)
	count := countVectors("tree-operations.json")
	for i, c := range cases {
		p, ok := count.params(t, c.Suite)
		if !ok {
			continue
		}
		before, err := parseTree(p, c.Before)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "tree hash before", before.rootHash(), c.HashBefore)
		tree := before.clone()
		d := decoder{b: c.Proposal}
		switch kind := d.u16(); kind {
		case 1:
			k := new(KeyPackage)
			k.decode(&d)
			tree.add(k.leaf)
		case 2:
			l := new(LeafNode)
			l.decode(&d)
			tree.update(LeafIndex(c.Sender), l)
		case 3:
			tree.remove(LeafIndex(d.u32()))
		default:
			t.Fatalf("case %d: proposal type %d", i, kind)
		}
		if d.err != nil || len(d.b) > 0 {
			t.Fatal(d.err)
		}
		wantBytes(t, "tree after", tree.marshal(), c.After)
		wantBytes(t, "tree hash after", tree.rootHash(), c.HashAfter)
		wantBytes(t, "tree before, unchanged", before.marshal(), c.Before)
		wantBytes(t, "its hash", freshHash(before), c.HashBefore)
	}
	count.done(t, 5, 0)
}

func TestVectorsTreeValidation(t *testing.T) {
	var cases []struct {
		Suite       Suite         `json:"cipher_suite"`
		Tree        hexBytes      `json:"tree"`
		GroupID     hexBytes      `json:"group_id"`
		TreeHashes  []hexBytes    `json:"tree_hashes"`
		Resolutions [][]nodeIndex `json:"resolutions"`
	}
	loadVectors(t, "tree-validation.json", &cases)
	count := countVectors("tree-validation.json")
	for i, c := range cases {
		p, ok := count.params(t, c.Suite)
		if !ok {
			continue
		}
		tree, err := parseTree(p, c.Tree)
		if err != nil {
			t.Fatal(err)
		}
		for x := range c.Resolutions {
			if got := tree.resolution(nodeIndex(x)); !slices.Equal(got, c.Resolutions[x]) {
				t.Errorf("case %d: resolution of %d is %v, want %v", i, x, got, c.Resolutions[x])
			}
			if tree.empty(nodeIndex(x)) != (len(c.Resolutions[x]) == 0) {
				t.Errorf("case %d: node %d, empty is wrong", i, x)
			}
			wantBytes(t, fmt.Sprintf("case %d: tree hash of %d", i, x), tree.hash(nodeIndex(x)), c.TreeHashes[x])
		}
		if err := tree.verify(c.GroupID, nil); err != nil {
			t.Errorf("case %d, suite %d: %v", i, c.Suite, err)
		}
		wantBytes(t, "tree written", tree.marshal(), c.Tree)
	}
	count.done(t, 70, 28)
}

// freshHash computes a tree hash with nothing cached.
func freshHash(t *ratchetTree) []byte {
	c := t.clone()
	clear(c.hashes)
	return c.rootHash()
}

// FuzzRatchetTree: what is accepted is written back the same, and no operation
// on it fails for lack of a check at parsing.
func FuzzRatchetTree(f *testing.F) {
	w := newWorld(f, 1, 5)
	w.commit(f, 1)
	w.tree.remove(2)
	f.Add(w.tree.marshal())
	f.Add(newWorld(f, 1, 1).tree.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := parseTree(suite1, b)
		if err != nil {
			return
		}
		if out := tree.marshal(); !bytes.Equal(out, b) {
			t.Fatalf("accepted %x, wrote %x", b, out)
		}
		tree.rootHash()
		tree.verify([]byte("group"), nil)
		tree.verifyParentHashes()
		for i := range min(tree.leafCount(), 64) {
			c := tree.clone()
			if c.leaf(LeafIndex(i)) != nil {
				c.filteredPath(LeafIndex(i))
				c.remove(LeafIndex(i))
			} else {
				c.add(tree.leaves[0])
			}
			c.rootHash()
		}
	})
}

// world is a tree with the private state of every member: all of a group that
// this half of the package knows.
type world struct {
	p       *suiteParams
	groupID []byte
	tree    *ratchetTree
	keys    map[LeafIndex]*pathKeys
	sigs    map[LeafIndex]*SignatureKey
	made    int
}

func (w *world) member(tb testing.TB) (*KeyPackage, *KeyPackageSecrets) {
	tb.Helper()
	key, err := GenerateSignatureKey(w.p.suite)
	if err != nil {
		tb.Fatal(err)
	}
	w.made++
	me := Member{Credential: BasicCredential(fmt.Appendf(nil, "member %d", w.made)), SignatureKey: key}
	k, s, err := NewKeyPackage(w.p.suite, me, Lifetime{1, 2}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return k, s
}

func newWorld(tb testing.TB, s Suite, members int) *world {
	tb.Helper()
	p, err := s.params()
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{p: p, groupID: []byte("group"), keys: map[LeafIndex]*pathKeys{}, sigs: map[LeafIndex]*SignatureKey{}}
	k, secrets := w.member(tb)
	w.tree, w.keys[0], err = singleLeafTree(p, k.leaf, secrets.leafKey.bytes())
	if err != nil {
		tb.Fatal(err)
	}
	w.sigs[0] = secrets.signature
	for range members - 1 {
		w.add(tb)
	}
	return w
}

// add puts a member into the tree as an Add without path does.
func (w *world) add(tb testing.TB) LeafIndex {
	tb.Helper()
	k, secrets := w.member(tb)
	w.tree = w.tree.clone()
	i := w.tree.add(k.leaf)
	w.keys[i] = newPathKeys(secrets.leafKey.bytes())
	w.sigs[i] = secrets.signature
	return i
}

func (w *world) remove(i LeafIndex) {
	w.tree = w.tree.clone()
	w.tree.remove(i)
	delete(w.keys, i)
	delete(w.sigs, i)
}

func (w *world) update(tb testing.TB, i LeafIndex) {
	tb.Helper()
	priv, pub, err := w.p.generateKeyPair()
	if err != nil {
		tb.Fatal(err)
	}
	l := w.tree.leaf(i).copy()
	l.EncryptionKey, l.Source, l.ParentHash, l.Lifetime = pub, LeafFromUpdate, nil, Lifetime{}
	if err := l.sign(w.p, w.sigs[i], w.groupID, i); err != nil {
		tb.Fatal(err)
	}
	w.tree = w.tree.clone()
	w.tree.update(i, l)
	w.keys[i] = w.keys[i].withLeaf(priv)
}

func (w *world) context(treeHash []byte) []byte { return append([]byte("context "), treeHash...) }

// commit makes an UpdatePath by one member and lets all others process it. Every
// member must come to the same secret and hold exactly the keys it should.
func (w *world) commit(tb testing.TB, sender LeafIndex, joiners ...LeafIndex) *updatePath {
	tb.Helper()
	before := w.tree
	committed := before.clone()
	c, err := committed.createPath(sender, before.leaf(sender), w.sigs[sender], w.groupID, joiners, w.context)
	if err != nil {
		tb.Fatal(err)
	}
	path := new(updatePath)
	if err := unmarshal(marshal(c.path), path); err != nil {
		tb.Fatal(err)
	}
	after := before.clone()
	if err := after.applyPath(sender, path, w.groupID, joiners); err != nil {
		tb.Fatal(err)
	}
	if err := after.checkUnique(); err != nil {
		tb.Fatal(err)
	}
	if !bytes.Equal(after.rootHash(), committed.rootHash()) || !bytes.Equal(after.rootHash(), freshHash(after)) {
		tb.Fatal("tree hashes differ")
	}
	context := w.context(after.rootHash())
	for i := range w.keys {
		old := w.keys[i]
		switch {
		case i == sender:
			w.keys[i] = c.keys
		case slices.Contains(joiners, i):
			k := old.current(after)
			if err := k.join(after, i, sender, c.secretFor(i)); err != nil {
				tb.Fatalf("joiner: %v", err)
			}
			w.keys[i] = k
		default:
			next, secret, err := old.openPath(after, i, sender, path, joiners, context)
			if err != nil {
				tb.Fatalf("member %d processing %d: %v", i, sender, err)
			}
			if !bytes.Equal(secret, c.commitSecret) {
				tb.Fatal("commit secrets differ")
			}
			w.keys[i] = next
		}
		old.retire(w.keys[i])
		w.tree = after
		w.invariant(tb, i)
	}
	c.wipe()
	return path
}

// invariant is RFC 9420 §4.2: a member holds the private keys of its leaf and of
// the nodes above it that don't list it as unmerged, and no other.
func (w *world) invariant(tb testing.TB, i LeafIndex) {
	tb.Helper()
	k := w.keys[i].current(w.tree)
	for _, x := range w.tree.directPath(i) {
		p := w.tree.parent(x)
		want := p != nil && !slices.Contains(p.unmerged, i)
		if _, have := k.nodes[x]; have != want {
			tb.Fatalf("member %d: has the key of node %d: %v, want %v", i, x, have, want)
		}
		if want {
			if pub, err := w.p.publicOf(k.nodes[x].priv.bytes()); err != nil || !bytes.Equal(pub, p.encryptionKey) {
				tb.Fatalf("member %d: wrong key for node %d", i, x)
			}
		}
	}
	for x := range k.nodes {
		if !x.covers(i) {
			tb.Fatalf("member %d holds the key of node %d", i, x)
		}
	}
	if pub, err := w.p.publicOf(k.leaf.bytes()); err != nil || !bytes.Equal(pub, w.tree.leaf(i).EncryptionKey) {
		tb.Fatalf("member %d: wrong leaf key", i)
	}
	d := decoder{b: marshal(k)}
	if back := decodePathKeys(&d, w.tree, i); back == nil || !bytes.Equal(marshal(back), marshal(k)) {
		tb.Fatalf("member %d: keys do not survive storing: %v", i, d.err)
	}
}

// Random histories: after each step the cached hash is the real one, the tree
// survives writing and reading, and a joiner accepts it.
func TestTreeHistories(t *testing.T) {
	for _, s := range Suites() {
		steps := 60
		if s == P521_AES256GCM_SHA512_P521 || s == P384_AES256GCM_SHA384_P384 {
			steps = 15
		}
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%v/%d", s, seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, uint64(s)))
				w := newWorld(t, s, 1)
				for range steps {
					members := w.tree.allMembers()
					pick := members[r.IntN(len(members))]
					switch n := r.IntN(10); {
					case n < 3 && len(members) < 20:
						var joiners []LeafIndex
						for range 1 + r.IntN(3) {
							joiners = append(joiners, w.add(t))
						}
						slices.Sort(joiners)
						if r.IntN(2) == 0 {
							w.commit(t, pick, joiners...)
						}
					case n < 5 && len(members) > 1:
						w.remove(pick)
						if rest := w.tree.allMembers(); r.IntN(2) == 0 {
							w.commit(t, rest[r.IntN(len(rest))])
						}
					case n < 6:
						w.update(t, pick)
					default:
						w.commit(t, pick)
					}
					if !bytes.Equal(w.tree.rootHash(), freshHash(w.tree)) {
						t.Fatal("a cached hash is out of date")
					}
					joined, err := parseTree(w.p, w.tree.marshal())
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(joined.rootHash(), w.tree.rootHash()) {
						t.Fatal("the tree changes when written and read")
					}
					if err := joined.verify(w.groupID, nil); err != nil {
						t.Fatalf("an honest tree is refused: %v", err)
					}
				}
			})
		}
	}
}
