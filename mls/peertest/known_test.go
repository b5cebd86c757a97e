package peertest

import (
	"strings"
	"testing"
)

// What ts-mls 1.6.4 does otherwise than RFC 9420, found by these tests.
//
// Put right while it is loaded (tsmls/fixes.mjs):
//
//   - §12.4.3.1: a joiner refuses trees whose unmerged leaves are not the same all
//     the way to the root.
//   - §12.4.2: somebody removed does not notice it where the same commit puts a
//     newcomer on the leaf.
//   - §12.4.1: where the root stays blank, the commit secret is derived once too
//     often.
//   - §12.4.3.2: the extension external_pub is the bare key, without its length.
//
// Stepped around:
//
//   - §12.4: a commit of GroupContextExtensions has no path, though it must
//     (TestExtensionsByPeer); so only ours commit that.
//   - It has no Update proposals of its own; the driver makes their leaf and puts
//     the new key into use.
//   - It refuses to send application data while proposals are pending, and
//     commits all that are pending; so the tests commit what was proposed first.
//   - §5.1.1: its ECDSA public keys are compressed points (tsmls/suites.mjs).
//   - X-Wing's DeriveKeyPair is that of an older draft (tsmls/suites.mjs).

// TestExtensionsByPeer sees ours refuse what is wrong in ts-mls. When it fails,
// ts-mls may have been mended: let guests commit extensions then.
func TestExtensionsByPeer(t *testing.T) {
	r := newRoom(t, startPeer(t), suites[0], true)
	guest, host := r.pick(true), r.newMember(false)
	r.commit(guest, plan{}, host)
	m, err := guest.commit(plan{proposals: []proposal{{Kind: "extensions", Extensions: []extension{{groupExtension, []byte("new")}}}}})
	r.checkBy(guest, "commit", err)
	if _, err := host.process(m.message); err == nil || !strings.Contains(err.Error(), "§12.4") {
		t.Errorf("a commit of extensions without a path was met with: %v", err)
	}
}
