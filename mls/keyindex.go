package mls

import (
	"crypto/sha256"
	"maps"
)

// keyKind keeps the two kinds of key apart that must be unique by themselves.
type keyKind uint8

const (
	keyEncryption keyKind = 1 // of leaves and parents
	keySignature  keyKind = 2 // of leaves
)

// keyID stands for one key of one kind.
type keyID [sha256.Size]byte

func idOf(kind keyKind, key []byte) keyID {
	h := sha256.New()
	h.Write([]byte{byte(kind)})
	h.Write(key)
	return keyID(h.Sum(nil))
}

// keyIndex counts how often each public key stands in a tree, RFC 9420 §7.3 and
// §12.4.3.1: once, if all is well. Within a commit a key may stand twice for a
// moment, so what was added is looked at once at the end. Clones share the base;
// each has its own differences from it, which are folded in when they grow.
type keyIndex struct {
	base  map[keyID]int32 // shared, never written to
	diff  map[keyID]int32 // to be added to base
	fresh []freshKey      // added since the last check
}

type freshKey struct {
	id   keyID
	kind keyKind
}

func (x *keyIndex) clone() keyIndex {
	return keyIndex{base: x.base, diff: maps.Clone(x.diff)}
}

func (x *keyIndex) count(id keyID) int32 { return x.base[id] + x.diff[id] }

func (x *keyIndex) change(id keyID, by int32) {
	if x.diff == nil {
		x.diff = map[keyID]int32{}
	}
	if x.diff[id] += by; x.diff[id] == 0 {
		delete(x.diff, id)
	}
	if len(x.diff) > 64+len(x.base)/4 {
		x.fold()
	}
}

// fold makes a new base of the base and the differences.
func (x *keyIndex) fold() {
	all := make(map[keyID]int32, len(x.base)+len(x.diff))
	maps.Copy(all, x.base)
	for id, by := range x.diff {
		if all[id] += by; all[id] == 0 {
			delete(all, id)
		}
	}
	x.base, x.diff = all, nil
}

func (x *keyIndex) add(kind keyKind, key []byte) {
	id := idOf(kind, key)
	x.change(id, 1)
	x.fresh = append(x.fresh, freshKey{id, kind})
}

func (x *keyIndex) remove(kind keyKind, key []byte) { x.change(idOf(kind, key), -1) }

// has says whether a key stands anywhere in the tree.
func (x *keyIndex) has(kind keyKind, key []byte) bool { return x.count(idOf(kind, key)) > 0 }

// checkFresh refuses a key that was added and stands more than once. What was
// added since the last check and taken out again doesn't count.
func (x *keyIndex) checkFresh() error {
	for _, f := range x.fresh {
		if x.count(f.id) <= 1 {
			continue
		}
		if f.kind == keySignature {
			return invalid("§7.3", "two leaves have the same signature key")
		}
		return invalid("§7.3", "two nodes of the tree have the same encryption key")
	}
	x.fresh = nil
	return nil
}

// checkUnique is the rule of RFC 9420 §7.3 for what changed in the tree since
// it was cloned or parsed: signature keys differ among members, encryption keys
// among all nodes.
func (t *ratchetTree) checkUnique() error { return t.keys.checkFresh() }
