package mls

import (
	"fmt"
	"math/bits"
	"testing"
)

// Benchmarks of the tree alone. "filled" is a tree in which every member has
// committed once, so that hardly a node is blank; "fresh" is one that a single
// member made of KeyPackages, where a commit encrypts to every leaf.

var benchSizes = []int{2, 16, 128, 1000}

var benchSuites = []Suite{X25519_AES128GCM_SHA256_Ed25519, XWing_CHACHA20POLY1305_SHA256_Ed25519}

// benchWorlds keeps what was made for one benchmark for the next: they only read.
var benchWorlds = map[string]*world{}

func benchWorld(b *testing.B, s Suite, n int, filled bool) *world {
	b.Helper()
	name := fmt.Sprint(s, n, filled)
	if w := benchWorlds[name]; w != nil {
		return w
	}
	w := newWorld(b, s, n)
	benchWorlds[name] = w
	if !filled {
		return w
	}
	// Left and right in turn, so that the early commits cover the whole tree:
	// from left to right each would encrypt to every leaf on its right.
	for i := range w.tree.leafCount() {
		at := LeafIndex(bits.Reverse32(i) >> (32 - bits.Len32(w.tree.leafCount()-1)))
		if w.tree.leaf(at) == nil {
			continue
		}
		c, err := w.tree.createPath(at, w.tree.leaf(at), w.sigs[at], w.groupID, nil, w.context)
		if err != nil {
			b.Fatal(err)
		}
		w.keys[at] = c.keys
		if at == 1 {
			continue
		}
		// Of all who would receive it, member 1 does.
		w.keys[1], _, err = w.keys[1].openPath(w.tree, 1, at, c.path, nil, w.context(w.tree.rootHash()))
		if err != nil {
			b.Fatal(err)
		}
	}
	return w
}

func eachSize(b *testing.B, filled bool, f func(*testing.B, *world)) {
	for _, s := range benchSuites {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("suite=%d/members=%d", s, n), func(b *testing.B) { f(b, benchWorld(b, s, n, filled)) })
		}
	}
}

func BenchmarkTreeCreatePathFilled(b *testing.B) { eachSize(b, true, benchCreate) }
func BenchmarkTreeCreatePathFresh(b *testing.B)  { eachSize(b, false, benchCreate) }

func benchCreate(b *testing.B, w *world) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.tree.clone().createPath(0, w.tree.leaf(0), w.sigs[0], w.groupID, nil, w.context); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTreeProcessPathFilled(b *testing.B) { eachSize(b, true, benchProcess) }
func BenchmarkTreeProcessPathFresh(b *testing.B)  { eachSize(b, false, benchProcess) }

func benchProcess(b *testing.B, w *world) {
	c, err := w.tree.clone().createPath(0, w.tree.leaf(0), w.sigs[0], w.groupID, nil, w.context)
	if err != nil {
		b.Fatal(err)
	}
	w.tree.rootHash()
	b.ReportAllocs()
	for b.Loop() {
		t := w.tree.clone()
		if err := t.applyPath(0, c.path, w.groupID, nil); err != nil {
			b.Fatal(err)
		}
		if err := t.checkUnique(); err != nil {
			b.Fatal(err)
		}
		if err := t.checkMembers([]LeafIndex{0}, nil); err != nil {
			b.Fatal(err)
		}
		if _, _, err := w.keys[1].openPath(t, 1, 0, c.path, nil, w.context(t.rootHash())); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTreeJoin(b *testing.B) {
	eachSize(b, true, func(b *testing.B, w *world) {
		wire := w.tree.marshal()
		b.ReportMetric(float64(len(wire)), "tree-bytes")
		for b.Loop() {
			t, err := parseTree(w.p, wire)
			if err != nil {
				b.Fatal(err)
			}
			t.rootHash()
			if err := t.verify(w.groupID, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTreeAddRemove(b *testing.B) {
	eachSize(b, true, func(b *testing.B, w *world) {
		k, _ := w.member(b)
		w.tree.rootHash()
		b.ReportAllocs()
		for b.Loop() {
			t := w.tree.clone()
			i := t.add(k.leaf)
			t.rootHash()
			t.remove(i)
			t.rootHash()
		}
	})
}
