package mls

import (
	"testing"
)

func TestVectorsTreeKEM(t *testing.T) {
	var cases []struct {
		Suite      Suite    `json:"cipher_suite"`
		GroupID    hexBytes `json:"group_id"`
		Epoch      uint64   `json:"epoch"`
		Transcript hexBytes `json:"confirmed_transcript_hash"`
		Tree       hexBytes `json:"ratchet_tree"`
		Leaves     []struct {
			Index      LeafIndex `json:"index"`
			Encryption hexBytes  `json:"encryption_priv"`
			Signature  hexBytes  `json:"signature_priv"`
			Secrets    []struct {
				Node   nodeIndex `json:"node"`
				Secret hexBytes  `json:"path_secret"`
			} `json:"path_secrets"`
		} `json:"leaves_private"`
		Paths []struct {
			Sender       LeafIndex  `json:"sender"`
			Path         hexBytes   `json:"update_path"`
			PathSecrets  []hexBytes `json:"path_secrets"`
			CommitSecret hexBytes   `json:"commit_secret"`
			TreeHash     hexBytes   `json:"tree_hash_after"`
		} `json:"update_paths"`
	}
	loadVectors(t, "treekem.json", &cases)
	count := countVectors("treekem.json")
	for n, c := range cases {
		p, ok := count.params(t, c.Suite)
		if !ok {
			continue
		}
		tree, err := parseTree(p, c.Tree)
		if err != nil {
			t.Fatal(err)
		}
		context := func(treeHash []byte) []byte {
			var e encoder
			e.u16(versionMLS10)
			e.u16(uint16(c.Suite))
			e.vec(c.GroupID)
			e.u64(c.Epoch)
			e.vec(treeHash)
			e.vec(c.Transcript)
			e.header(0)
			return e.b
		}
		keys := map[LeafIndex]*pathKeys{}
		sigs := map[LeafIndex]*SignatureKey{}
		for _, l := range c.Leaves {
			k := newPathKeys(clone(l.Encryption))
			for _, s := range l.Secrets {
				priv, pub, err := p.nodeKeyPair(s.Secret)
				if err != nil {
					t.Fatal(err)
				}
				wantBytes(t, "public key of a path secret", pub, tree.encryptionKey(s.Node))
				k.nodes[s.Node] = nodeKey{pub, newSecret(priv)}
			}
			keys[l.Index] = k
			if sigs[l.Index], err = NewSignatureKey(c.Suite, l.Signature); err != nil {
				t.Fatal(err)
			}
		}
		for _, u := range c.Paths {
			path := new(updatePath)
			if err := unmarshal(u.Path, path); err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "path written", marshal(path), u.Path)
			after := tree.clone()
			if err := after.applyPath(u.Sender, path, c.GroupID, nil); err != nil {
				t.Fatalf("case %d: %v", n, err)
			}
			wantBytes(t, "tree hash", after.rootHash(), u.TreeHash)
			if err := after.checkUnique(); err != nil {
				t.Error(err)
			}
			for i, secret := range u.PathSecrets {
				own := LeafIndex(i)
				if secret == nil {
					continue
				}
				next, commitSecret, err := keys[own].openPath(after, own, u.Sender, path, nil, context(after.rootHash()))
				if err != nil {
					t.Fatalf("case %d, suite %d, leaf %d: %v", n, c.Suite, i, err)
				}
				wantBytes(t, "commit secret", commitSecret, u.CommitSecret)
				// The secret itself is not kept; the key made from it is.
				priv, _, err := p.nodeKeyPair(secret)
				if err != nil {
					t.Fatal(err)
				}
				found := false
				for _, s := range after.filteredPath(u.Sender) {
					if s.copath.covers(own) {
						found = true
						wantBytes(t, "key of the path secret", next.nodes[s.node].priv.bytes(), priv)
					}
				}
				if !found {
					t.Error("no node of the path is above the member")
				}
			}
			// And the other way: a path of our own is read by all.
			made := tree.clone()
			own, err := made.createPath(u.Sender, tree.leaf(u.Sender), sigs[u.Sender], c.GroupID, nil, context)
			if err != nil {
				t.Fatal(err)
			}
			read := tree.clone()
			if err := read.applyPath(u.Sender, own.path, c.GroupID, nil); err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "tree hash of own path", read.rootHash(), made.rootHash())
			for i := range keys {
				if i == u.Sender {
					continue
				}
				_, commitSecret, err := keys[i].openPath(read, i, u.Sender, own.path, nil, context(read.rootHash()))
				if err != nil {
					t.Fatal(err)
				}
				wantBytes(t, "commit secret of own path", commitSecret, own.commitSecret)
			}
		}
	}
	count.done(t, 55, 22)
}

func FuzzUpdatePath(f *testing.F) {
	w := newWorld(f, 1, 4)
	f.Add(marshal(w.commit(f, 2)))
	f.Fuzz(func(t *testing.T, b []byte) {
		mustReencode(t, b, new(updatePath))
		path := new(updatePath)
		if unmarshal(b, path) == nil {
			w.tree.clone().applyPath(1, path, w.groupID, nil)
		}
	})
}

func FuzzPathKeys(f *testing.F) {
	w := newWorld(f, 1, 4)
	w.commit(f, 2)
	f.Add(marshal(w.keys[1]))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := decoder{b: b}
		if k := decodePathKeys(&d, w.tree, 1); k != nil && len(d.b) == 0 {
			if out := marshal(k); string(out) != string(b) {
				t.Errorf("accepted %x, wrote %x", b, out)
			}
		}
	})
}
