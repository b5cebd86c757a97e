package mls

import (
	"bytes"
	"testing"
)

// forgery is an UpdatePath in the making, by leaf 0 of the grove, which holds
// all it needs to make a bad one. The hooks run in this order; what comes after
// one is made for what it left, so a row fails for what it bends alone.
type forgery struct {
	w       *world
	tree    *ratchetTree
	path    *updatePath
	steps   []pathStep
	secrets [][]byte
	joiners []LeafIndex
	signer  *SignatureKey
	group   []byte
	index   LeafIndex
}

// hooks bend a forgery; all may be nil.
type hooks struct {
	nodes  func(f *forgery) // the keys, before parent hashes are made of them
	leaf   func(f *forgery) // the leaf with its parent hash, before it is signed
	seal   func(f *forgery) // the secrets and the tree, before encryption
	after  func(f *forgery) // the finished path
	exts   []Extension      // of the GroupContext
	joined bool             // leaf 5 is added by the same commit
}

// pathFails makes a path and has member 6 receive it; it returns the first
// check's refusal.
func pathFails(h hooks) func(testing.TB) error {
	return func(tb testing.TB) error {
		w := grove(tb)
		f := &forgery{w: w, tree: w.tree.clone(), path: new(updatePath), signer: w.sigs[0], group: w.groupID}
		if h.joined {
			f.joiners = []LeafIndex{5}
		}
		must := func(err error) {
			if err != nil {
				tb.Fatal(err)
			}
		}
		f.steps = f.tree.filteredPath(0)
		secret := w.p.random()
		for range f.steps {
			_, pub, err := w.p.nodeKeyPair(secret)
			must(err)
			f.path.nodes = append(f.path.nodes, updatePathNode{encryptionKey: pub})
			f.secrets = append(f.secrets, secret)
			secret = w.p.deriveSecret(secret, "path")
		}
		f.path.leaf = w.tree.leaf(0).copy()
		f.path.leaf.EncryptionKey = freshPublic(w)
		if h.nodes != nil {
			h.nodes(f)
		}
		n := min(len(f.steps), len(f.path.nodes))
		f.path.leaf.ParentHash = f.tree.mergeNodes(0, f.steps[:n], f.path.nodes[:n])
		if h.leaf != nil {
			h.leaf(f)
		}
		var err error
		f.path.leaf.Signature, err = w.p.signWithLabel(f.signer.priv.bytes(), leafLabel, f.path.leaf.signedContent(f.group, f.index))
		must(err)
		f.tree.setLeaf(0, f.path.leaf)
		context := w.context(f.tree.rootHash())
		if h.seal != nil {
			h.seal(f)
		}
		for i := range n {
			for _, x := range f.tree.recipients(f.steps[i].copath, f.joiners) {
				kem, ct, err := w.p.encryptWithLabel(f.tree.encryptionKey(x), updatePathLabel, context, f.secrets[i])
				must(err)
				f.path.nodes[i].secrets = append(f.path.nodes[i].secrets, hpkeCiphertext{kem, ct})
			}
		}
		if h.after != nil {
			h.after(f)
		}
		return f.receive(tb, h)
	}
}

// receive is what a member does, on its own copies.
func (f *forgery) receive(tb testing.TB, h hooks) error {
	w := f.w
	path := new(updatePath)
	if err := unmarshal(marshal(f.path), path); err != nil {
		tb.Fatalf("the form is not what this row is about: %v", err)
	}
	tree, keys := w.tree.marshal(), marshal(w.keys[6])
	defer func() {
		if !bytes.Equal(w.tree.marshal(), tree) || !bytes.Equal(marshal(w.keys[6]), keys) || !bytes.Equal(w.tree.rootHash(), freshHash(w.tree)) {
			tb.Error("the row changed the receiver's state")
		}
	}()
	t := w.tree.clone()
	var joiners []LeafIndex
	if h.joined {
		joiners = []LeafIndex{5}
	}
	if err := t.applyPath(0, path, w.groupID, joiners); err != nil {
		return err
	}
	if err := t.checkUnique(); err != nil {
		return err
	}
	if err := t.checkMembers([]LeafIndex{0}, h.exts); err != nil {
		return err
	}
	_, _, err := w.keys[6].openPath(t, 6, 0, path, joiners, w.context(t.rootHash()))
	return err
}

func TestNegativePaths(t *testing.T) { runBroken(t, brokenPaths) }
func TestNegativeKeys(t *testing.T)  { runBroken(t, brokenKeys) }

// An unbent path is accepted, with and without a joiner, as is one that changes
// what a member may change about itself.
func TestNegativePathBaseline(t *testing.T) {
	for name, h := range map[string]hooks{
		"unchanged": {},
		"joiner":    {joined: true},
		"new signature key": {leaf: func(f *forgery) {
			key, err := GenerateSignatureKey(1)
			if err != nil {
				t.Fatal(err)
			}
			f.signer, f.path.leaf.SignatureKey = key, key.Public()
		}},
		"new identity and extensions": {leaf: func(f *forgery) {
			f.path.leaf.Credential = BasicCredential([]byte("new"))
			f.path.leaf.Extensions = []Extension{{1, []byte("app")}}
		}},
		"required capability": {exts: requires(RequiredCapabilities{Credentials: []uint16{1}})},
	} {
		if err := pathFails(h)(t); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Member 6 reads the ciphertext of the node above it and of leaf 4: 13.
	w := grove(t)
	if got := w.tree.recipients(w.tree.filteredPath(0)[2].copath, nil); len(got) != 3 || got[2] != 13 {
		t.Errorf("recipients at the root: %v", got)
	}
}

const onTop = 2  // the root's place in leaf 0's path
const forSix = 2 // and the ciphertext there that member 6 opens

func leafHook(bend func(l *LeafNode)) func(testing.TB) error {
	return pathFails(hooks{leaf: func(f *forgery) { bend(f.path.leaf) }})
}

func nodesHook(bend func(f *forgery, n []updatePathNode)) func(testing.TB) error {
	return pathFails(hooks{nodes: func(f *forgery) { bend(f, f.path.nodes) }})
}

func afterHook(bend func(f *forgery, n []updatePathNode)) func(testing.TB) error {
	return pathFails(hooks{after: func(f *forgery) { bend(f, f.path.nodes) }})
}

func init() {
	brokenPaths = []broken{
		{"§7.2", "a path of a leaf outside the tree", "outside the tree", func(tb testing.TB) error {
			w := grove(tb)
			return w.tree.clone().applyPath(8, &updatePath{leaf: w.tree.leaf(0)}, w.groupID, nil)
		}},
		{"§7.2", "a path of the greatest leaf index", "outside the tree", func(tb testing.TB) error {
			w := grove(tb)
			return w.tree.clone().applyPath(1<<32-1, &updatePath{leaf: w.tree.leaf(0)}, w.groupID, nil)
		}},
		{"§7.3", "a path's leaf that comes from a KeyPackage", "another source", leafHook(func(l *LeafNode) { l.Source = LeafFromKeyPackage })},
		{"§7.3", "a path's leaf that comes from an Update", "another source", leafHook(func(l *LeafNode) { l.Source = LeafFromUpdate })},
		{"§7.3", "a path's leaf with a wrong signature", "leaf's signature",
			afterHook(func(f *forgery, _ []updatePathNode) { f.path.leaf.Signature = flipped(f.path.leaf.Signature) })},
		{"§7.3", "a path's leaf signed with another member's key", "leaf's signature",
			pathFails(hooks{leaf: func(f *forgery) { f.signer = f.w.sigs[3] }})},
		{"§7.3", "a path's leaf signed for another group", "leaf's signature",
			pathFails(hooks{leaf: func(f *forgery) { f.group = []byte("other") }})},
		{"§7.3", "a path's leaf signed for another place", "leaf's signature", pathFails(hooks{leaf: func(f *forgery) { f.index = 1 }})},
		{"§7.2", "a path's leaf that lacks its own credential type", "its own credential",
			leafHook(func(l *LeafNode) { l.Capabilities.Credentials = []uint16{2} })},
		{"§7.3", "a path's leaf with an extension that it lacks", "carries an extension",
			leafHook(func(l *LeafNode) { l.Extensions = []Extension{{Type: 0xF00D}} })},
		{"§11.1", "a path's leaf that drops the suite", "lack the cipher suite",
			leafHook(func(l *LeafNode) { l.Capabilities.Suites = []uint16{3} })},
		{"§11.1", "a path's leaf that drops the version", "lack the version", leafHook(func(l *LeafNode) { l.Capabilities.Versions = nil })},
		{"§11.1", "a path's leaf that drops a required proposal", "group requires", pathFails(hooks{
			exts: requires(RequiredCapabilities{Proposals: []uint16{0xF00D}})})},
		{"§13.4", "a path's leaf that drops a group extension", "extension of the GroupContext", pathFails(hooks{
			exts: []Extension{{Type: 0xF00D}}})},
		{"§7.3", "a path's leaf with a credential type that others do not support", "another member does not support",
			leafHook(func(l *LeafNode) {
				l.Credential = Credential{Type: CredentialX509, Certificates: [][]byte{{1}}}
				l.Capabilities.Credentials = []uint16{1, 2}
			})},
		{"§7.3", "a path's leaf with another member's signature key", "same signature key", pathFails(hooks{leaf: func(f *forgery) {
			f.signer, f.path.leaf.SignatureKey = f.w.sigs[3], f.w.sigs[3].Public()
		}})},
		{"§12.4.2", "a path's leaf with the old encryption key", "in the tree already",
			nodesHook(func(f *forgery, _ []updatePathNode) { f.path.leaf.EncryptionKey = f.w.tree.leaf(0).EncryptionKey })},
		{"§12.4.2", "a path's leaf with another member's encryption key", "in the tree already",
			nodesHook(func(f *forgery, _ []updatePathNode) { f.path.leaf.EncryptionKey = f.w.tree.leaf(3).EncryptionKey })},
		{"§12.4.2", "a path's leaf with a parent's encryption key", "in the tree already",
			nodesHook(func(f *forgery, _ []updatePathNode) { f.path.leaf.EncryptionKey = f.w.tree.parent(13).encryptionKey })},
		{"§12.4.2", "a path node with a member's encryption key", "in the tree already",
			nodesHook(func(f *forgery, n []updatePathNode) { n[0].encryptionKey = f.w.tree.leaf(3).EncryptionKey })},
		{"§12.4.2", "a path node with its old key", "in the tree already",
			nodesHook(func(f *forgery, n []updatePathNode) { n[onTop].encryptionKey = f.w.tree.parent(7).encryptionKey })},
		{"§12.4.2", "two path nodes with one key", "in the tree already",
			nodesHook(func(_ *forgery, n []updatePathNode) { n[1].encryptionKey = n[0].encryptionKey })},
		{"§12.4.2", "a path node with the path's leaf's key", "in the tree already",
			nodesHook(func(f *forgery, n []updatePathNode) { n[0].encryptionKey = f.path.leaf.EncryptionKey })},
		{"§5.1", "a path's leaf with a key that is none", "public key",
			nodesHook(func(f *forgery, _ []updatePathNode) { f.path.leaf.EncryptionKey = []byte{1} })},
		{"§5.1", "a path node with a key that is none", "public key",
			nodesHook(func(_ *forgery, n []updatePathNode) { n[0].encryptionKey = []byte{1} })},
		{"§5.1", "a path node with a key that nobody can encrypt to", "public key",
			nodesHook(func(_ *forgery, n []updatePathNode) { n[0].encryptionKey = lowOrderPoint() })},
		{"§7.5", "a path with a node too few", "one node for each",
			nodesHook(func(f *forgery, n []updatePathNode) { f.path.nodes = n[:2] })},
		{"§7.5", "a path with a node too many", "one node for each", nodesHook(func(f *forgery, n []updatePathNode) {
			f.path.nodes = append(n, updatePathNode{encryptionKey: freshPublic(f.w)})
		})},
		{"§7.5", "a path without nodes", "one node for each", nodesHook(func(f *forgery, _ []updatePathNode) { f.path.nodes = nil })},
		{"§7.6", "a path node without ciphertexts", "one ciphertext for each",
			afterHook(func(_ *forgery, n []updatePathNode) { n[onTop].secrets = nil })},
		{"§7.6", "a path node with a ciphertext too few, not ours", "one ciphertext for each",
			afterHook(func(_ *forgery, n []updatePathNode) { n[0].secrets = nil })},
		{"§7.6", "a path node with a ciphertext too many", "one ciphertext for each",
			afterHook(func(_ *forgery, n []updatePathNode) { n[1].secrets = append(n[1].secrets, n[1].secrets[0]) })},
		{"§7.6", "a ciphertext for a leaf that the commit adds", "one ciphertext for each",
			pathFails(hooks{joined: true, seal: func(f *forgery) { f.joiners = nil }})},
		{"§7.6", "a member passed off as one that the commit adds", "one ciphertext for each",
			pathFails(hooks{seal: func(f *forgery) { f.joiners = []LeafIndex{5} }})},
		{"§7.9.2", "a path's leaf with a wrong parent hash", "wrong parent hash",
			leafHook(func(l *LeafNode) { l.ParentHash = flipped(l.ParentHash) })},
		{"§7.9.2", "a path's leaf with an empty parent hash", "wrong parent hash", leafHook(func(l *LeafNode) { l.ParentHash = nil })},
		{"§7.9.2", "a path's leaf with its old parent hash", "wrong parent hash",
			pathFails(hooks{leaf: func(f *forgery) { f.path.leaf.ParentHash = f.w.tree.leaf(0).ParentHash }})},
		{"§7.9.2", "the keys of two path nodes exchanged", "wrong parent hash",
			afterHook(func(_ *forgery, n []updatePathNode) {
				n[0].encryptionKey, n[1].encryptionKey = n[1].encryptionKey, n[0].encryptionKey
			})},
		{"§7.9.2", "a path node's key exchanged after the leaf was signed", "wrong parent hash",
			afterHook(func(f *forgery, n []updatePathNode) { n[onTop].encryptionKey = freshPublic(f.w) })},
		{"§5.1.3", "our ciphertext changed", "HPKE ciphertext",
			afterHook(func(_ *forgery, n []updatePathNode) {
				n[onTop].secrets[forSix].ciphertext = flipped(n[onTop].secrets[forSix].ciphertext)
			})},
		{"§5.1.3", "our ciphertext cut short", "HPKE ciphertext",
			afterHook(func(_ *forgery, n []updatePathNode) { n[onTop].secrets[forSix].ciphertext = []byte{1} })},
		{"§5.1.3", "our KEM output changed", "HPKE ciphertext",
			afterHook(func(_ *forgery, n []updatePathNode) {
				n[onTop].secrets[forSix].kemOutput = flipped(n[onTop].secrets[forSix].kemOutput)
			})},
		{"§5.1.3", "our KEM output cut short", "HPKE ciphertext",
			afterHook(func(_ *forgery, n []updatePathNode) { n[onTop].secrets[forSix].kemOutput = []byte{1} })},
		{"§5.1.3", "a KEM output that no key agrees with", "HPKE ciphertext",
			afterHook(func(_ *forgery, n []updatePathNode) { n[onTop].secrets[forSix].kemOutput = lowOrderPoint() })},
		{"§7.6", "another recipient's ciphertext in our place", "HPKE ciphertext",
			afterHook(func(_ *forgery, n []updatePathNode) { n[onTop].secrets[forSix] = n[onTop].secrets[0] })},
		{"§7.6", "a secret sealed under another GroupContext", "HPKE ciphertext",
			afterHook(func(f *forgery, n []updatePathNode) {
				kem, ct, err := f.w.p.encryptWithLabel(f.tree.encryptionKey(13), updatePathLabel, []byte("context"), f.secrets[onTop])
				if err != nil {
					panic(err)
				}
				n[onTop].secrets[forSix] = hpkeCiphertext{kem, ct}
			})},
		{"§7.6", "a secret sealed under another label", "HPKE ciphertext",
			afterHook(func(f *forgery, n []updatePathNode) {
				kem, ct, err := f.w.p.encryptWithLabel(f.tree.encryptionKey(13), "UpdatePath", f.w.context(f.tree.rootHash()), f.secrets[onTop])
				if err != nil {
					panic(err)
				}
				n[onTop].secrets[forSix] = hpkeCiphertext{kem, ct}
			})},
		{"§7.4", "a path secret that is too short", "wrong length",
			pathFails(hooks{seal: func(f *forgery) { f.secrets[onTop] = f.secrets[onTop][1:] }})},
		{"§7.4", "a path secret that is too long", "wrong length",
			pathFails(hooks{seal: func(f *forgery) { f.secrets[onTop] = append(f.secrets[onTop], 0) }})},
		{"§7.4", "an empty path secret", "wrong length", pathFails(hooks{seal: func(f *forgery) { f.secrets[onTop] = nil }})},
		{"§7.5", "a path secret that does not fit its node's key", "does not fit",
			pathFails(hooks{seal: func(f *forgery) { f.secrets[onTop] = f.w.p.random() }})},
		{"§7.5", "the path secret of the node below", "does not fit",
			pathFails(hooks{seal: func(f *forgery) { f.secrets[onTop] = f.secrets[1] }})},
		{"§7.5", "a node's key that is not derived from its secret", "does not fit",
			nodesHook(func(f *forgery, n []updatePathNode) { n[onTop].encryptionKey = freshPublic(f.w) })},
	}

	// stored offers bent private keys of member 6 back.
	stored := func(bend func(w *world, e *encoder)) func(testing.TB) error {
		return func(tb testing.TB) error {
			w := grove(tb)
			var e encoder
			bend(w, &e)
			d := decoder{b: e.b}
			if decodePathKeys(&d, w.tree, 6) != nil {
				return nil
			}
			return d.err
		}
	}
	node := func(e *encoder, x nodeIndex, key []byte) { e.u32(uint32(x)); e.vec(key) }
	// welcomed joins with a bent path secret at leaf 5, after a commit by 0.
	welcomed := func(bend func(p *suiteParams, secret []byte) []byte, own, signer LeafIndex) func(testing.TB) error {
		return func(tb testing.TB) error {
			w := grove(tb)
			t := w.tree.clone()
			c, err := t.createPath(0, t.leaf(0), w.sigs[0], w.groupID, []LeafIndex{5}, w.context)
			if err != nil {
				tb.Fatal(err)
			}
			return w.keys[5].current(t).join(t, own, signer, bend(w.p, clone(c.secretFor(5))))
		}
	}
	// kept offers bent secrets of a KeyPackage back.
	kept := func(bend func(b []byte) []byte) func(testing.TB) error {
		return func(tb testing.TB) error {
			key, err := GenerateSignatureKey(1)
			if err != nil {
				tb.Fatal(err)
			}
			_, s, err := NewKeyPackage(1, Member{Credential: BasicCredential(nil), SignatureKey: key}, Lifetime{}, nil)
			if err != nil {
				tb.Fatal(err)
			}
			_, err = ParseKeyPackageSecrets(bend(s.Marshal()))
			return err
		}
	}
	keep := func(_ *suiteParams, secret []byte) []byte { return secret }
	brokenKeys = []broken{
		{"§10", "stored KeyPackage secrets of an unknown format", "unknown format", kept(func(b []byte) []byte { b[0] = 9; return b })},
		{"§10", "stored KeyPackage secrets with a byte after them", "bytes follow", kept(func(b []byte) []byte { return append(b, 0) })},
		{"§10", "stored KeyPackage secrets cut short", "ends inside", kept(func(b []byte) []byte { return b[:len(b)-1] })},
		{"§10", "stored KeyPackage secrets of a suite that we do not have", "not supported",
			kept(func(b []byte) []byte { b[2] = 4; return b })},
		{"§10", "stored KeyPackage secrets of a suite with other keys", "not one of the suite",
			kept(func(b []byte) []byte { b[2] = 5; return b })},
		{"§10", "a stored init key that is empty", "not one of the suite",
			kept(func(b []byte) []byte { return append(append(b[:3:3], 0), b[36:]...) })},
		{"§12.4.3.1", "a Welcome's path secret that does not fit", "does not fit",
			welcomed(func(p *suiteParams, _ []byte) []byte { return p.random() }, 5, 0)},
		{"§12.4.3.1", "a Welcome's path secret that is too short", "wrong length",
			welcomed(func(_ *suiteParams, s []byte) []byte { return s[1:] }, 5, 0)},
		{"§12.4.3.1", "a Welcome's path secret that is empty", "wrong length",
			welcomed(func(*suiteParams, []byte) []byte { return nil }, 5, 0)},
		{"§12.4.3.1", "a Welcome's path secret for another signer's path", "does not fit", welcomed(keep, 5, 4)},
		{"§12.4.3.1", "a Welcome signed from outside the tree", "no node above", welcomed(keep, 5, 8)},
		{"§12.4.3.1", "a Welcome that the joiner signed itself", "no node above", welcomed(keep, 5, 5)},
		{"§4.2", "a stored leaf key of another leaf", "do not fit",
			stored(func(w *world, e *encoder) { e.vec(w.keys[4].leaf.bytes()); e.header(0) })},
		{"§4.2", "a stored leaf key that is none", "do not fit", stored(func(_ *world, e *encoder) { e.vec([]byte{1}); e.header(0) })},
		{"§4.2", "a stored key for a blank node", "do not fit", stored(func(w *world, e *encoder) {
			e.vec(w.keys[6].leaf.bytes())
			e.list(func(e *encoder) { node(e, 11, w.p.random()) })
		})},
		{"§4.2", "a stored key for a node that is not above us", "do not fit", stored(func(w *world, e *encoder) {
			e.vec(w.keys[6].leaf.bytes())
			e.list(func(e *encoder) { node(e, 1, w.keys[1].nodes[1].priv.bytes()) })
		})},
		{"§4.2", "a stored key for a node outside the tree", "do not fit", stored(func(w *world, e *encoder) {
			e.vec(w.keys[6].leaf.bytes())
			e.list(func(e *encoder) { node(e, 1<<32-1, w.p.random()) })
		})},
		{"§4.2", "a stored node key that does not fit its node", "do not fit", stored(func(w *world, e *encoder) {
			e.vec(w.keys[6].leaf.bytes())
			e.list(func(e *encoder) { node(e, 13, w.p.random()) })
		})},
		{"§4.2", "stored node keys in falling order", "do not fit", stored(func(w *world, e *encoder) {
			e.vec(w.keys[6].leaf.bytes())
			e.list(func(e *encoder) {
				node(e, 13, w.keys[6].nodes[13].priv.bytes())
				node(e, 7, w.keys[6].nodes[7].priv.bytes())
			})
		})},
	}
}

var brokenPaths, brokenKeys []broken
