package mls

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// RFC 9420 §7.5: what a commit replaced is wiped; what it left serves on.
func TestPathKeysRetire(t *testing.T) {
	w := newWorld(t, X25519_AES128GCM_SHA256_Ed25519, 8)
	for _, i := range []LeafIndex{0, 2, 4, 6, 1} {
		w.commit(t, i)
	}
	old := w.keys[0].current(w.tree) // shares its keys with what is retired
	kept := map[nodeIndex][]byte{}
	for x, key := range old.nodes {
		kept[x] = clone(key.priv.bytes())
	}
	w.commit(t, 4) // sets the root and nothing else above leaf 0
	if old.nodes[7].priv.present() {
		t.Error("the old key of the root is still there")
	}
	for _, x := range []nodeIndex{1, 3} {
		if !bytes.Equal(old.nodes[x].priv.bytes(), kept[x]) || len(kept[x]) == 0 {
			t.Errorf("the key of node %d, which did not change, is gone", x)
		}
	}
	if !old.leaf.present() {
		t.Error("the leaf's key is gone")
	}
	mine := w.keys[0]
	w.commit(t, 0)
	if mine.leaf.present() || mine.nodes[1].priv.present() || mine.nodes[3].priv.present() {
		t.Error("our own commit left old keys behind")
	}
	w.keys[0].wipe()
	for x, key := range w.keys[0].nodes {
		if key.priv.present() {
			t.Errorf("the key of node %d survives wiping", x)
		}
	}
}

// What we publish shares no memory with what the caller keeps.
func TestKeyPackageIsACopy(t *testing.T) {
	key, err := GenerateSignatureKey(1)
	if err != nil {
		t.Fatal(err)
	}
	me := Member{Credential: BasicCredential([]byte("me")), SignatureKey: key, Capabilities: DefaultCapabilities(),
		LeafExtensions: []Extension{{1, []byte("app")}}}
	exts := []Extension{{1, []byte("app")}}
	k, _, err := NewKeyPackage(1, me, Lifetime{}, exts)
	if err != nil {
		t.Fatal(err)
	}
	me.Credential.Identity[0] ^= 1
	me.LeafExtensions[0].Data[0] ^= 1
	me.Capabilities.Versions[0] = 9
	me.Capabilities.Suites[0] = 9
	exts[0].Data[0] ^= 1
	if err := k.Verify(); err != nil {
		t.Errorf("a change of the caller's values reached the KeyPackage: %v", err)
	}
}

// The index agrees with plain counting through adds, removes, clones and folds,
// and a clone's changes don't reach the tree it came from.
func TestKeyIndexCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var x keyIndex
	count := map[string]int32{}
	for step := range 4000 {
		key := fmt.Sprint(r.IntN(300))
		kind := keyKind(1 + r.IntN(2))
		name := fmt.Sprintf("%d %s", kind, key)
		if r.IntN(2) == 0 || count[name] == 0 {
			x.add(kind, []byte(key))
			count[name]++
		} else {
			x.remove(kind, []byte(key))
			count[name]--
		}
		if r.IntN(10) == 0 {
			before := x.clone()
			throwAway := x.clone()
			throwAway.add(kind, []byte(key))
			throwAway.fold()
			if x.count(idOf(kind, []byte(key))) != before.count(idOf(kind, []byte(key))) {
				t.Fatal("a clone's change reached the original")
			}
			x = before
		}
		if got := x.count(idOf(kind, []byte(key))); got != count[name] {
			t.Fatalf("step %d: count %d, want %d", step, got, count[name])
		}
	}
	for name, n := range count {
		kind := keyKind(name[0] - '0')
		if got := x.count(idOf(kind, []byte(name[2:]))); got != n {
			t.Errorf("%s: count %d, want %d", name, got, n)
		}
	}
}
