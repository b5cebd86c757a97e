package mls

import "slices"

// bentPath commits a path that was bent after it was made.
func (f *fixture) bentPath(bend func(t *transition, made *createdPath)) []byte {
	f.Helper()
	return f.insider(insiderCommit{path: bend})
}

// bentLeaf commits a path whose leaf was bent and signed again.
func (f *fixture) bentLeaf(bend func(l *LeafNode)) []byte {
	f.Helper()
	return f.bentPath(func(t *transition, made *createdPath) {
		bend(made.path.leaf)
		f.resign(made.path.leaf, f.a.g.sig, f.a.g.ctx.groupID, 0)
	})
}

// forB is the place in a's path of the ciphertext that b opens: the lowest node.
const forB = 0

var wrongCommits = []wrong{
	{section: "§12.4", name: "an empty commit without a path", want: errCommitNoPath,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{NoPath: true}})
		}},
	{section: "§12.4", name: "a Remove without a path", want: errCommitNoPath,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{NoPath: true, Remove: []LeafIndex{2}}})
		}},
	{section: "§12.4", name: "an Update without a path", want: errCommitNoPath,
		message: func(f *fixture) []byte {
			msg := f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: f.update(nil)})
			ref := f.b.read(msg).ProposalRef()
			f.a.read(msg)
			return f.insider(insiderCommit{options: CommitOptions{NoPath: true, ByReference: [][]byte{ref}}})
		}},
	{section: "§12.4", name: "GroupContextExtensions without a path", want: errCommitNoPath,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{NoPath: true, ClearExtensions: true}})
		}},
	{section: "§12.4", name: "an Add and a Remove without a path", want: errCommitNoPath,
		message: func(f *fixture) []byte {
			_, kp, _ := f.newcomer(nil)
			return f.insider(insiderCommit{options: CommitOptions{NoPath: true, Remove: []LeafIndex{2}, Add: []*KeyPackage{kp}}})
		}},
	{section: "§12.4", name: "a reference to a proposal that was never sent", want: ErrProposalUnknown,
		message: func(f *fixture) []byte { return f.refs(proposalOrRef{ref: make([]byte, 32)}) }},
	{section: "§12.4", name: "an empty reference", want: ErrProposalUnknown,
		message: func(f *fixture) []byte { return f.refs(proposalOrRef{ref: []byte{}}) }},
	{section: "§12.4", name: "a reference to a proposal of an earlier epoch", want: ErrProposalUnknown,
		message: func(f *fixture) []byte {
			ref := f.b.read(f.byReference(f.c, Proposal{Type: ProposalRemove, Remove: 4})).ProposalRef()
			f.a.commit(CommitOptions{}, f.b, f.c, f.e)
			return f.refs(proposalOrRef{ref: ref})
		}},
	{section: "§12.4", name: "one reference twice", want: errCommitSameProposal,
		message: func(f *fixture) []byte {
			ref := f.b.read(f.byReference(f.c, Proposal{Type: testCustomType})).ProposalRef()
			return f.refs(proposalOrRef{ref: ref}, proposalOrRef{ref: ref})
		}},
	{section: "§12.4", name: "neither a proposal nor a reference", want: errProposalOrRef,
		message: func(f *fixture) []byte {
			b := f.refs(proposalOrRef{ref: []byte{0xAB, 0xCD}})
			i := slices.Index(b, 0xAB)
			for b[i+1] != 0xCD {
				i += 1 + slices.Index(b[i+1:], 0xAB)
			}
			b[i-2] = 3 // the kind before the length of the reference
			return b
		}},
	{section: "§12.4.2", name: "a wrong confirmation tag", want: errConfirmationTag,
		message: func(f *fixture) []byte { return f.insider(insiderCommit{tag: flip}) }},
	{section: "§12.4.2", name: "an empty confirmation tag", want: errConfirmationTag,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{tag: func([]byte) []byte { return nil }})
		}},
	{section: "§12.4.2", name: "the confirmation tag of the current epoch", want: errConfirmationTag,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{tag: func([]byte) []byte {
				return f.a.g.keys.confirmationTag(f.p, f.a.g.ctx.confirmedTranscriptHash)
			}})
		}},
	{section: "§12.4.2", name: "a confirmation tag cut short", want: errConfirmationTag,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{tag: func(b []byte) []byte { return b[:16] }})
		}},
	{section: "§12.4.2", name: "a wrong confirmation tag in a commit without a path", want: errConfirmationTag,
		message: func(f *fixture) []byte {
			_, kp, _ := f.newcomer(nil)
			return f.insider(insiderCommit{options: CommitOptions{NoPath: true, Add: []*KeyPackage{kp}}, tag: flip})
		}},
	{section: "§12.4.2", name: "a commit signed by another member", want: ErrDecrypt,
		message: func(f *fixture) []byte { return f.insider(insiderCommit{signer: f.c.g.sig}) }},
	{section: "§12.4.2", name: "a commit signed with the key that it introduces", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			key, err := GenerateSignatureKey(f.suite)
			if err != nil {
				f.Fatal(err)
			}
			return f.insider(insiderCommit{key: key, signer: key})
		}},
	{section: "§12.4.2", name: "a commit from a leaf that is blank", want: errSenderBlank,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{after: func(a *authenticatedContent) { a.content.sender.index = 3 }})
		}},
	{section: "§12.4.2", name: "a wrong confirmation tag in a PrivateMessage", want: errConfirmationTag,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{tag: flip,
				after: func(a *authenticatedContent) { a.wireFormat = wirePrivateMessage },
				seal:  func(a *authenticatedContent) []byte { return f.private(a, 0) }})
		}},

	{section: "§7.3", name: "a path leaf that comes from a KeyPackage", want: ErrInvalid, text: "another source",
		message: func(f *fixture) []byte {
			return f.bentLeaf(func(l *LeafNode) { l.Source = LeafFromKeyPackage })
		}},
	{section: "§7.3", name: "a path leaf that comes from an Update", want: ErrInvalid, text: "another source",
		message: func(f *fixture) []byte { return f.bentLeaf(func(l *LeafNode) { l.Source = LeafFromUpdate }) }},
	{section: "§7.3", name: "a path leaf whose signature is wrong", want: ErrInvalid, text: "leaf's signature",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) {
				made.path.leaf.Signature = flip(made.path.leaf.Signature)
			})
		}},
	{section: "§7.3", name: "a path leaf signed for another place", want: ErrInvalid, text: "leaf's signature",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) {
				f.resign(made.path.leaf, f.a.g.sig, f.a.g.ctx.groupID, 1)
			})
		}},
	{section: "§7.3", name: "a path leaf signed for another group", want: ErrInvalid, text: "leaf's signature",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) {
				f.resign(made.path.leaf, f.a.g.sig, []byte("other"), 0)
			})
		}},
	{section: "§7.3", name: "a path leaf whose capabilities lack the version", want: ErrInvalid, text: "lack the version",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{leaf: func(l *LeafNode) { l.Capabilities.Versions = []uint16{9} }})
		}},
	{section: "§7.3", name: "a path leaf whose capabilities lack its credential's type", want: ErrInvalid, text: "its own credential",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{leaf: func(l *LeafNode) { l.Capabilities.Credentials = []uint16{CredentialX509} }})
		}},
	{section: "§7.3", name: "a path leaf with an extension that its capabilities lack", want: ErrInvalid, text: "carries an extension",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{leaf: func(l *LeafNode) { l.Extensions = []Extension{{Type: 0xF321}} }})
		}},
	{section: "§7.3", name: "a path leaf with a credential type that members do not support", want: ErrInvalid, text: "credential type",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{leaf: func(l *LeafNode) {
				l.Credential = Credential{Type: CredentialX509, Certificates: [][]byte{{1}}}
				l.Capabilities.Credentials = []uint16{CredentialBasic, CredentialX509}
			}})
		}},
	{section: "§7.3", name: "a path leaf with another member's signature key", want: ErrInvalid, text: "same signature key",
		message: func(f *fixture) []byte { return f.insider(insiderCommit{key: f.c.g.sig}) }},
	{section: "§11.1", name: "a path leaf that drops a required capability", want: ErrInvalid, text: "group requires",
		message: func(f *fixture) []byte {
			f.a.commit(CommitOptions{Extensions: required(RequiredCapabilities{Proposals: []uint16{testCustomType}}).Extensions}, f.b, f.c, f.e)
			return f.insider(insiderCommit{leaf: func(l *LeafNode) { l.Capabilities.Proposals = nil }})
		}},
	{section: "§12.4.2", name: "a path leaf with the committer's old encryption key", want: ErrInvalid, text: "in the tree already",
		message: func(f *fixture) []byte {
			old := f.a.g.tree.leaf(0).EncryptionKey
			return f.bentLeaf(func(l *LeafNode) { l.EncryptionKey = old })
		}},
	{section: "§12.4.2", name: "a path leaf with another member's encryption key", want: ErrInvalid, text: "in the tree already",
		message: func(f *fixture) []byte {
			return f.bentLeaf(func(l *LeafNode) { l.EncryptionKey = f.a.g.tree.leaf(2).EncryptionKey })
		}},
	{section: "§12.4.2", name: "a path node with a key that is in the tree", want: ErrInvalid, text: "in the tree already",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) {
				made.path.nodes[1].encryptionKey = f.a.g.tree.leaf(2).EncryptionKey
			})
		}},
	{section: "§12.4.2", name: "one key twice in a path", want: ErrInvalid, text: "in the tree already",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) {
				made.path.nodes[1].encryptionKey = made.path.nodes[0].encryptionKey
			})
		}},
	{section: "§12.4.2", name: "the leaf's key again in its path", want: ErrInvalid, text: "in the tree already",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) {
				made.path.nodes[0].encryptionKey = made.path.leaf.EncryptionKey
			})
		}},
	{section: "§7.5", name: "a path with a node too few", want: ErrInvalid, text: "one node for each",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) { made.path.nodes = made.path.nodes[:2] })
		}},
	{section: "§7.5", name: "a path with a node too many", want: ErrInvalid, text: "one node for each",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) {
				made.path.nodes = append(made.path.nodes, updatePathNode{encryptionKey: f.hpkeKey()})
			})
		}},
	{section: "§7.5", name: "a path without nodes", want: ErrInvalid, text: "one node for each",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) { made.path.nodes = nil })
		}},
	{section: "§7.6", name: "a path node with a ciphertext too few", want: ErrInvalid, text: "one ciphertext",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) { made.path.nodes[forB].secrets = nil })
		}},
	{section: "§7.6", name: "a path node with a ciphertext too many", want: ErrInvalid, text: "one ciphertext",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) {
				n := &made.path.nodes[forB]
				n.secrets = append(n.secrets, n.secrets[0])
			})
		}},
	{section: "§7.6", name: "a path secret sealed to one who is added by the same commit", want: ErrInvalid, text: "one ciphertext",
		message: func(f *fixture) []byte {
			_, kp, _ := f.newcomer(nil) // at leaf 3, beside c
			return f.insider(insiderCommit{options: CommitOptions{Add: []*KeyPackage{kp}}, path: func(_ *transition, made *createdPath) {
				n := &made.path.nodes[1]
				n.secrets = append(n.secrets, n.secrets[0])
			}})
		}},
	{section: "§7.5", name: "a path secret that does not open", want: ErrInvalid, text: "does not open",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) {
				c := &made.path.nodes[forB].secrets[0]
				c.ciphertext = flip(c.ciphertext)
			})
		}},
	{section: "§7.5", name: "a path secret with a KEM output that is none", want: ErrInvalid, text: "does not open",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) { made.path.nodes[forB].secrets[0].kemOutput = []byte{1} })
		}},
	{section: "§7.5", name: "another path secret than the public key's", want: ErrInvalid, text: "does not fit",
		message: func(f *fixture) []byte { return f.sealedForB(func([]byte) []byte { return make([]byte, 32) }) }},
	{section: "§7.4", name: "a path secret of the wrong length", want: ErrInvalid, text: "wrong length",
		message: func(f *fixture) []byte { return f.sealedForB(func(s []byte) []byte { return s[:31] }) }},
	{section: "§12.4.1", name: "path secrets sealed under the old epoch's number", want: ErrInvalid, text: "does not open",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{context: func(c *groupContext) { c.epoch-- }})
		}},
	{section: "§12.4.1", name: "path secrets sealed under the old tree hash", want: ErrInvalid, text: "does not open",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{context: func(c *groupContext) { c.treeHash = f.a.g.ctx.treeHash }})
		}},
	{section: "§12.4.1", name: "path secrets sealed under the old extensions", want: ErrInvalid, text: "does not open",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{ClearExtensions: true},
				context: func(c *groupContext) { c.extensions = f.a.g.ctx.extensions }})
		}},
	{section: "§7.9.2", name: "a path leaf with a wrong parent hash", want: ErrInvalid, text: "parent hash",
		message: func(f *fixture) []byte {
			return f.bentLeaf(func(l *LeafNode) { l.ParentHash = flip(l.ParentHash) })
		}},
	{section: "§7.9.2", name: "a path leaf without a parent hash", want: ErrInvalid, text: "parent hash",
		message: func(f *fixture) []byte { return f.bentLeaf(func(l *LeafNode) { l.ParentHash = nil }) }},
	{section: "§7.9.2", name: "a path node exchanged after the leaf was signed", want: ErrInvalid, text: "parent hash",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) { made.path.nodes[2].encryptionKey = f.hpkeKey() })
		}},
	{section: "§5.1", name: "a path node with a key that is none", want: ErrInvalid, text: "public key",
		message: func(f *fixture) []byte {
			return f.bentPath(func(_ *transition, made *createdPath) { made.path.nodes[1].encryptionKey = []byte{1} })
		}},
	{section: "§5.1", name: "a path leaf with a key that nobody can encrypt to", want: ErrInvalid, text: "public key",
		message: func(f *fixture) []byte {
			return f.bentLeaf(func(l *LeafNode) { l.EncryptionKey = make([]byte, 32) })
		}},
	{section: "§12.4.2", name: "a commit beyond the member limit", want: ErrTooManyMembers,
		message: func(f *fixture) []byte {
			f.b.g.limits.MaxMembers = 4
			_, kp, _ := f.newcomer(nil)
			return f.insider(insiderCommit{options: CommitOptions{Add: []*KeyPackage{kp}}})
		}},
	{section: "§11.2", name: "a message after a ReInit", want: ErrReInitialised,
		message: func(f *fixture) []byte {
			f.a.commit(CommitOptions{ReInit: &ReInit{GroupID: []byte("n"), Version: 1, Suite: 1}, NoPath: true}, f.b)
			a := f.app(f.a)
			f.sign(a, f.a)
			k, err := f.a.g.secrets.peek(0, ContentApplication, 0)
			if err != nil {
				f.Fatal(err)
			}
			m, err := sealPrivate(f.p, a, f.a.g.keys.senderData, k, 0)
			if err != nil {
				f.Fatal(err)
			}
			return marshal(&message{private: m})
		}},
	{section: "§12.4.2", name: "a commit by one whom the epoch's commit removed", want: errSenderBlank,
		message: func(f *fixture) []byte {
			f.c.commit(CommitOptions{Remove: []LeafIndex{0}}, f.b, f.e)
			// The removed one knows the old keys; even with the new epoch's
			// membership key its leaf is gone.
			a := f.content(f.c, wirePublicMessage, ContentCommit)
			a.content.sender.index = 0
			a.content.commit = &commit{}
			f.signWith(a, f.a.g.sig, &f.c.g.ctx)
			return marshal(&message{public: sealPublic(f.p, a, f.c.g.keys.membership, &f.c.g.ctx)})
		}},
	{section: "§12.4.2", name: "a commit of the epoch that another has ended", want: ErrWrongEpoch,
		message: func(f *fixture) []byte {
			late := f.insider(insiderCommit{})
			f.c.commit(CommitOptions{}, f.b)
			return late
		}},
}

// sealedForB replaces the path secret that b opens by another, well sealed.
func (f *fixture) sealedForB(bend func([]byte) []byte) []byte {
	return f.bentPath(func(t *transition, made *createdPath) {
		kem, ct, err := f.p.encryptWithLabel(f.a.g.tree.leaf(1).EncryptionKey, updatePathLabel,
			t.provisional(t.tree.rootHash()), bend(clone(made.secrets[forB])))
		if err != nil {
			f.Fatal(err)
		}
		made.path.nodes[forB].secrets[0] = hpkeCiphertext{kem, ct}
	})
}
