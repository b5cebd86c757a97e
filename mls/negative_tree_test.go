package mls

import (
	"bytes"
	"maps"
	"slices"
	"testing"
)

// grove is a tree with all that can go wrong: eight leaves, none blank; 5 is
// unmerged at the root, which leaf 0 set; 4 and 7 have a blank parent.
//
//	           7[5]
//	     3            11 (blank)
//	  1     5      9         13
//	0   1 2   3  4   5     6    7
func grove(tb testing.TB) *world {
	tb.Helper()
	w := groveOnce(tb)
	c := *w
	c.keys, c.sigs = maps.Clone(w.keys), maps.Clone(w.sigs)
	return &c
}

var groveMade *world

func groveOnce(tb testing.TB) *world {
	if groveMade != nil {
		return groveMade
	}
	w := newWorld(tb, X25519_AES128GCM_SHA256_Ed25519, 8)
	for _, i := range []LeafIndex{2, 1, 4, 7} {
		w.commit(tb, i)
	}
	w.remove(5) // blanks 9, 11 and 7
	w.commit(tb, 7)
	w.update(tb, 4) // blanks 9, 11 and 7 again
	w.commit(tb, 0)
	w.add(tb)
	groveMade = w
	return w
}

// joins bends the grove's tree, writes it, and has a joiner read and check it.
// Bending works on copies of the nodes; sign says which leaves their owners sign
// again.
func joins(bend func(w *world, t *ratchetTree), exts []Extension, sign ...LeafIndex) func(testing.TB) error {
	return func(tb testing.TB) error {
		w := grove(tb)
		before := w.tree.marshal()
		t := w.tree.clone()
		for i, l := range t.leaves {
			if l != nil {
				t.leaves[i] = l.copy()
			}
		}
		for i, p := range t.parents {
			if p != nil {
				q := *p
				q.unmerged = slices.Clone(p.unmerged)
				t.parents[i] = &q
			}
		}
		bend(w, t)
		for _, i := range sign {
			l := t.leaves[i]
			var err error
			if l.Signature, err = w.p.signWithLabel(w.sigs[i].priv.bytes(), leafLabel, l.signedContent(w.groupID, i)); err != nil {
				tb.Fatal(err)
			}
		}
		joined, err := parseTree(w.p, t.marshal())
		if err == nil {
			err = joined.verify(w.groupID, exts)
		}
		if !bytes.Equal(w.tree.marshal(), before) || !bytes.Equal(w.tree.rootHash(), freshHash(w.tree)) {
			tb.Error("the row changed the tree it started from")
		}
		return err
	}
}

// wire offers bytes as a tree.
func wire(b func(w *world) []byte) func(testing.TB) error {
	return func(tb testing.TB) error {
		_, err := parseTree(suite1, b(grove(tb)))
		return err
	}
}

// nodes writes a tree of the given nodes, each an encoding or nil for blank.
func nodes(list ...[]byte) []byte {
	var e encoder
	e.list(func(e *encoder) {
		for _, n := range list {
			e.opt(n != nil, func(e *encoder) { e.raw(n) })
		}
	})
	return e.b
}

func leafBytes(w *world, i LeafIndex) []byte {
	return append([]byte{nodeTypeLeaf}, marshal(w.tree.leaf(i))...)
}

func parentBytes(w *world, x nodeIndex) []byte {
	return append([]byte{nodeTypeParent}, marshal(w.tree.parent(x))...)
}

func requires(r RequiredCapabilities) []Extension { return []Extension{r.Extension()} }

func TestNegativeTrees(t *testing.T) { runBroken(t, brokenTrees) }

// The unbent grove is accepted, also with extensions that all support; and it
// has the shape that the rows rely on.
func TestNegativeTreeBaseline(t *testing.T) {
	for _, exts := range [][]Extension{nil, requires(RequiredCapabilities{Credentials: []uint16{1}, Proposals: []uint16{1, 7}, Extensions: []uint16{1, 5}}),
		{{Type: ExtensionExternalSenders, Data: []byte{0}}}} {
		if err := joins(func(*world, *ratchetTree) {}, exts)(t); err != nil {
			t.Error(err)
		}
	}
	// A member that came after its neighbour set the nodes above both.
	beside := newWorld(t, X25519_AES128GCM_SHA256_Ed25519, 3)
	beside.commit(t, 2)
	beside.add(t)
	if got := beside.tree.parent(3).unmerged; !slices.Equal(got, []LeafIndex{3}) {
		t.Errorf("unmerged %v", got)
	}
	if err := beside.tree.verify(beside.groupID, nil); err != nil {
		t.Errorf("an unmerged leaf beside the one who set its parent: %v", err)
	}
	w := grove(t)
	root := w.tree.parent(7)
	if root == nil || !slices.Equal(root.unmerged, []LeafIndex{5}) {
		t.Fatalf("root %+v", root)
	}
	var set []nodeIndex
	for i, p := range w.tree.parents {
		if p != nil {
			set = append(set, nodeIndex(2*i+1))
		}
	}
	t.Logf("parents that are not blank: %v", set)
	if !slices.Contains(set, 13) || !slices.Contains(set, 3) || !slices.Contains(set, 1) {
		t.Fatalf("parents %v", set)
	}
	if w.tree.leaf(5).Source != LeafFromKeyPackage || w.tree.leaf(7).Source != LeafFromCommit || w.tree.leaf(0).Source != LeafFromCommit {
		t.Fatal("leaves have another source")
	}
}

var brokenTrees = []broken{
	{"§12.4.3.3", "a tree without nodes", "empty or ends in a blank", wire(func(*world) []byte { return nodes() })},
	{"§12.4.3.3", "a tree that is one blank node", "empty or ends in a blank", wire(func(*world) []byte { return nodes(nil) })},
	{"§12.4.3.3", "a tree that ends in blank nodes", "empty or ends in a blank",
		wire(func(w *world) []byte { return nodes(leafBytes(w, 0), nil, nil) })},
	{"§12.4.3.3", "a parent in a leaf's place", "wrong kind",
		wire(func(w *world) []byte { return nodes(parentBytes(w, 7)) })},
	{"§12.4.3.3", "a leaf in a parent's place", "wrong kind",
		wire(func(w *world) []byte { return nodes(leafBytes(w, 0), leafBytes(w, 1), leafBytes(w, 2)) })},
	{"§12.4.3.3", "a node of type zero", "wrong kind", wire(func(*world) []byte { return nodes([]byte{0}) })},
	{"§12.4.3.3", "a node of an unknown type", "wrong kind", wire(func(*world) []byte { return nodes([]byte{3}) })},
	{"§12.4.3.3", "a node cut short", "ends inside",
		wire(func(w *world) []byte { b := leafBytes(w, 0); return nodes(b[:len(b)-1]) })},
	{"§12.4.3.3", "bytes after the tree", "follow the ratchet tree", wire(func(w *world) []byte { return append(w.tree.marshal(), 0) })},
	{"§7.1", "unmerged leaves in falling order", "rising order",
		joins(func(_ *world, t *ratchetTree) { t.parent(7).unmerged = []LeafIndex{5, 4} }, nil)},
	{"§7.1", "an unmerged leaf listed twice", "rising order",
		joins(func(_ *world, t *ratchetTree) { t.parent(7).unmerged = []LeafIndex{5, 5} }, nil)},
	{"§12.4.3.1", "an unmerged leaf that is blank", "blank or not below", joins(func(_ *world, t *ratchetTree) {
		t.leaves[5] = nil
	}, nil)},
	{"§12.4.3.1", "an unmerged leaf outside the tree", "blank or not below",
		joins(func(_ *world, t *ratchetTree) { t.parent(7).unmerged = []LeafIndex{5, 8} }, nil)},
	{"§12.4.3.1", "the greatest leaf index as an unmerged leaf", "blank or not below",
		joins(func(_ *world, t *ratchetTree) { t.parent(7).unmerged = []LeafIndex{5, 1<<32 - 1} }, nil)},
	{"§12.4.3.1", "an unmerged leaf under another node", "blank or not below",
		joins(func(_ *world, t *ratchetTree) { t.parent(3).unmerged = []LeafIndex{5} }, nil)},
	{"§12.4.3.1", "an unmerged leaf that a node between does not list", "node below lacks",
		joins(func(_ *world, t *ratchetTree) { t.parent(7).unmerged = []LeafIndex{2, 5} }, nil)},
	{"§7.3", "two leaves with one encryption key", "same encryption key",
		joins(func(_ *world, t *ratchetTree) { t.leaves[2].EncryptionKey = t.leaves[3].EncryptionKey }, nil, 2)},
	{"§7.3", "a parent with a leaf's encryption key", "same encryption key",
		joins(func(_ *world, t *ratchetTree) { t.parent(7).encryptionKey = t.leaves[3].EncryptionKey }, nil)},
	{"§12.4.3.1", "two parents with one encryption key", "same encryption key",
		joins(func(_ *world, t *ratchetTree) { t.parent(1).encryptionKey = t.parent(7).encryptionKey }, nil)},
	{"§7.3", "two leaves with one signature key", "same signature key", joins(func(w *world, t *ratchetTree) {
		t.leaves[2].SignatureKey = t.leaves[3].SignatureKey
		w.sigs[2] = w.sigs[3]
	}, nil, 2)},
	{"§7.3", "a leaf's signature changed", "leaf's signature",
		joins(func(_ *world, t *ratchetTree) { t.leaves[3].Signature = flipped(t.leaves[3].Signature) }, nil)},
	{"§7.3", "a leaf's identity exchanged", "leaf's signature",
		joins(func(_ *world, t *ratchetTree) { t.leaves[7].Credential = BasicCredential([]byte("other")) }, nil)},
	{"§7.3", "two members' leaves in each other's place", "leaf's signature",
		joins(func(_ *world, t *ratchetTree) { t.leaves[0], t.leaves[4] = t.leaves[4], t.leaves[0] }, nil)},
	{"§7.3", "a tree of another group", "leaf's signature",
		joins(func(w *world, _ *ratchetTree) { w.groupID = []byte("other group") }, nil)},
	{"§7.2", "a leaf in the tree that lacks its own credential type", "its own credential", joins(func(_ *world, t *ratchetTree) {
		t.leaves[7].Capabilities.Credentials = []uint16{2}
	}, nil, 7)},
	{"§7.3", "a leaf in the tree with an extension that it lacks", "carries an extension", joins(func(_ *world, t *ratchetTree) {
		t.leaves[7].Extensions = []Extension{{Type: 0xF00D}}
	}, nil, 7)},
	{"§5.1", "a leaf in the tree with a key that is none", "public key", joins(func(_ *world, t *ratchetTree) {
		t.leaves[7].EncryptionKey = []byte{1, 2, 3}
	}, nil, 7)},
	{"§5.1", "a parent with a key that is none", "public key",
		joins(func(_ *world, t *ratchetTree) { t.parent(7).encryptionKey = []byte{1, 2, 3} }, nil)},
	{"§5.1", "a parent with a key that nobody can encrypt to", "public key",
		joins(func(_ *world, t *ratchetTree) { t.parent(7).encryptionKey = lowOrderPoint() }, nil)},
	{"§11.1", "a leaf in the tree that lacks the suite", "lack the cipher suite", joins(func(_ *world, t *ratchetTree) {
		t.leaves[7].Capabilities.Suites = []uint16{2}
	}, nil, 7)},
	{"§11.1", "a leaf in the tree that lacks the version", "lack the version", joins(func(_ *world, t *ratchetTree) {
		t.leaves[7].Capabilities.Versions = nil
	}, nil, 7)},
	{"§11.1", "members that lack a required extension", "group requires",
		joins(func(*world, *ratchetTree) {}, requires(RequiredCapabilities{Extensions: []uint16{0xF00D}}))},
	{"§11.1", "members that lack a required proposal", "group requires",
		joins(func(*world, *ratchetTree) {}, requires(RequiredCapabilities{Proposals: []uint16{0xF00D}}))},
	{"§11.1", "members that lack a required credential type", "group requires",
		joins(func(*world, *ratchetTree) {}, requires(RequiredCapabilities{Credentials: []uint16{CredentialX509}}))},
	{"§11.1", "required capabilities that cannot be read", "ends inside",
		joins(func(*world, *ratchetTree) {}, []Extension{{ExtensionRequiredCapabilities, []byte{2, 0}}})},
	{"§11.1", "required capabilities with bytes after them", "follow the value",
		joins(func(*world, *ratchetTree) {}, []Extension{{ExtensionRequiredCapabilities, []byte{0, 0, 0, 0}}})},
	{"§13.4", "a group extension that members do not support", "extension of the GroupContext",
		joins(func(*world, *ratchetTree) {}, []Extension{{Type: 0xF00D}})},
	{"§7.3", "a credential type that other members do not support", "credential type", joins(func(_ *world, t *ratchetTree) {
		t.leaves[7].Credential = Credential{Type: CredentialX509, Certificates: [][]byte{{1}}}
		t.leaves[7].Capabilities.Credentials = []uint16{1, 2}
	}, nil, 7)},
	// Everybody supports both types, but for 7, which supports its own alone.
	{"§7.3", "a member that does not support the others' credential type", "type that other members use", joins(func(_ *world, t *ratchetTree) {
		for _, l := range t.leaves {
			l.Capabilities.Credentials = []uint16{1, 2}
		}
		t.leaves[7].Credential = Credential{Type: CredentialX509, Certificates: [][]byte{{1}}}
		t.leaves[7].Capabilities.Credentials = []uint16{2}
	}, nil, 0, 1, 2, 3, 4, 5, 6, 7)},

	{"§7.9.2", "a parent whose key was exchanged", "chain of parent hashes", joins(func(w *world, t *ratchetTree) {
		t.parent(7).encryptionKey = freshPublic(w)
	}, nil)},
	{"§7.9.2", "a lower parent whose key was exchanged", "chain of parent hashes", joins(func(w *world, t *ratchetTree) {
		t.parent(1).encryptionKey = freshPublic(w)
	}, nil)},
	{"§7.9.2", "a parent whose parent hash was changed", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) { t.parent(3).parentHash = flipped(t.parent(3).parentHash) }, nil)},
	{"§7.9.2", "a parent whose parent hash was taken out", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) { t.parent(3).parentHash = nil }, nil)},
	{"§7.9.2", "a root with a parent hash", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) { t.parent(7).parentHash = []byte("above the root") }, nil)},
	{"§7.9.2", "a leaf that signs another parent hash", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) { t.leaves[0].ParentHash = flipped(t.leaves[0].ParentHash) }, nil, 0)},
	{"§7.9.2", "a leaf that signs an empty parent hash", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) { t.leaves[0].ParentHash = nil }, nil, 0)},
	{"§7.9.2", "a leaf that turned from a commit's into an Update's", "chain of parent hashes", joins(func(_ *world, t *ratchetTree) {
		t.leaves[0].Source, t.leaves[0].ParentHash = LeafFromUpdate, nil
	}, nil, 0)},
	{"§7.9.2", "an Update whose path was not blanked", "chain of parent hashes", joins(func(w *world, t *ratchetTree) {
		l := t.leaves[7]
		l.EncryptionKey, l.Source, l.ParentHash = freshPublic(w), LeafFromUpdate, nil
	}, nil, 7)},
	{"§7.9.2", "a sibling that changed without its path being blanked", "chain of parent hashes", joins(func(w *world, t *ratchetTree) {
		l := t.leaves[6]
		l.EncryptionKey, l.Source = freshPublic(w), LeafFromUpdate
	}, nil, 6)},
	{"§7.9.2", "a parent that no member set", "chain of parent hashes", joins(func(w *world, t *ratchetTree) {
		t.parents[9>>1] = &parentNode{encryptionKey: freshPublic(w), unmerged: []LeafIndex{5}}
	}, nil)},
	{"§7.9.2", "a parent that an outsider set with the right hash of what is above", "chain of parent hashes",
		joins(func(w *world, t *ratchetTree) {
			t.parents[9>>1] = &parentNode{encryptionKey: freshPublic(w), unmerged: []LeafIndex{5}, parentHash: t.parentHash(t.parent(7), 3)}
		}, nil)},
	{"§7.9.2", "an unmerged leaf passed off as merged", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) { t.parent(7).unmerged = nil }, nil)},
	{"§7.9.2", "a merged leaf passed off as unmerged", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) {
			t.parent(1).unmerged = []LeafIndex{1}
			t.parent(3).unmerged = []LeafIndex{1}
			t.parent(7).unmerged = []LeafIndex{1, 5}
		}, nil)},
	{"§7.9.2", "the one who set a parent passed off as unmerged", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) { t.parent(1).unmerged = []LeafIndex{0, 1} }, nil)},
	{"§7.9.2", "a link of the chain blanked", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) { t.parents[3>>1] = nil }, nil)},
	{"§7.9.2", "the leaf under the chain taken out", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) { t.leaves[0] = nil }, nil)},
	{"§7.9.2", "a member of the original sibling taken out", "chain of parent hashes",
		joins(func(_ *world, t *ratchetTree) { t.leaves[3] = nil }, nil)},
	{"§7.9.2", "a member slipped in without being listed as unmerged", "chain of parent hashes",
		joins(func(w *world, t *ratchetTree) {
			// 5 is there already, in a place of its own: taking it off the root's
			// list and giving it a leaf of its own is what a forger would do.
			t.parent(7).unmerged = nil
			t.leaves[5].Extensions = []Extension{{1, []byte("x")}}
		}, nil, 5)},
}

func flipped(b []byte) []byte {
	c := bytes.Clone(b)
	c[len(c)/2] ^= 1
	return c
}

func freshPublic(w *world) []byte {
	_, pub, err := w.p.generateKeyPair()
	if err != nil {
		panic(err)
	}
	return pub
}
