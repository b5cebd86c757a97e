package mls

// byReference sends a bent proposal of c's by itself.
func (f *fixture) byReference(from *person, p Proposal) []byte {
	a := f.proposal(from, wirePrivateMessage, p)
	f.sign(a, from)
	return f.private(a, 0)
}

// update makes an Update of c's, bent before it is signed.
func (f *fixture) update(bend func(l *LeafNode)) *LeafNode {
	l := f.c.g.changedLeaf(nil)
	l.EncryptionKey = f.hpkeKey()
	l.Source = LeafFromUpdate
	l.ParentHash, l.Lifetime = nil, Lifetime{}
	if bend != nil {
		bend(l)
	}
	f.resign(l, f.c.g.sig, f.c.g.ctx.groupID, f.c.g.own)
	return l
}

func (f *fixture) hpkeKey() []byte {
	_, pub, err := f.p.generateKeyPair()
	if err != nil {
		f.Fatal(err)
	}
	return pub
}

// committedUpdate has c propose an Update and a commit it.
func (f *fixture) committedUpdate(l *LeafNode) []byte {
	msg := f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: l})
	ref := f.b.read(msg).ProposalRef()
	f.a.read(msg)
	return f.insider(insiderCommit{options: CommitOptions{ByReference: [][]byte{ref}}})
}

func (f *fixture) psk(bend func(id *PSKID)) Proposal {
	id := PSKID{Type: PSKExternal, ID: []byte("k"), Nonce: make([]byte, f.p.nh)}
	if bend != nil {
		bend(&id)
	}
	return Proposal{Type: ProposalPSK, PSK: id}
}

// required is a list of group extensions that asks for capabilities.
func required(r RequiredCapabilities) Proposal {
	return Proposal{Type: ProposalGroupContextExtensions, Extensions: []Extension{r.Extension()}}
}

var wrongProposals = []wrong{
	{section: "§12.1.1", name: "an Add of another suite", want: errAddSuite,
		message: func(f *fixture) []byte {
			p := newPerson(f, X25519_CHACHA20POLY1305_SHA256_Ed25519, "other suite")
			kp, _ := p.keyPackage()
			return f.list(Proposal{Type: ProposalAdd, Add: kp})
		}},
	{section: "§12.1.1", name: "an Add of another protocol version", want: errAddSuite,
		message: func(f *fixture) []byte { return f.added(func(kp *KeyPackage) { kp.Version = 2 }) }},
	{section: "§12.1.1", name: "an Add whose KeyPackage signature is wrong", want: ErrInvalid, text: "§10.1",
		message: func(f *fixture) []byte {
			_, kp, _ := f.newcomer(nil)
			kp.Signature = flip(kp.Signature)
			return f.list(Proposal{Type: ProposalAdd, Add: kp})
		}},
	{section: "§12.1.1", name: "an Add whose leaf signature is wrong", want: ErrInvalid, text: "leaf's signature",
		message: func(f *fixture) []byte {
			_, kp, _ := f.newcomer(nil)
			kp.leaf.Signature = flip(kp.leaf.Signature)
			return f.list(Proposal{Type: ProposalAdd, Add: kp})
		}},
	{section: "§12.1.1", name: "an Add whose leaf comes from an Update", want: ErrInvalid, text: "another source",
		message: func(f *fixture) []byte { return f.added(func(kp *KeyPackage) { kp.leaf.Source = LeafFromUpdate }) }},
	{section: "§12.1.1", name: "an Add whose leaf comes from a commit", want: ErrInvalid, text: "another source",
		message: func(f *fixture) []byte { return f.added(func(kp *KeyPackage) { kp.leaf.Source = LeafFromCommit }) }},
	{section: "§12.1.1", name: "an Add with one key for init and leaf", want: ErrInvalid, text: "are the same",
		message: func(f *fixture) []byte { return f.added(func(kp *KeyPackage) { kp.InitKey = kp.leaf.EncryptionKey }) }},
	{section: "§12.1.1", name: "an Add with an init key that is none", want: ErrInvalid, text: "public key",
		message: func(f *fixture) []byte { return f.added(func(kp *KeyPackage) { kp.InitKey = kp.InitKey[1:] }) }},
	{section: "§12.1.1", name: "an Add with an init key that nobody can encrypt to", want: ErrInvalid, text: "public key",
		message: func(f *fixture) []byte { return f.added(func(kp *KeyPackage) { kp.InitKey = make([]byte, 32) }) }},
	{section: "§12.1.1", name: "an Add whose capabilities lack the version", want: ErrInvalid, text: "lack the version",
		message: func(f *fixture) []byte { return f.added(func(kp *KeyPackage) { kp.leaf.Capabilities.Versions = nil }) }},
	{section: "§12.1.1", name: "an Add whose capabilities lack its credential's type", want: ErrInvalid, text: "its own credential",
		message: func(f *fixture) []byte {
			return f.added(func(kp *KeyPackage) { kp.leaf.Capabilities.Credentials = []uint16{CredentialX509} })
		}},
	{section: "§12.1.1", name: "an Add with a leaf extension that its capabilities lack", want: ErrInvalid, text: "carries an extension",
		message: func(f *fixture) []byte {
			return f.added(func(kp *KeyPackage) { kp.leaf.Extensions = []Extension{{Type: 0xF123}} })
		}},
	{section: "§12.1.1", name: "an Add sent by itself with a wrong signature", want: ErrInvalid, text: "§10.1",
		message: func(f *fixture) []byte {
			_, kp, _ := f.newcomer(nil)
			kp.Signature = flip(kp.Signature)
			return f.byReference(f.a, Proposal{Type: ProposalAdd, Add: kp})
		}},
	{section: "§7.3", name: "an Add with a credential type that members do not support", want: ErrInvalid, text: "credential type",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{Add: []*KeyPackage{f.bent(func(kp *KeyPackage) {
				kp.leaf.Credential = Credential{Type: CredentialX509, Certificates: [][]byte{{1}}}
				kp.leaf.Capabilities.Credentials = []uint16{CredentialBasic, CredentialX509}
			})}}})
		}},
	{section: "§7.3", name: "an Add that does not support the members' credential type", want: ErrInvalid, text: "credential type",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{Add: []*KeyPackage{f.bent(func(kp *KeyPackage) {
				kp.leaf.Credential = Credential{Type: CredentialX509, Certificates: [][]byte{{1}}}
				kp.leaf.Capabilities.Credentials = []uint16{CredentialX509}
			})}}})
		}},
	{section: "§7.3", name: "an Add with a member's encryption key", want: ErrInvalid, text: "same encryption key",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{Add: []*KeyPackage{f.bent(func(kp *KeyPackage) {
				kp.leaf.EncryptionKey = f.c.g.tree.leaf(2).EncryptionKey
			})}}})
		}},
	{section: "§7.3", name: "two Adds with one encryption key", want: ErrInvalid, text: "same encryption key",
		message: func(f *fixture) []byte {
			_, first, _ := f.newcomer(nil)
			return f.insider(insiderCommit{options: CommitOptions{Add: []*KeyPackage{first, f.bent(func(kp *KeyPackage) {
				kp.leaf.EncryptionKey = first.leaf.EncryptionKey
			})}}})
		}},
	{section: "§11.1", name: "an Add that lacks a required capability", want: ErrInvalid, text: "group requires",
		message: func(f *fixture) []byte {
			f.a.commit(CommitOptions{Extensions: required(RequiredCapabilities{Proposals: []uint16{testCustomType}}).Extensions}, f.b, f.c, f.e)
			return f.insider(insiderCommit{options: CommitOptions{Add: []*KeyPackage{f.bent(func(kp *KeyPackage) {
				kp.leaf.Capabilities.Proposals = nil
			})}}})
		}},
	{section: "§13.4", name: "an Add that does not support a group extension", want: ErrInvalid, text: "extension of the GroupContext",
		message: func(f *fixture) []byte {
			for _, p := range []*person{f.a, f.b, f.c, f.e} {
				caps := p.member().Capabilities
				caps.Extensions = append(caps.Extensions, 0xF200)
				others := []*person{}
				for _, q := range []*person{f.a, f.b, f.c, f.e} {
					if q != p {
						others = append(others, q)
					}
				}
				p.commit(CommitOptions{Leaf: &LeafChange{Capabilities: &caps}}, others...)
			}
			f.a.commit(CommitOptions{Extensions: []Extension{{Type: 0xF200, Data: []byte("x")}}}, f.b, f.c, f.e)
			return f.insider(insiderCommit{options: CommitOptions{Add: []*KeyPackage{f.bent(func(*KeyPackage) {})}}})
		}},

	{section: "§12.1.2", name: "an Update whose leaf comes from a KeyPackage", want: errLeafSource,
		message: func(f *fixture) []byte {
			l := f.update(func(l *LeafNode) { l.Source = LeafFromKeyPackage })
			return f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: l})
		}},
	{section: "§12.1.2", name: "an Update whose leaf comes from a commit", want: errLeafSource,
		message: func(f *fixture) []byte {
			l := f.update(func(l *LeafNode) { l.Source = LeafFromCommit })
			return f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: l})
		}},
	{section: "§12.1.2", name: "an Update with the old encryption key", want: errUpdateSameKey,
		message: func(f *fixture) []byte {
			l := f.update(func(l *LeafNode) { l.EncryptionKey = f.c.g.tree.leaf(2).EncryptionKey })
			return f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: l})
		}},
	{section: "§12.1.2", name: "an Update whose leaf signature is wrong", want: ErrInvalid, text: "leaf's signature",
		message: func(f *fixture) []byte {
			l := f.update(nil)
			l.Signature = flip(l.Signature)
			return f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: l})
		}},
	{section: "§12.1.2", name: "an Update signed for another leaf", want: ErrInvalid, text: "leaf's signature",
		message: func(f *fixture) []byte {
			l := f.update(nil)
			f.resign(l, f.c.g.sig, f.c.g.ctx.groupID, 4)
			return f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: l})
		}},
	{section: "§12.1.2", name: "an Update signed for another group", want: ErrInvalid, text: "leaf's signature",
		message: func(f *fixture) []byte {
			l := f.update(nil)
			f.resign(l, f.c.g.sig, []byte("other"), 2)
			return f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: l})
		}},
	{section: "§12.1.2", name: "an Update with an encryption key that is none", want: ErrInvalid, text: "public key",
		message: func(f *fixture) []byte {
			l := f.update(func(l *LeafNode) { l.EncryptionKey = []byte{1, 2, 3} })
			return f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: l})
		}},
	{section: "§12.1.2", name: "an Update whose capabilities lack the suite", want: ErrInvalid, text: "lack the cipher suite",
		message: func(f *fixture) []byte {
			return f.committedUpdate(f.update(func(l *LeafNode) { l.Capabilities.Suites = []uint16{3} }))
		}},
	{section: "§12.1.2", name: "an Update with another member's encryption key", want: ErrInvalid, text: "same encryption key",
		message: func(f *fixture) []byte {
			return f.committedUpdate(f.update(func(l *LeafNode) { l.EncryptionKey = f.e.g.tree.leaf(4).EncryptionKey }))
		}},
	{section: "§12.1.2", name: "an Update with another member's signature key", want: ErrInvalid, text: "same signature key",
		message: func(f *fixture) []byte {
			l := f.update(nil)
			f.resign(l, f.e.g.sig, f.c.g.ctx.groupID, 2) // two members together
			return f.committedUpdate(l)
		}},
	{section: "§12.1.2", name: "an Update that drops a required capability", want: ErrInvalid, text: "group requires",
		message: func(f *fixture) []byte {
			f.a.commit(CommitOptions{Extensions: required(RequiredCapabilities{Proposals: []uint16{testCustomType}}).Extensions}, f.b, f.c, f.e)
			return f.committedUpdate(f.update(func(l *LeafNode) { l.Capabilities.Proposals = nil }))
		}},

	{section: "§12.1.3", name: "a Remove of a blank leaf", want: errRemoveBlank,
		message: func(f *fixture) []byte { return f.list(Proposal{Type: ProposalRemove, Remove: 3}) }},
	{section: "§12.1.3", name: "a Remove of a leaf outside the tree", want: errRemoveBlank,
		message: func(f *fixture) []byte { return f.list(Proposal{Type: ProposalRemove, Remove: 8}) }},
	{section: "§12.1.3", name: "a Remove of the greatest leaf index", want: errRemoveBlank,
		message: func(f *fixture) []byte { return f.list(Proposal{Type: ProposalRemove, Remove: 1<<32 - 1}) }},
	{section: "§12.1.3", name: "a Remove of a blank leaf, sent by itself", want: errRemoveBlank,
		message: func(f *fixture) []byte { return f.byReference(f.a, Proposal{Type: ProposalRemove, Remove: 3}) }},

	{section: "§12.1.4", name: "a PSK with a short nonce", want: errPSKNonce,
		message: func(f *fixture) []byte { return f.list(f.psk(func(id *PSKID) { id.Nonce = id.Nonce[1:] })) }},
	{section: "§12.1.4", name: "a PSK with a long nonce", want: errPSKNonce,
		message: func(f *fixture) []byte { return f.list(f.psk(func(id *PSKID) { id.Nonce = append(id.Nonce, 0) })) }},
	{section: "§12.1.4", name: "a PSK without a nonce", want: errPSKNonce,
		message: func(f *fixture) []byte { return f.list(f.psk(func(id *PSKID) { id.Nonce = nil })) }},
	{section: "§12.1.4", name: "a re-init PSK in a running group", want: errPSKUsageHere,
		message: func(f *fixture) []byte {
			return f.list(f.psk(func(id *PSKID) { id.Type, id.Usage, id.GroupID = PSKResumption, UsageReInit, []byte("group") }))
		}},
	{section: "§12.1.4", name: "a branch PSK in a running group", want: errPSKUsageHere,
		message: func(f *fixture) []byte {
			return f.list(f.psk(func(id *PSKID) { id.Type, id.Usage, id.GroupID = PSKResumption, UsageBranch, []byte("group") }))
		}},
	{section: "§8.4", name: "an unknown kind of PSK", want: errPSKType,
		message: func(f *fixture) []byte { return f.list(f.psk(func(id *PSKID) { id.Type = 3 })) }},
	{section: "§8.4", name: "a kind of PSK of zero", want: errPSKType,
		message: func(f *fixture) []byte { return f.list(f.psk(func(id *PSKID) { id.Type = 0 })) }},
	{section: "§8.4", name: "an unknown use of a resumption PSK", want: errPSKUsage,
		message: func(f *fixture) []byte {
			return f.list(f.psk(func(id *PSKID) { id.Type, id.Usage = PSKResumption, 4 }))
		}},
	{section: "§8.4", name: "a PSK that we do not have", want: ErrPSKUnknown,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{PSKs: []PSK{NewPSK(PSKID{Type: PSKExternal, ID: []byte("k")}, []byte("s"))}}})
		}},
	{section: "§8.4", name: "a PSK of which we have another value", want: errConfirmationTag,
		message: func(f *fixture) []byte {
			id := PSKID{Type: PSKExternal, ID: []byte("k")}
			f.victimOptions = []Option{WithPSKs(NewPSK(id, []byte("ours")))}
			return f.insider(insiderCommit{options: CommitOptions{PSKs: []PSK{NewPSK(id, []byte("theirs"))}}})
		}},
	{section: "§8.6", name: "a resumption PSK of an epoch that we do not keep", want: ErrPSKUnknown,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{PSKs: []PSK{NewPSK(PSKID{Type: PSKResumption, Usage: UsageApplication,
				GroupID: []byte("group"), Epoch: 77}, []byte("s"))}}})
		}},

	{section: "§12.1.5", name: "a ReInit to an older version", want: errReInitVersion,
		message: func(f *fixture) []byte {
			return f.list(Proposal{Type: ProposalReInit, ReInit: &ReInit{GroupID: []byte("n"), Version: 0, Suite: 1}})
		}},
	{section: "§12.1.6", name: "an ExternalInit by value from a member", want: errExternalInitHere,
		message: func(f *fixture) []byte { return f.list(Proposal{Type: ProposalExternalInit, KEMOutput: f.hpkeKey()}) }},
	{section: "§12.1.6", name: "an ExternalInit sent by itself by a member", want: errExternalInitHere,
		message: func(f *fixture) []byte {
			return f.byReference(f.a, Proposal{Type: ProposalExternalInit, KEMOutput: f.hpkeKey()})
		}},
	{section: "§12.1.7", name: "required proposals that a member does not support", want: ErrInvalid, text: "group requires",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{Extensions: required(RequiredCapabilities{Proposals: []uint16{0xF333}}).Extensions}})
		}},
	{section: "§12.1.7", name: "required extensions that a member does not support", want: ErrInvalid, text: "group requires",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{Extensions: required(RequiredCapabilities{Extensions: []uint16{0xF333}}).Extensions}})
		}},
	{section: "§12.1.7", name: "required credentials that a member does not support", want: ErrInvalid, text: "group requires",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{Extensions: required(RequiredCapabilities{Credentials: []uint16{0xF333}}).Extensions}})
		}},
	{section: "§12.1.7", name: "a group extension that members do not support", want: ErrInvalid, text: "extension of the GroupContext",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{Extensions: []Extension{{Type: 0xF333}}}})
		}},
	{section: "§12.1.7", name: "malformed required capabilities", want: ErrInvalid, text: "§2.1",
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{Extensions: []Extension{{Type: ExtensionRequiredCapabilities, Data: []byte{5}}}}})
		}},
	{section: "§12.1.8.1", name: "a malformed list of external senders", want: errExtensionsForm,
		message: func(f *fixture) []byte {
			return f.insider(insiderCommit{options: CommitOptions{Extensions: []Extension{{Type: ExtensionExternalSenders, Data: []byte{5}}}}})
		}},
	{section: "§13.4", name: "one extension type twice in the new list", want: ErrInvalid, text: "twice",
		message: func(f *fixture) []byte {
			x := Extension{Type: ExtensionExternalSenders, Data: []byte{0}}
			return f.list(Proposal{Type: ProposalGroupContextExtensions, Extensions: []Extension{x, x}})
		}},

	{section: "§12.2", name: "a proposal of type zero", want: errProposalType,
		message: func(f *fixture) []byte { return f.list(Proposal{Type: 0}) }},
	{section: "§12.2", name: "a custom proposal that one member does not support", want: errCustomSupport,
		message: func(f *fixture) []byte {
			caps := DefaultCapabilities()
			f.c.commit(CommitOptions{Leaf: &LeafChange{Capabilities: &caps}}, f.a, f.b, f.e)
			return f.list(Proposal{Type: testCustomType, Custom: []byte("x")})
		}},
	{section: "§12.2", name: "a custom proposal that nobody supports, sent by itself", want: errCustomSupport,
		message: func(f *fixture) []byte { return f.byReference(f.a, Proposal{Type: 0xF0BB}) }},
	{section: "§12.2", name: "the committer's own Update by value", want: errCommitOwnUpdate,
		message: func(f *fixture) []byte {
			l := f.a.g.changedLeaf(nil)
			l.EncryptionKey, l.Source, l.ParentHash = f.hpkeKey(), LeafFromUpdate, nil
			f.resign(l, f.a.g.sig, f.a.g.ctx.groupID, 0)
			return f.list(Proposal{Type: ProposalUpdate, Update: l})
		}},
	{section: "§12.2", name: "the committer's own Update by reference", want: errCommitOwnUpdate,
		message: func(f *fixture) []byte {
			msg, ref, err := f.a.g.ProposeUpdate(ProposeOptions{})
			if err != nil {
				f.Fatal(err)
			}
			f.b.read(msg)
			return f.refs(proposalOrRef{ref: ref})
		}},
	{section: "§12.2", name: "a Remove of the committer", want: errCommitRemovesSelf,
		message: func(f *fixture) []byte { return f.list(Proposal{Type: ProposalRemove, Remove: 0}) }},
	{section: "§12.2", name: "two Removes of one leaf", want: errCommitSameLeaf,
		message: func(f *fixture) []byte {
			return f.list(Proposal{Type: ProposalRemove, Remove: 2}, Proposal{Type: ProposalRemove, Remove: 2})
		}},
	{section: "§12.2", name: "an Update and a Remove of one leaf", want: errCommitSameLeaf,
		message: func(f *fixture) []byte {
			ref := f.b.read(f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: f.update(nil)})).ProposalRef()
			return f.refs(proposalOrRef{ref: ref}, proposalOrRef{proposal: &Proposal{Type: ProposalRemove, Remove: 2}})
		}},
	{section: "§12.2", name: "two Updates of one leaf", want: errCommitSameLeaf,
		message: func(f *fixture) []byte {
			one := f.byReference(f.c, Proposal{Type: ProposalUpdate, Update: f.update(nil)})
			a := f.proposal(f.c, wirePrivateMessage, Proposal{Type: ProposalUpdate, Update: f.update(nil)})
			f.sign(a, f.c)
			two := f.private(a, 1)
			return f.refs(proposalOrRef{ref: f.b.read(one).ProposalRef()}, proposalOrRef{ref: f.b.read(two).ProposalRef()})
		}},
	{section: "§12.2", name: "two Adds of one client", want: errCommitSameClient,
		message: func(f *fixture) []byte {
			j, one, _ := f.newcomer(nil)
			two, _ := j.keyPackage()
			return f.list(Proposal{Type: ProposalAdd, Add: one}, Proposal{Type: ProposalAdd, Add: two})
		}},
	{section: "§12.2", name: "one Add twice", want: errCommitSameClient,
		message: func(f *fixture) []byte {
			_, kp, _ := f.newcomer(nil)
			return f.list(Proposal{Type: ProposalAdd, Add: kp}, Proposal{Type: ProposalAdd, Add: kp})
		}},
	{section: "§12.2", name: "an Add of a member", want: errCommitClientPresent,
		message: func(f *fixture) []byte {
			kp, _ := f.c.keyPackage()
			return f.list(Proposal{Type: ProposalAdd, Add: kp})
		}},
	{section: "§12.2", name: "an Add of a member beside the Remove of another", want: errCommitClientPresent,
		message: func(f *fixture) []byte {
			kp, _ := f.c.keyPackage()
			return f.list(Proposal{Type: ProposalRemove, Remove: 4}, Proposal{Type: ProposalAdd, Add: kp})
		}},
	{section: "§12.2", name: "one PreSharedKeyID twice", want: errCommitSamePSK,
		message: func(f *fixture) []byte { return f.list(f.psk(nil), f.psk(nil)) }},
	{section: "§12.2", name: "two GroupContextExtensions", want: errCommitTwoExtensions,
		message: func(f *fixture) []byte {
			p := Proposal{Type: ProposalGroupContextExtensions}
			return f.list(p, p)
		}},
	{section: "§12.2", name: "a ReInit beside an Add", want: errCommitReInitAlone,
		message: func(f *fixture) []byte {
			_, kp, _ := f.newcomer(nil)
			return f.list(Proposal{Type: ProposalReInit, ReInit: &ReInit{Version: 1, Suite: 1}}, Proposal{Type: ProposalAdd, Add: kp})
		}},
	{section: "§12.2", name: "two ReInits", want: errCommitReInitAlone,
		message: func(f *fixture) []byte {
			p := Proposal{Type: ProposalReInit, ReInit: &ReInit{Version: 1, Suite: 1}}
			return f.list(p, p)
		}},
	{section: "§12.2", name: "a ReInit beside a custom proposal", want: errCommitReInitAlone,
		message: func(f *fixture) []byte {
			return f.list(Proposal{Type: ProposalReInit, ReInit: &ReInit{Version: 1, Suite: 1}}, Proposal{Type: testCustomType})
		}},
}

// bent is a KeyPackage that was bent and signed again.
func (f *fixture) bent(bend func(kp *KeyPackage)) *KeyPackage {
	_, kp, _ := f.newcomer(bend)
	return kp
}
