package mls

import (
	"errors"
	"testing"
)

// TestPeek: what a commit proposes can be read though its path is bad for this
// member, and nothing else can be made of it.
func TestPeek(t *testing.T) {
	f := newFixture(t)
	sealed := func(h insiderCommit) []byte {
		h.after = func(a *authenticatedContent) { a.wireFormat = wirePrivateMessage }
		h.seal = func(a *authenticatedContent) []byte {
			return f.private(a, f.a.g.secrets.next(uint32(f.a.g.own), ContentCommit))
		}
		return f.insider(h)
	}
	removal := CommitOptions{Remove: []LeafIndex{2}}
	check := func(name string, msg []byte) {
		t.Helper()
		f.mark()
		ch, err := f.b.g.Peek(msg)
		if err != nil || len(ch.Removed) != 1 || ch.Removed[0].Index != 2 || ch.Committer != 0 || ch.Path || len(ch.Updated) != 0 {
			t.Errorf("%s: got %+v, %v", name, ch, err)
		}
		if string(f.b.g.MarshalEpoch()) != string(f.epoch) || string(f.b.g.MarshalRatchets()) != string(f.ratchets) {
			t.Errorf("%s: a look changed the state", name)
		}
	}
	check("a good commit", sealed(insiderCommit{options: removal}))
	for name, h := range map[string]insiderCommit{
		"a path without a node": {options: removal, path: func(_ *transition, made *createdPath) {
			made.path.nodes = made.path.nodes[:len(made.path.nodes)-1]
		}},
		"a path under another context": {options: removal, context: func(c *groupContext) { c.epoch++ }},
		"a wrong confirmation tag":     {options: removal, tag: flip},
	} {
		bad := sealed(h)
		if _, err := f.b.g.Process(bad); err == nil {
			t.Fatalf("%s: it was taken", name)
		}
		check(name, bad)
	}

	if _, err := f.b.g.Peek(sealed(insiderCommit{options: removal, signer: f.external})); !errors.Is(err, ErrDecrypt) {
		t.Errorf("another's signature: got %v", err)
	}
	if _, err := f.b.g.Peek(f.insider(insiderCommit{options: removal})); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("a commit for all the world: got %v", err)
	}
	text, err := f.a.g.Encrypt([]byte("hello"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.b.g.Peek(text); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("a message: got %v", err)
	}
}
