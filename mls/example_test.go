package mls_test

import (
	"fmt"

	"hearth/mls"
)

// Two people make a group and speak. What the comments call saving is the
// caller's: this package stores nothing.
func ExampleGroup() {
	const suite = mls.XWing_CHACHA20POLY1305_SHA256_Ed25519
	member := func(name string) mls.Member {
		key, err := mls.GenerateSignatureKey(suite)
		if err != nil {
			panic(err)
		}
		return mls.Member{Credential: mls.BasicCredential([]byte(name)), SignatureKey: key}
	}
	week := mls.Lifetime{NotBefore: 0, NotAfter: 1 << 40}

	// Bob publishes a KeyPackage and keeps its secrets.
	kp, secrets, err := mls.NewKeyPackage(suite, member("bob"), week, nil)
	if err != nil {
		panic(err)
	}

	// Alice founds a group and adds him. The commit is saved, sent, and applied
	// when the log shows that it won; then the Welcome leaves.
	alice, err := mls.NewGroup(mls.GroupConfig{Suite: suite}, member("alice"), week)
	if err != nil {
		panic(err)
	}
	pending, err := alice.Commit(mls.CommitOptions{Add: []*mls.KeyPackage{kp}})
	if err != nil {
		panic(err)
	}
	alice = pending.Staged().Apply()

	bob, _, err := mls.Join(pending.Welcome(kp.Ref()), kp, secrets, mls.JoinOptions{RatchetTree: pending.RatchetTree()})
	if err != nil {
		panic(err)
	}
	secrets.Wipe()

	// Her ratchets are saved before the bytes leave.
	message, err := alice.Encrypt([]byte("hello"), 256)
	if err != nil {
		panic(err)
	}
	staged, err := bob.Process(message) // nothing has changed yet
	if err != nil {
		panic(err)
	}
	from := staged.SenderLeaf().Credential.Identity
	bob = staged.Apply() // saved with the row that holds the text

	fmt.Printf("%s in epoch %d: %s\n", from, bob.Epoch(), staged.Application())
	// Output: alice in epoch 1: hello
}
