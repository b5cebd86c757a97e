package mls

// outsiderCommit bends an external commit while it is made. All hooks may be nil.
type outsiderCommit struct {
	proposals []Proposal // instead of the one ExternalInit; a nil KEMOutput is filled in
	refs      []proposalOrRef
	remove    *LeafIndex
	leaf      func(l *LeafNode)
	path      func(t *transition, made *createdPath, key *SignatureKey)
	noPath    bool
	key       *SignatureKey // the joiner's
	signer    *SignatureKey // signs the content in the joiner's place
	tag       func([]byte) []byte
	after     func(a *authenticatedContent)
	init      func([]byte) []byte // the init secret that the joiner goes on with
}

func (f *fixture) outsider(h outsiderCommit) []byte {
	f.Helper()
	must := func(err error) {
		f.Helper()
		if err != nil {
			f.Fatal(err)
		}
	}
	raw, err := f.a.g.GroupInfo(true, true)
	must(err)
	info, err := ParseGroupInfo(raw)
	must(err)
	j := newPerson(f, f.suite, "outsider")
	if h.key != nil {
		j.key = h.key
	}
	base, err := externalBase(f.p, info, j.member(), &ExternalOptions{Limits: openLimits})
	must(err)
	kem, initSecret, err := externalInit(f.p, info)
	must(err)
	c := new(commit)
	add := func(p Proposal) { c.proposals = append(c.proposals, proposalOrRef{proposal: &p}) }
	add(Proposal{Type: ProposalExternalInit, KEMOutput: kem})
	if h.remove != nil {
		add(Proposal{Type: ProposalRemove, Remove: *h.remove})
	}
	from := sender{kind: senderNewMemberCommit}
	list, err := base.resolve(c, from)
	must(err)
	leaf := j.member()
	l := leaf.newLeaf(LeafFromCommit)
	if h.leaf != nil {
		h.leaf(l)
	}
	t, err := base.begin(list, from, l, false)
	must(err)
	made, err := t.tree.createPath(t.committer, l, base.sig, t.ctx.groupID, nil, t.provisional)
	must(err)
	if h.path != nil {
		h.path(t, made, base.sig)
	}
	c.path, t.priv, t.own = made.path, made.keys, t.committer
	if h.noPath {
		c.path = nil
	}
	if h.proposals != nil || h.refs != nil {
		c.proposals = nil
		for _, p := range h.proposals {
			if p.Type == ProposalExternalInit && p.KEMOutput == nil {
				p.KEMOutput = kem
			}
			add(p)
		}
		c.proposals = append(c.proposals, h.refs...)
	}
	a := f.content(f.a, wirePublicMessage, ContentCommit)
	a.content.sender = from
	a.content.commit = c
	if h.after != nil {
		h.after(a)
	}
	signer := base.sig
	if h.signer != nil {
		signer = h.signer
	}
	f.signWith(a, signer, &info.context)
	if h.init != nil {
		initSecret = h.init(initSecret)
	}
	sch, err := t.finish(a, initSecret, clone(made.commitSecret), nil)
	must(err)
	a.auth.confirmationTag = sch.confirm
	if h.tag != nil {
		a.auth.confirmationTag = h.tag(sch.confirm)
	}
	return marshal(&message{public: &publicMessage{content: a.content, auth: a.auth}})
}

func outsider(h outsiderCommit) func(f *fixture) []byte {
	return func(f *fixture) []byte { return f.outsider(h) }
}

var externalInitProposal = Proposal{Type: ProposalExternalInit}

// groupInfoFor lets an outsider try to join by a bent GroupInfo.
func groupInfoFor(withKey bool, bend func(f *fixture, i *GroupInfo), sign bool, o ExternalOptions) func(f *fixture) error {
	return func(f *fixture) error {
		raw, err := f.a.g.GroupInfo(withKey, true)
		if err != nil {
			f.Fatal(err)
		}
		info, err := ParseGroupInfo(raw)
		if err != nil {
			f.Fatal(err)
		}
		bend(f, info)
		if sign {
			if err := info.sign(f.p, f.a.g.sig); err != nil {
				f.Fatal(err)
			}
		}
		_, _, err = JoinExternally(info.Marshal(), newPerson(f, f.suite, "outsider").member(), Lifetime{}, o)
		return err
	}
}

// closed turns everything optional off for the victim.
func closed(make func(f *fixture) []byte) func(f *fixture) []byte {
	return func(f *fixture) []byte {
		b := make(f)
		f.b.g.limits = Limits{}
		return b
	}
}

var wrongExternal = []wrong{
	{section: "§12.4.3.2", name: "an external commit where they are off", want: ErrNotAllowed,
		message: closed(outsider(outsiderCommit{}))},
	{section: "§12.1.8", name: "an external sender's proposal where they are off", want: ErrNotAllowed,
		message: closed(func(f *fixture) []byte {
			return f.outside(sender{senderExternal, 0}, ContentProposal, &Proposal{Type: ProposalRemove, Remove: 2}, f.external)
		})},
	{section: "§12.1.8", name: "a request to join where they are off", want: ErrNotAllowed,
		message: closed(func(f *fixture) []byte {
			j, kp, _ := f.newcomer(nil)
			return f.outside(sender{kind: senderNewMemberProposal}, ContentProposal, &Proposal{Type: ProposalAdd, Add: kp}, j.key)
		})},
	{section: "§12.4", name: "a member's proposal by itself where they are off", want: ErrNotAllowed,
		message: closed(func(f *fixture) []byte { return f.byReference(f.c, Proposal{Type: ProposalRemove, Remove: 4}) })},
	{section: "§12.4", name: "a reference in a commit where they are off", want: ErrNotAllowed,
		message: closed(func(f *fixture) []byte {
			ref := f.b.read(f.byReference(f.c, Proposal{Type: ProposalRemove, Remove: 4})).ProposalRef()
			return f.refs(proposalOrRef{ref: ref})
		})},

	{section: "§6", name: "application data from an external sender", want: errSenderContent,
		message: func(f *fixture) []byte {
			return f.outside(sender{senderExternal, 0}, ContentApplication, nil, f.external)
		}},
	{section: "§6", name: "a commit from an external sender", want: errSenderContent,
		message: func(f *fixture) []byte {
			return f.outside(sender{senderExternal, 0}, ContentCommit, nil, f.external)
		}},
	{section: "§6", name: "a commit from one who asks to join", want: errSenderContent,
		message: func(f *fixture) []byte {
			return f.outside(sender{kind: senderNewMemberProposal}, ContentCommit, nil, f.external)
		}},
	{section: "§6", name: "a proposal from one who joins by commit", want: errSenderContent,
		message: func(f *fixture) []byte {
			return f.outside(sender{kind: senderNewMemberCommit}, ContentProposal, &Proposal{Type: ProposalRemove, Remove: 2}, f.external)
		}},
	{section: "§6", name: "application data from one who joins by commit", want: errSenderContent,
		message: func(f *fixture) []byte {
			return f.outside(sender{kind: senderNewMemberCommit}, ContentApplication, nil, f.external)
		}},
	{section: "§12.1.8", name: "a Remove from one who asks to join", want: errExternalProposal,
		message: func(f *fixture) []byte {
			return f.outside(sender{kind: senderNewMemberProposal}, ContentProposal, &Proposal{Type: ProposalRemove, Remove: 2}, f.external)
		}},
	{section: "§12.1.8", name: "a custom proposal from one who asks to join", want: errExternalProposal,
		message: func(f *fixture) []byte {
			return f.outside(sender{kind: senderNewMemberProposal}, ContentProposal, &Proposal{Type: testCustomType}, f.external)
		}},
	{section: "§12.1.8", name: "an Update from an external sender", want: errExternalProposal,
		message: func(f *fixture) []byte {
			return f.outside(sender{senderExternal, 0}, ContentProposal, &Proposal{Type: ProposalUpdate, Update: f.update(nil)}, f.external)
		}},
	{section: "§12.1.8", name: "an ExternalInit from an external sender", want: errExternalProposal,
		message: func(f *fixture) []byte {
			return f.outside(sender{senderExternal, 0}, ContentProposal, &Proposal{Type: ProposalExternalInit, KEMOutput: f.hpkeKey()}, f.external)
		}},
	{section: "§12.1.8.1", name: "an external sender beyond the list", want: errExternalSender,
		message: func(f *fixture) []byte {
			return f.outside(sender{senderExternal, 1}, ContentProposal, &Proposal{Type: ProposalRemove, Remove: 2}, f.external)
		}},
	{section: "§12.1.8.1", name: "the greatest external sender index", want: errExternalSender,
		message: func(f *fixture) []byte {
			return f.outside(sender{senderExternal, 1<<32 - 1}, ContentProposal, &Proposal{Type: ProposalRemove, Remove: 2}, f.external)
		}},
	{section: "§12.1.8.1", name: "an external sender in a group without any", want: errExternalSender,
		message: func(f *fixture) []byte {
			f.a.commit(CommitOptions{ClearExtensions: true}, f.b)
			return f.outside(sender{senderExternal, 0}, ContentProposal, &Proposal{Type: ProposalRemove, Remove: 2}, f.external)
		}},
	{section: "§12.1.8.1", name: "an external sender's wrong signature", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			return f.outside(sender{senderExternal, 0}, ContentProposal, &Proposal{Type: ProposalRemove, Remove: 2}, f.a.key)
		}},
	{section: "§12.1.8", name: "a request to join signed by another", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			_, kp, _ := f.newcomer(nil)
			return f.outside(sender{kind: senderNewMemberProposal}, ContentProposal, &Proposal{Type: ProposalAdd, Add: kp}, f.external)
		}},
	{section: "§12.1.8", name: "a request to join with a bad KeyPackage", want: ErrInvalid, text: "§10.1",
		message: func(f *fixture) []byte {
			j, kp, _ := f.newcomer(nil)
			kp.Signature = flip(kp.Signature)
			return f.outside(sender{kind: senderNewMemberProposal}, ContentProposal, &Proposal{Type: ProposalAdd, Add: kp}, j.key)
		}},
	{section: "§12.1.8", name: "a Remove of a blank leaf by an external sender", want: errRemoveBlank,
		message: func(f *fixture) []byte {
			return f.outside(sender{senderExternal, 0}, ContentProposal, &Proposal{Type: ProposalRemove, Remove: 3}, f.external)
		}},

	{section: "§12.4.3.2", name: "an external commit without a path", want: errExternalPath,
		message: outsider(outsiderCommit{noPath: true})},
	{section: "§12.4.3.2", name: "an external commit with a reference", want: errExternalReference,
		message: outsider(outsiderCommit{proposals: []Proposal{externalInitProposal}, refs: []proposalOrRef{{ref: make([]byte, 32)}}})},
	{section: "§12.4.3.2", name: "an external commit with a reference to a good proposal", want: errExternalReference,
		message: func(f *fixture) []byte {
			ref := f.b.read(f.byReference(f.c, Proposal{Type: ProposalRemove, Remove: 4})).ProposalRef()
			return f.outsider(outsiderCommit{proposals: []Proposal{externalInitProposal}, refs: []proposalOrRef{{ref: ref}}})
		}},
	{section: "§12.2", name: "an external commit without ExternalInit", want: errExternalInitCount,
		message: outsider(outsiderCommit{proposals: []Proposal{{Type: ProposalRemove, Remove: 2}}})},
	{section: "§12.2", name: "an external commit without proposals", want: errExternalInitCount,
		message: outsider(outsiderCommit{proposals: []Proposal{}, refs: []proposalOrRef{}})},
	{section: "§12.2", name: "an external commit with two ExternalInits", want: errExternalInitCount,
		message: outsider(outsiderCommit{proposals: []Proposal{externalInitProposal, externalInitProposal}})},
	{section: "§12.2", name: "an external commit with two Removes", want: errExternalRemoves,
		message: outsider(outsiderCommit{proposals: []Proposal{externalInitProposal, {Type: ProposalRemove, Remove: 2}, {Type: ProposalRemove, Remove: 4}}})},
	{section: "§12.2", name: "an external commit with an Add", want: errExternalKind,
		message: func(f *fixture) []byte {
			_, kp, _ := f.newcomer(nil)
			return f.outsider(outsiderCommit{proposals: []Proposal{externalInitProposal, {Type: ProposalAdd, Add: kp}}})
		}},
	{section: "§12.2", name: "an external commit with an Update", want: errUpdateSender,
		message: func(f *fixture) []byte {
			return f.outsider(outsiderCommit{proposals: []Proposal{externalInitProposal, {Type: ProposalUpdate, Update: f.update(nil)}}})
		}},
	{section: "§12.2", name: "an external commit with a ReInit", want: errExternalKind,
		message: outsider(outsiderCommit{proposals: []Proposal{externalInitProposal, {Type: ProposalReInit, ReInit: &ReInit{Version: 1, Suite: 1}}}})},
	{section: "§12.2", name: "an external commit with GroupContextExtensions", want: errExternalKind,
		message: outsider(outsiderCommit{proposals: []Proposal{externalInitProposal, {Type: ProposalGroupContextExtensions}}})},
	{section: "§12.2", name: "an external commit with a custom proposal", want: errExternalKind,
		message: outsider(outsiderCommit{proposals: []Proposal{externalInitProposal, {Type: testCustomType}}})},
	{section: "§12.2", name: "an external commit with a re-init PSK", want: errPSKUsageHere,
		message: func(f *fixture) []byte {
			return f.outsider(outsiderCommit{proposals: []Proposal{externalInitProposal, f.psk(func(id *PSKID) {
				id.Type, id.Usage = PSKResumption, UsageReInit
			})}})
		}},
	{section: "§12.2", name: "an external commit with a Remove of a blank leaf", want: errRemoveBlank,
		message: outsider(outsiderCommit{proposals: []Proposal{externalInitProposal, {Type: ProposalRemove, Remove: 3}}})},
	{section: "§12.2", name: "an external commit whose leaf keeps the removed leaf's encryption key", want: errExternalRemove,
		message: func(f *fixture) []byte {
			two := LeafIndex(2)
			return f.outsider(outsiderCommit{remove: &two, path: func(t *transition, made *createdPath, key *SignatureKey) {
				made.path.leaf.EncryptionKey = f.c.g.tree.leaf(2).EncryptionKey
				f.resign(made.path.leaf, key, t.ctx.groupID, t.committer)
			}})
		}},
	{section: "§12.4.3.2", name: "an external commit with a KEM output that is none", want: ErrDecrypt,
		message: outsider(outsiderCommit{proposals: []Proposal{{Type: ProposalExternalInit, KEMOutput: []byte{1, 2}}}})},
	{section: "§8.3", name: "an external commit with another init secret", want: errConfirmationTag,
		message: outsider(outsiderCommit{init: flip})},
	{section: "§8.3", name: "an external commit from the group's own init secret", want: errConfirmationTag,
		message: func(f *fixture) []byte {
			return f.outsider(outsiderCommit{init: func([]byte) []byte { return f.a.g.keys.init }})
		}},
	{section: "§12.4.3.2", name: "an external commit with a wrong confirmation tag", want: errConfirmationTag,
		message: outsider(outsiderCommit{tag: flip})},
	{section: "§12.4.3.2", name: "an external commit signed by another than its leaf", want: ErrDecrypt,
		message: func(f *fixture) []byte { return f.outsider(outsiderCommit{signer: f.a.key}) }},
	{section: "§7.3", name: "an external commit whose leaf comes from a KeyPackage", want: ErrInvalid, text: "another source",
		message: func(f *fixture) []byte {
			return f.outsider(outsiderCommit{path: func(t *transition, made *createdPath, key *SignatureKey) {
				made.path.leaf.Source = LeafFromKeyPackage
				f.resign(made.path.leaf, key, t.ctx.groupID, t.committer)
			}})
		}},
	{section: "§7.3", name: "an external commit whose leaf is signed for another place", want: ErrInvalid, text: "leaf's signature",
		message: func(f *fixture) []byte {
			return f.outsider(outsiderCommit{path: func(t *transition, made *createdPath, key *SignatureKey) {
				f.resign(made.path.leaf, key, t.ctx.groupID, t.committer+1)
			}})
		}},
	{section: "§7.3", name: "an external commit with a member's signature key", want: ErrInvalid, text: "same signature key",
		message: func(f *fixture) []byte { return f.outsider(outsiderCommit{key: f.c.key}) }},
	{section: "§7.3", name: "an external commit whose leaf lacks the suite", want: ErrInvalid, text: "lack the cipher suite",
		message: outsider(outsiderCommit{leaf: func(l *LeafNode) { l.Capabilities.Suites = []uint16{3} }})},
	{section: "§11.1", name: "an external commit whose leaf lacks what the group requires", want: ErrInvalid, text: "group requires",
		message: func(f *fixture) []byte {
			f.a.commit(CommitOptions{Extensions: required(RequiredCapabilities{Proposals: []uint16{testCustomType}}).Extensions}, f.b, f.c, f.e)
			return f.outsider(outsiderCommit{leaf: func(l *LeafNode) { l.Capabilities.Proposals = nil }})
		}},
	{section: "§12.4.3.2", name: "an external commit of an earlier epoch", want: ErrWrongEpoch,
		message: func(f *fixture) []byte {
			b := f.outsider(outsiderCommit{})
			f.a.commit(CommitOptions{}, f.b)
			return b
		}},
	{section: "§12.4.3.2", name: "an external commit beyond the member limit", want: ErrTooManyMembers,
		message: func(f *fixture) []byte { f.b.g.limits.MaxMembers = 4; return f.outsider(outsiderCommit{}) }},

	{section: "§12.4.3.2", name: "a GroupInfo without an external key", want: errExternalPub,
		attempt: groupInfoFor(false, func(*fixture, *GroupInfo) {}, true, ExternalOptions{})},
	{section: "§12.4.3.2", name: "a GroupInfo with a malformed external key", want: errExternalPub,
		attempt: groupInfoFor(false, func(_ *fixture, i *GroupInfo) {
			i.extensions = append(i.extensions, Extension{Type: ExtensionExternalPub, Data: []byte{9, 9}})
		}, true, ExternalOptions{})},
	{section: "§12.4.3.2", name: "a GroupInfo with bytes after its external key", want: errExternalPub,
		attempt: groupInfoFor(true, func(_ *fixture, i *GroupInfo) {
			last := &i.extensions[len(i.extensions)-1]
			last.Data = append(last.Data, 0)
		}, true, ExternalOptions{})},
	{section: "§12.4.3.2", name: "a GroupInfo with an external key that is none", want: errExternalPub,
		attempt: groupInfoFor(false, func(_ *fixture, i *GroupInfo) {
			i.extensions = append(i.extensions, Extension{Type: ExtensionExternalPub, Data: []byte{2, 9, 9}})
		}, true, ExternalOptions{})},
	{section: "§12.4.3", name: "a GroupInfo for joining whose signature is wrong", want: errGroupInfoSignature,
		attempt: groupInfoFor(true, func(_ *fixture, i *GroupInfo) { i.signature = flip(i.signature) }, false, ExternalOptions{})},
	{section: "§12.4.3", name: "a GroupInfo for joining signed by a blank leaf", want: errWelcomeSigner,
		attempt: groupInfoFor(true, func(_ *fixture, i *GroupInfo) { i.signer = 3 }, true, ExternalOptions{})},
	{section: "§12.4.3", name: "a GroupInfo for joining without a tree", want: errWelcomeTree,
		attempt: groupInfoFor(true, func(_ *fixture, i *GroupInfo) {
			i.extensions = i.extensions[1:]
		}, true, ExternalOptions{})},
	{section: "§12.4.3", name: "a GroupInfo for joining with another tree hash", want: errWelcomeTreeHash,
		attempt: groupInfoFor(true, func(_ *fixture, i *GroupInfo) { i.context.treeHash = flip(i.context.treeHash) }, true, ExternalOptions{})},
	{section: "§12.4.3", name: "a GroupInfo for joining with another group's id", want: ErrInvalid, text: "leaf's signature",
		attempt: groupInfoFor(true, func(_ *fixture, i *GroupInfo) { i.context.groupID = []byte("other") }, true, ExternalOptions{})},
}
