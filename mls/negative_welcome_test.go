package mls

// invitation bends a Welcome from a to a newcomer while it is made. All hooks
// may be nil.
type invitation struct {
	config  func(o *CommitOptions)
	context func(next *Group)                // before the GroupInfo is made of it
	info    func(i *GroupInfo)               // before its signature
	signer  *SignatureKey                    // signs the GroupInfo in a's place
	signed  func(i *GroupInfo)               // after its signature
	secrets func(s *groupSecrets)            // before they are sealed
	plain   func([]byte) []byte              // the encoded secrets
	body    func([]byte) []byte              // the encoded GroupInfo
	welcome func(w *welcome)                 // the whole
	tree    func(t *ratchetTree) []byte      // what goes beside it
	forged  func(t *ratchetTree)             // the tree, before its hash goes into the context
	options func(o *JoinOptions)             // the joiner's
	keys    func(kp *KeyPackage) *KeyPackage // the joiner's KeyPackage
	from    *Group                           // the group invited to, instead of a's
}

// join invites a newcomer and lets it try.
func (f *fixture) join(h invitation) (*Group, error) {
	f.Helper()
	must := func(err error) {
		f.Helper()
		if err != nil {
			f.Fatal(err)
		}
	}
	g := f.a.g
	if h.from != nil {
		g = h.from
	}
	_, kp, secrets := f.newcomer(nil)
	o := CommitOptions{Add: []*KeyPackage{kp}}
	if h.config != nil {
		h.config(&o)
	}
	c, list, err := g.commitProposals(&o)
	must(err)
	t, err := g.begin(list, sender{senderMember, uint32(g.own)}, nil, g.ctx.epoch == 0)
	must(err)
	made, err := t.tree.createPath(g.own, g.changedLeaf(nil), g.sig, g.ctx.groupID, t.added, t.provisional)
	must(err)
	c.path, t.priv = made.path, made.keys
	if h.forged != nil {
		h.forged(t.tree)
	}
	a := g.frame(wirePublicMessage, nil)
	a.content.contentType, a.content.commit = ContentCommit, c
	f.signWith(a, g.sig, &g.ctx)
	sch, err := t.finish(a, g.keys.init, clone(made.commitSecret), g.psks(o.PSKs))
	must(err)
	if h.context != nil {
		h.context(sch.next)
		// An insider has the new keys follow from the bent context.
		keys, enc := newEpochKeys(f.p, sch.joiner, sch.psk, marshal(&sch.next.ctx))
		sch.next.enter(keys, enc)
	}
	info, err := sch.next.groupInfo(false, false, nil)
	must(err)
	if h.info != nil {
		h.info(info)
	}
	signer := g.sig
	if h.signer != nil {
		signer = h.signer
	}
	must(info.sign(f.p, signer))
	if h.signed != nil {
		h.signed(info)
	}
	ws := welcomeSecret(f.p, sch.joiner, sch.psk)
	body := marshal(info)
	if h.body != nil {
		body = h.body(body)
	}
	key, nonce := welcomeKey(f.p, ws)
	w := &welcome{suite: g.ctx.suite, info: f.p.seal(key, nonce, nil, body)}
	gs := &groupSecrets{joiner: sch.joiner, psks: sch.ids, pathSecret: clone(made.secretFor(t.added[0]))}
	if h.secrets != nil {
		h.secrets(gs)
	}
	plain := marshal(gs)
	if h.plain != nil {
		plain = h.plain(plain)
	}
	kem, ct, err := f.p.encryptWithLabel(kp.InitKey, "Welcome", w.info, plain)
	must(err)
	w.secrets = []encryptedGroupSecrets{{kp.Ref(), kem, ct}}
	if h.welcome != nil {
		h.welcome(w)
	}
	jo := JoinOptions{RatchetTree: t.tree.marshal()}
	if h.tree != nil {
		jo.RatchetTree = h.tree(t.tree.clone())
	}
	if h.options != nil {
		h.options(&jo)
	}
	if h.keys != nil {
		kp = h.keys(kp)
	}
	f.mark()
	joined, _, err := Join(marshal(&message{welcome: w}), kp, secrets, jo)
	return joined, err
}

// invited makes a row's attempt.
func invited(h invitation) func(f *fixture) error {
	return func(f *fixture) error { _, err := f.join(h); return err }
}

// invitedBy is for hooks that need the fixture.
func invitedBy(make func(f *fixture) invitation) func(f *fixture) error {
	return func(f *fixture) error { _, err := f.join(make(f)); return err }
}

// forgedTree exchanges a leaf of the tree that the GroupInfo names.
func forgedLeaf(i LeafIndex, bend func(f *fixture, l *LeafNode)) func(f *fixture) error {
	return invitedBy(func(f *fixture) invitation {
		return invitation{forged: func(t *ratchetTree) {
			l := t.leaf(i).copy()
			bend(f, l)
			t.setLeaf(i, l)
		}}
	})
}

// successor starts the group that follows another, with a PSK bound to it.
func (f *fixture) successor(suite Suite, id []byte, exts []Extension) *Group {
	f.Helper()
	first := newPerson(f, suite, "p0")
	g, err := NewGroup(GroupConfig{Suite: suite, GroupID: id, Extensions: exts}, first.member(), Lifetime{})
	if err != nil {
		f.Fatal(err)
	}
	return g
}

// afterReInit is a Welcome to a group said to follow by a ReInit of b's group.
func afterReInit(want *ReInit, suite Suite, id []byte, bend func(h *invitation)) func(f *fixture) error {
	return invitedBy(func(f *fixture) invitation {
		if want != nil {
			f.a.commit(CommitOptions{ReInit: want, NoPath: true}, f.b)
		}
		psk := f.b.g.ResumptionPSK(UsageReInit)
		h := invitation{from: f.successor(suite, id, nil),
			config:  func(o *CommitOptions) { o.PSKs = []PSK{psk} },
			options: func(o *JoinOptions) { o.Parent = f.b.g }}
		if bend != nil {
			bend(&h)
		}
		return h
	})
}

var wrongWelcomes = []wrong{
	{section: "§12.4.3.1", name: "a commit where a Welcome is expected", want: errWireFormat,
		attempt: func(f *fixture) error {
			_, kp, secrets := f.newcomer(nil)
			_, _, err := Join(f.insider(insiderCommit{}), kp, secrets, JoinOptions{})
			return err
		}},
	{section: "§12.4.3.1", name: "a Welcome without secrets for us", want: ErrNotForUs,
		attempt: invited(invitation{welcome: func(w *welcome) { w.secrets[0].newMember = flip(w.secrets[0].newMember) }})},
	{section: "§12.4.3.1", name: "a Welcome without any secrets", want: ErrNotForUs,
		attempt: invited(invitation{welcome: func(w *welcome) { w.secrets = nil }})},
	{section: "§12.4.3.1", name: "a Welcome with two entries for us", want: errWelcomeTwice,
		attempt: invited(invitation{welcome: func(w *welcome) { w.secrets = append(w.secrets, w.secrets[0]) }})},
	{section: "§12.4.3.1", name: "a Welcome read with another KeyPackage's keys", want: ErrNotForUs,
		attempt: invitedBy(func(f *fixture) invitation {
			return invitation{keys: func(*KeyPackage) *KeyPackage { _, kp, _ := f.newcomer(nil); return kp }}
		})},
	{section: "§12.4.3.1", name: "a Welcome for us read with another's private keys", want: ErrNotForUs,
		attempt: func(f *fixture) error {
			_, kp, _ := f.newcomer(nil)
			_, _, others := f.newcomer(nil)
			pc, err := f.a.g.Commit(CommitOptions{Add: []*KeyPackage{kp}})
			if err != nil {
				f.Fatal(err)
			}
			_, _, err = Join(pc.WelcomeAll(), kp, others, JoinOptions{RatchetTree: pc.RatchetTree()})
			return err
		}},
	{section: "§12.4.3.1", name: "a Welcome of another suite than the KeyPackage's", want: errWelcomeSuite,
		attempt: invited(invitation{welcome: func(w *welcome) { w.suite = 3 }})},
	{section: "§12.4.3.1", name: "a Welcome of an unknown suite", want: errWelcomeSuite,
		attempt: invited(invitation{welcome: func(w *welcome) { w.suite = 0x7777 }})},
	{section: "§12.4.3.1", name: "group secrets that do not open", want: ErrDecrypt,
		attempt: invited(invitation{welcome: func(w *welcome) { w.secrets[0].ciphertext = flip(w.secrets[0].ciphertext) }})},
	{section: "§12.4.3.1", name: "group secrets of another Welcome", want: ErrDecrypt,
		attempt: invited(invitation{welcome: func(w *welcome) { w.info = flip(w.info) }})},
	{section: "§12.4.3.1", name: "group secrets cut short", want: errGroupSecretsForm,
		attempt: invited(invitation{plain: func(b []byte) []byte { return b[:len(b)-1] }})},
	{section: "§12.4.3.1", name: "bytes after the group secrets", want: errGroupSecretsForm,
		attempt: invited(invitation{plain: func(b []byte) []byte { return append(b, 0) }})},
	{section: "§12.4.3.1", name: "a joiner secret of the wrong length", want: errGroupSecretsForm,
		attempt: invited(invitation{secrets: func(s *groupSecrets) { s.joiner = s.joiner[1:] }})},
	{section: "§12.4.3.1", name: "another joiner secret", want: ErrDecrypt,
		attempt: invited(invitation{secrets: func(s *groupSecrets) { s.joiner = flip(s.joiner) }})},
	{section: "§12.4.3.1", name: "a GroupInfo cut short", want: errGroupInfoForm,
		attempt: invited(invitation{body: func(b []byte) []byte { return b[:len(b)-1] }})},
	{section: "§12.4.3.1", name: "bytes after the GroupInfo", want: errGroupInfoForm,
		attempt: invited(invitation{body: func(b []byte) []byte { return append(b, 0) }})},
	{section: "§12.4.3.1", name: "a GroupInfo of another protocol version", want: errGroupInfoForm,
		attempt: invited(invitation{body: func(b []byte) []byte { b[1] = 2; return b }})},
	{section: "§12.4.3.1", name: "a GroupInfo of another suite", want: errWelcomeSuite,
		attempt: invited(invitation{context: func(g *Group) { g.ctx.suite = 3 }})},
	{section: "§12.4.3", name: "a GroupInfo whose signature is wrong", want: errGroupInfoSignature,
		attempt: invited(invitation{signed: func(i *GroupInfo) { i.signature = flip(i.signature) }})},
	{section: "§12.4.3", name: "a GroupInfo changed after its signature", want: errGroupInfoSignature,
		attempt: invited(invitation{signed: func(i *GroupInfo) { i.extensions = []Extension{{Type: 0xF111}} }})},
	{section: "§12.4.3", name: "a GroupInfo signed by another than it says", want: errGroupInfoSignature,
		attempt: invitedBy(func(f *fixture) invitation { return invitation{signer: f.c.g.sig} })},
	{section: "§12.4.3.1", name: "a GroupInfo signed by a blank leaf", want: errWelcomeSigner,
		attempt: invitedBy(func(f *fixture) invitation {
			f.a.commit(CommitOptions{Remove: []LeafIndex{2}}, f.b, f.e) // blank: 2 and 3; the newcomer takes 2
			return invitation{info: func(i *GroupInfo) { i.signer = 3 }}
		})},
	{section: "§12.4.3.1", name: "a GroupInfo signed by a leaf outside the tree", want: errWelcomeSigner,
		attempt: invited(invitation{info: func(i *GroupInfo) { i.signer = 1<<32 - 1 }})},
	{section: "§12.4.3.1", name: "a GroupInfo that names the joiner as its signer", want: errWelcomeSigner,
		attempt: invited(invitation{info: func(i *GroupInfo) { i.signer = 3 }})},
	{section: "§12.4.3.1", name: "no tree, inside or beside", want: errWelcomeTree,
		attempt: invited(invitation{tree: func(*ratchetTree) []byte { return nil }})},
	{section: "§12.4.3.1", name: "a tree of the epoch before", want: errWelcomeTreeHash,
		attempt: invitedBy(func(f *fixture) invitation {
			return invitation{tree: func(*ratchetTree) []byte { return f.a.g.RatchetTree() }}
		})},
	{section: "§12.4.3.1", name: "another tree hash in the context", want: errWelcomeTreeHash,
		attempt: invited(invitation{context: func(g *Group) { g.ctx.treeHash = flip(g.ctx.treeHash) }})},
	{section: "§12.4.3.1", name: "a tree cut short", want: ErrInvalid, text: "§2.1",
		attempt: invited(invitation{tree: func(t *ratchetTree) []byte { b := t.marshal(); return b[:len(b)-1] }})},
	{section: "§12.4.3.1", name: "an empty tree", want: ErrInvalid, text: "empty",
		attempt: invited(invitation{tree: func(t *ratchetTree) []byte { return []byte{0} }})},
	{section: "§12.4.3.1", name: "a tree without our leaf", want: errWelcomeOwnLeaf,
		attempt: invited(invitation{forged: func(t *ratchetTree) { t.remove(3) }})},
	{section: "§12.4.3.1", name: "a tree with another leaf of ours than the KeyPackage's", want: errWelcomeOwnLeaf,
		attempt: invitedBy(func(f *fixture) invitation {
			return invitation{config: func(o *CommitOptions) { o.Add = []*KeyPackage{f.bent(func(*KeyPackage) {})} }}
		})},
	{section: "§7.3", name: "a tree with a leaf whose signature is wrong", want: ErrInvalid, text: "leaf's signature",
		attempt: forgedLeaf(2, func(_ *fixture, l *LeafNode) { l.Signature = flip(l.Signature) })},
	{section: "§7.3", name: "a tree with a leaf whose credential was exchanged", want: ErrInvalid, text: "leaf's signature",
		attempt: forgedLeaf(2, func(_ *fixture, l *LeafNode) { l.Credential = BasicCredential([]byte("mallory")) })},
	{section: "§7.9.2", name: "a tree with a wrong parent hash", want: ErrInvalid, text: "parent hash",
		attempt: forgedLeaf(0, func(f *fixture, l *LeafNode) {
			l.ParentHash = flip(l.ParentHash)
			f.resign(l, f.a.g.sig, f.a.g.ctx.groupID, 0)
		})},
	{section: "§7.9.2", name: "a tree with a parent's key exchanged", want: ErrInvalid, text: "parent hash",
		attempt: invitedBy(func(f *fixture) invitation {
			return invitation{forged: func(t *ratchetTree) {
				x := LeafIndex(0).node().up()
				q := *t.parent(x)
				q.encryptionKey = f.hpkeKey()
				t.setParent(x, &q)
			}}
		})},
	{section: "§7.3", name: "a tree with one encryption key twice", want: ErrInvalid, text: "same encryption key",
		attempt: forgedLeaf(2, func(f *fixture, l *LeafNode) {
			l.EncryptionKey = f.a.g.tree.leaf(4).EncryptionKey
			f.resign(l, f.c.g.sig, f.c.g.ctx.groupID, 2)
		})},
	{section: "§7.3", name: "a tree with one signature key twice", want: ErrInvalid, text: "same signature key",
		attempt: forgedLeaf(2, func(f *fixture, l *LeafNode) { f.resign(l, f.e.g.sig, f.c.g.ctx.groupID, 2) })},
	{section: "§11.1", name: "a tree with a leaf that lacks what the group requires", want: ErrInvalid, text: "group requires",
		attempt: invited(invitation{context: func(g *Group) {
			g.ctx.extensions = required(RequiredCapabilities{Proposals: []uint16{0xF444}}).Extensions
		}})},
	{section: "§13.4", name: "a group with an extension that its members do not support", want: ErrInvalid, text: "extension of the GroupContext",
		attempt: invited(invitation{context: func(g *Group) { g.ctx.extensions = []Extension{{Type: 0xF445}} }})},
	{section: "§12.4.3.1", name: "a wrong confirmation tag in the GroupInfo", want: errWelcomeTag,
		attempt: invited(invitation{info: func(i *GroupInfo) { i.confirmationTag = flip(i.confirmationTag) }})},
	{section: "§12.4.3.1", name: "an empty confirmation tag in the GroupInfo", want: errWelcomeTag,
		attempt: invited(invitation{info: func(i *GroupInfo) { i.confirmationTag = nil }})},
	{section: "§12.4.3.1", name: "another transcript hash in the GroupInfo", want: errWelcomeTag,
		attempt: invited(invitation{info: func(i *GroupInfo) { i.context.confirmedTranscriptHash = flip(i.context.confirmedTranscriptHash) }})},
	{section: "§12.4.3.1", name: "another epoch in the GroupInfo", want: errWelcomeTag,
		attempt: invited(invitation{info: func(i *GroupInfo) { i.context.epoch++ }})},
	{section: "§12.4.3.1", name: "another path secret", want: ErrInvalid, text: "does not fit",
		attempt: invited(invitation{secrets: func(s *groupSecrets) { s.pathSecret = flip(s.pathSecret) }})},
	{section: "§12.4.3.1", name: "a path secret in a Welcome of the wrong length", want: ErrInvalid, text: "wrong length",
		attempt: invited(invitation{secrets: func(s *groupSecrets) { s.pathSecret = s.pathSecret[1:] }})},
	{section: "§8.4", name: "a Welcome's PSK with a short nonce", want: errWelcomePSKNonce,
		attempt: invited(invitation{secrets: func(s *groupSecrets) {
			s.psks = []PSKID{{Type: PSKExternal, ID: []byte("k"), Nonce: []byte{1}}}
		}})},
	{section: "§12.4.3.1", name: "a Welcome with one PSK twice", want: errWelcomeSamePSK,
		attempt: invited(invitation{secrets: func(s *groupSecrets) {
			id := PSKID{Type: PSKExternal, ID: []byte("k"), Nonce: make([]byte, 32)}
			s.psks = []PSKID{id, id}
		}})},
	{section: "§12.4.3.1", name: "a Welcome with a re-init and a branch PSK", want: errWelcomePSKs,
		attempt: invited(invitation{secrets: func(s *groupSecrets) {
			id := PSKID{Type: PSKResumption, Usage: UsageReInit, GroupID: []byte("g"), Nonce: make([]byte, 32)}
			id2 := id
			id2.Usage = UsageBranch
			s.psks = []PSKID{id, id2}
		}})},
	{section: "§12.4.3.1", name: "a Welcome with a PSK that we do not have", want: ErrPSKUnknown,
		attempt: invited(invitation{config: func(o *CommitOptions) {
			o.PSKs = []PSK{NewPSK(PSKID{Type: PSKExternal, ID: []byte("k")}, []byte("s"))}
		}})},
	{section: "§12.4.3.1", name: "a Welcome with a PSK of which we have another value", want: ErrDecrypt,
		attempt: invited(invitation{config: func(o *CommitOptions) {
			o.PSKs = []PSK{NewPSK(PSKID{Type: PSKExternal, ID: []byte("k")}, []byte("s"))}
		}, options: func(o *JoinOptions) {
			o.PSKs = []PSK{NewPSK(PSKID{Type: PSKExternal, ID: []byte("k")}, []byte("t"))}
		}})},
	{section: "§12.4.3.1", name: "a Welcome whose PSK was left out", want: ErrDecrypt,
		attempt: invited(invitation{config: func(o *CommitOptions) {
			o.PSKs = []PSK{NewPSK(PSKID{Type: PSKExternal, ID: []byte("k")}, []byte("s"))}
		}, secrets: func(s *groupSecrets) { s.psks = nil }})},
	{section: "§12.4.3.1", name: "a Welcome to more members than the limit", want: ErrTooManyMembers,
		attempt: invited(invitation{options: func(o *JoinOptions) { o.Limits.MaxMembers = 4 }})},

	{section: "§11.2", name: "a re-init Welcome for another epoch than 1", want: errSuccessorEpoch,
		attempt: afterReInit(&ReInit{GroupID: []byte("n"), Version: 1, Suite: 1}, 1, []byte("n"), func(h *invitation) {
			h.context = func(g *Group) { g.ctx.epoch = 2 }
		})},
	{section: "§11.2", name: "a re-init Welcome for another group id", want: errReInitParameters,
		attempt: afterReInit(&ReInit{GroupID: []byte("n"), Version: 1, Suite: 1}, 1, []byte("m"), nil)},
	{section: "§11.2", name: "a re-init Welcome for another suite", want: errReInitParameters,
		attempt: afterReInit(&ReInit{GroupID: []byte("n"), Version: 1, Suite: 3}, 1, []byte("n"), nil)},
	{section: "§11.2", name: "a re-init Welcome with other extensions", want: errReInitParameters,
		attempt: afterReInit(&ReInit{GroupID: []byte("n"), Version: 1, Suite: 1, Extensions: []Extension{{Type: ExtensionExternalSenders, Data: []byte{0}}}}, 1, []byte("n"), nil)},
	{section: "§11.2", name: "a re-init Welcome for another version", want: errReInitParameters,
		attempt: afterReInit(&ReInit{GroupID: []byte("n"), Version: 2, Suite: 1}, 1, []byte("n"), nil)},
	{section: "§11.2", name: "a re-init Welcome without a ReInit", want: errReInitUsage,
		attempt: afterReInit(nil, 1, []byte("n"), nil)},
	{section: "§11.2", name: "a re-init Welcome bound to another epoch", want: errReInitUsage,
		attempt: invitedBy(func(f *fixture) invitation {
			psk := f.b.g.ResumptionPSK(UsageReInit)
			f.a.commit(CommitOptions{ReInit: &ReInit{GroupID: []byte("n"), Version: 1, Suite: 1}, NoPath: true}, f.b)
			return invitation{from: f.successor(1, []byte("n"), nil), config: func(o *CommitOptions) { o.PSKs = []PSK{psk} },
				options: func(o *JoinOptions) { o.Parent, o.PSKs = f.b.g, []PSK{psk} }}
		})},
	{section: "§11.3", name: "a branch Welcome without its group", want: errBranchUsage,
		attempt: invitedBy(func(f *fixture) invitation {
			psk := f.b.g.ResumptionPSK(UsageBranch)
			return invitation{from: f.successor(1, []byte("n"), nil), config: func(o *CommitOptions) { o.PSKs = []PSK{psk} },
				options: func(o *JoinOptions) { o.PSKs = []PSK{psk} }}
		})},
	{section: "§11.3", name: "a branch Welcome for another epoch than 1", want: errSuccessorEpoch,
		attempt: invitedBy(func(f *fixture) invitation {
			psk := f.b.g.ResumptionPSK(UsageBranch)
			return invitation{from: f.successor(1, []byte("n"), nil), config: func(o *CommitOptions) { o.PSKs = []PSK{psk} },
				options: func(o *JoinOptions) { o.Parent = f.b.g }, context: func(g *Group) { g.ctx.epoch = 3 }}
		})},
	{section: "§11.3", name: "a branch with one who is no member of its group", want: errBranchMember,
		attempt: invitedBy(func(f *fixture) invitation {
			psk := f.b.g.ResumptionPSK(UsageBranch)
			return invitation{from: f.successor(1, []byte("n"), nil), config: func(o *CommitOptions) { o.PSKs = []PSK{psk} },
				options: func(o *JoinOptions) { o.Parent = f.b.g }}
		})},
	{section: "§11.3", name: "a branch of another suite than its group's", want: errBranchParameters,
		attempt: func(f *fixture) error {
			psk := f.b.g.ResumptionPSK(UsageBranch)
			g := f.successor(3, []byte("n"), nil)
			j := newPerson(f, 3, "p1")
			kp, secrets := j.keyPackage()
			pc, err := g.Commit(CommitOptions{Add: []*KeyPackage{kp}, PSKs: []PSK{psk}})
			if err != nil {
				f.Fatal(err)
			}
			_, _, err = Join(pc.WelcomeAll(), kp, secrets, JoinOptions{RatchetTree: pc.RatchetTree(), Parent: f.b.g})
			return err
		}},
}
