package mls

// raw bends the encoding of a good PublicMessage with a proposal.
func (f *fixture) goodPublic() []byte {
	a := f.proposal(f.a, wirePublicMessage, Proposal{Type: ProposalRemove, Remove: 2})
	f.sign(a, f.a)
	return f.public(a)
}

func (f *fixture) goodPrivate() []byte {
	a := f.app(f.a)
	f.sign(a, f.a)
	return f.private(a, 0)
}

// bendPrivate changes a good PrivateMessage from outside its encryption.
func (f *fixture) bendPrivate(bend func(m *privateMessage)) []byte {
	m := f.parsed(f.goodPrivate())
	bend(m.private)
	return marshal(m)
}

// outside makes a PublicMessage from a sender that is no member.
func (f *fixture) outside(from sender, kind ContentType, p *Proposal, key *SignatureKey) []byte {
	a := f.content(f.a, wirePublicMessage, kind)
	a.content.sender = from
	a.content.proposal = p
	a.content.commit = &commit{}
	f.signWith(a, key, &f.a.g.ctx)
	return marshal(&message{public: &publicMessage{content: a.content, auth: a.auth}})
}

var wrongFraming = []wrong{
	{section: "§6", name: "a protocol version other than mls10", want: errProtocolVersion,
		message: func(f *fixture) []byte { b := f.goodPublic(); b[1] = 2; return b }},
	{section: "§6", name: "an unknown wire format", want: errWireFormat,
		message: func(f *fixture) []byte { b := f.goodPublic(); b[3] = 9; return b }},
	{section: "§6", name: "a wire format of zero", want: errWireFormat,
		message: func(f *fixture) []byte { b := f.goodPublic(); b[3] = 0; return b }},
	{section: "§6", name: "bytes after the message", want: ErrInvalid, text: "follow the value",
		message: func(f *fixture) []byte { return append(f.goodPublic(), 0) }},
	{section: "§6", name: "a message cut short", want: ErrInvalid, text: "ends inside",
		message: func(f *fixture) []byte { b := f.goodPublic(); return b[:len(b)-1] }},
	{section: "§6", name: "an empty message", want: ErrInvalid, text: "ends inside",
		message: func(f *fixture) []byte { return nil }},
	{section: "§6", name: "a Welcome sent to the group", want: errNotForGroup,
		message: func(f *fixture) []byte { return marshal(&message{welcome: &welcome{suite: f.suite}}) }},
	{section: "§6", name: "a GroupInfo sent to the group", want: errNotForGroup,
		message: func(f *fixture) []byte {
			b, err := f.a.g.GroupInfo(false, false)
			if err != nil {
				f.Fatal(err)
			}
			return b
		}},
	{section: "§6", name: "a KeyPackage sent to the group", want: errNotForGroup,
		message: func(f *fixture) []byte { _, kp, _ := f.newcomer(nil); return marshal(&message{keyPackage: kp}) }},
	{section: "§6", name: "a sender type of zero", want: errSenderType,
		message: func(f *fixture) []byte {
			return f.outside(sender{kind: 0}, ContentProposal, &Proposal{Type: ProposalRemove}, f.external)
		}},
	{section: "§6", name: "an unknown sender type", want: errSenderType,
		message: func(f *fixture) []byte {
			return f.outside(sender{kind: 5}, ContentProposal, &Proposal{Type: ProposalRemove}, f.external)
		}},
	{section: "§6", name: "an unknown content type in a PublicMessage", want: errContentType,
		message: func(f *fixture) []byte {
			a := f.content(f.a, wirePublicMessage, 4)
			f.sign(a, f.a)
			return f.public(a)
		}},
	{section: "§6", name: "an unknown content type in a PrivateMessage", want: errContentType,
		message: func(f *fixture) []byte { return f.bendPrivate(func(m *privateMessage) { m.contentType = 4 }) }},
	{section: "§6", name: "a PublicMessage for another group", want: ErrWrongGroup,
		message: func(f *fixture) []byte {
			a := f.proposal(f.a, wirePublicMessage, Proposal{Type: ProposalRemove, Remove: 2})
			a.content.groupID = []byte("other")
			f.sign(a, f.a)
			return f.public(a)
		}},
	{section: "§6", name: "a PrivateMessage for another group", want: ErrWrongGroup,
		message: func(f *fixture) []byte { return f.bendPrivate(func(m *privateMessage) { m.groupID = []byte("other") }) }},
	{section: "§6", name: "a message of the last epoch", want: ErrWrongEpoch,
		message: func(f *fixture) []byte { return f.old }},
	{section: "§6", name: "a PrivateMessage of the next epoch", want: ErrWrongEpoch,
		message: func(f *fixture) []byte { return f.bendPrivate(func(m *privateMessage) { m.epoch++ }) }},
	{section: "§6", name: "a PublicMessage of the next epoch", want: ErrWrongEpoch,
		message: func(f *fixture) []byte {
			a := f.proposal(f.a, wirePublicMessage, Proposal{Type: ProposalRemove, Remove: 2})
			a.content.epoch++
			f.sign(a, f.a)
			return f.public(a)
		}},
	{section: "§6", name: "an epoch near the end of the numbers", want: ErrWrongEpoch,
		message: func(f *fixture) []byte { return f.bendPrivate(func(m *privateMessage) { m.epoch = 1<<64 - 1 }) }},

	{section: "§6.1", name: "a wrong signature on a PublicMessage", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a := f.proposal(f.a, wirePublicMessage, Proposal{Type: ProposalRemove, Remove: 2})
			f.sign(a, f.a)
			a.auth.signature = flip(a.auth.signature)
			return f.public(a)
		}},
	{section: "§6.1", name: "an empty signature", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			return f.public(f.proposal(f.a, wirePublicMessage, Proposal{Type: ProposalRemove, Remove: 2}))
		}},
	{section: "§6.1", name: "another member's message signed with our own key, public", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a := f.proposal(f.c, wirePublicMessage, Proposal{Type: ProposalRemove, Remove: 2})
			f.sign(a, f.a)
			return f.public(a)
		}},
	{section: "§6.1", name: "another member's message signed with our own key, private", want: ErrDecrypt,
		message: func(f *fixture) []byte { a := f.app(f.c); f.sign(a, f.a); return f.private(a, 0) }},
	{section: "§6.1", name: "a wrong signature in a PrivateMessage", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			a.auth.signature = flip(a.auth.signature)
			return f.private(a, 0)
		}},
	{section: "§6.1", name: "a signature under another label", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			var err error
			if a.auth.signature, err = f.p.signWithLabel(f.a.g.sig.priv.bytes(), "GroupInfoTBS", a.tbs(&f.a.g.ctx)); err != nil {
				f.Fatal(err)
			}
			return f.private(a, 0)
		}},
	{section: "§6.1", name: "a signature for the other wire format, private", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			a.wireFormat = wirePublicMessage
			f.sign(a, f.a)
			return f.private(a, 0)
		}},
	{section: "§6.1", name: "a signature for the other wire format, public", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a := f.proposal(f.a, wirePrivateMessage, Proposal{Type: ProposalRemove, Remove: 2})
			f.sign(a, f.a)
			a.wireFormat = wirePublicMessage
			return f.public(a)
		}},
	{section: "§6.1", name: "a signature under another tree hash", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a, ctx := f.app(f.a), f.a.g.ctx
			ctx.treeHash = flip(ctx.treeHash)
			f.signWith(a, f.a.g.sig, &ctx)
			return f.private(a, 0)
		}},
	{section: "§6.1", name: "a signature under another transcript", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a, ctx := f.app(f.a), f.a.g.ctx
			ctx.confirmedTranscriptHash = flip(ctx.confirmedTranscriptHash)
			f.signWith(a, f.a.g.sig, &ctx)
			return f.private(a, 0)
		}},
	{section: "§6.1", name: "a signature under other group extensions", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a, ctx := f.app(f.a), f.a.g.ctx
			ctx.extensions = nil
			f.signWith(a, f.a.g.sig, &ctx)
			return f.private(a, 0)
		}},
	{section: "§6.1", name: "a PublicMessage from a blank leaf", want: errSenderBlank,
		message: func(f *fixture) []byte {
			a := f.proposal(f.a, wirePublicMessage, Proposal{Type: ProposalRemove, Remove: 2})
			a.content.sender.index = 3
			f.sign(a, f.a)
			return f.public(a)
		}},
	{section: "§6.1", name: "a PublicMessage from a leaf outside the tree", want: errSenderBlank,
		message: func(f *fixture) []byte {
			a := f.proposal(f.a, wirePublicMessage, Proposal{Type: ProposalRemove, Remove: 2})
			a.content.sender.index = 8
			f.sign(a, f.a)
			return f.public(a)
		}},
	{section: "§6.1", name: "a PublicMessage from the greatest leaf index", want: errSenderBlank,
		message: func(f *fixture) []byte {
			a := f.proposal(f.a, wirePublicMessage, Proposal{Type: ProposalRemove, Remove: 2})
			a.content.sender.index = 1<<32 - 1
			f.sign(a, f.a)
			return f.public(a)
		}},

	{section: "§6.2", name: "application data in a PublicMessage", want: errPublicAppData,
		message: func(f *fixture) []byte {
			a := f.content(f.a, wirePublicMessage, ContentApplication)
			f.sign(a, f.a)
			return f.public(a)
		}},
	{section: "§6.2", name: "a wrong membership tag", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			m := f.parsed(f.goodPublic())
			m.public.membershipTag = flip(m.public.membershipTag)
			return marshal(m)
		}},
	{section: "§6.2", name: "an empty membership tag", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			m := f.parsed(f.goodPublic())
			m.public.membershipTag = nil
			return marshal(m)
		}},
	{section: "§6.2", name: "a membership tag under another key", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			m := f.parsed(f.goodPublic())
			m.public.membershipTag = m.public.authenticated().membershipTag(f.p, f.a.g.keys.confirmation, &f.a.g.ctx)
			return marshal(m)
		}},
	{section: "§6.2", name: "a membership tag that does not cover the signature", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			m := f.parsed(f.goodPublic())
			m.public.membershipTag = f.p.mac(f.a.g.keys.membership, m.public.authenticated().tbs(&f.a.g.ctx))
			return marshal(m)
		}},
	{section: "§6.2", name: "a PublicMessage changed after its tag", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			m := f.parsed(f.goodPublic())
			m.public.content.proposal.Remove = 4
			return marshal(m)
		}},
	{section: "§6.2", name: "authenticated data changed in a PublicMessage", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			m := f.parsed(f.goodPublic())
			m.public.content.authenticatedData = []byte("other")
			return marshal(m)
		}},

	{section: "§6.3.1", name: "padding that is not zero", want: errPadding,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			return f.privateBody(a, 0, func(b []byte) []byte { return append(b, 0, 0, 1) }, nil)
		}},
	{section: "§6.3.1", name: "padding whose first byte is not zero", want: errPadding,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			return f.privateBody(a, 0, func(b []byte) []byte { return append(b, 0x80, 0, 0) }, nil)
		}},
	{section: "§6.3.1", name: "content cut short before its signature", want: errPrivateContent,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			return f.privateBody(a, 0, func(b []byte) []byte { return b[:6] }, nil)
		}},
	{section: "§6.3.1", name: "empty content", want: errPrivateContent,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			return f.privateBody(a, 0, func(b []byte) []byte { return nil }, nil)
		}},
	{section: "§6.3.1", name: "a proposal where a commit is announced", want: errPrivateContent,
		message: func(f *fixture) []byte {
			a := f.content(f.a, wirePrivateMessage, ContentCommit)
			a.content.commit = &commit{}
			pr := f.proposal(f.a, wirePrivateMessage, Proposal{Type: ProposalRemove, Remove: 2})
			f.sign(pr, f.a)
			return f.privateBody(a, 0, func([]byte) []byte {
				var e encoder
				pr.content.encodeBody(&e)
				pr.auth.encode(&e, ContentProposal)
				return e.b
			}, nil)
		}},
	{section: "§6.3.1", name: "a changed ciphertext", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			return f.bendPrivate(func(m *privateMessage) { m.ciphertext = flip(m.ciphertext) })
		}},
	{section: "§6.3.1", name: "an empty ciphertext", want: ErrDecrypt,
		message: func(f *fixture) []byte { return f.bendPrivate(func(m *privateMessage) { m.ciphertext = nil }) }},
	{section: "§6.3.1", name: "authenticated data changed in a PrivateMessage", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			return f.bendPrivate(func(m *privateMessage) { m.authenticatedData = []byte("other") })
		}},
	{section: "§6.3.1", name: "another reuse guard than the one the content was sealed with", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			return f.bendPrivate(func(m *privateMessage) {
				f.sealSenderData(m, marshal(&senderData{leaf: 0, generation: 0, reuseGuard: [4]byte{1, 2, 3, 4}}))
			})
		}},
	{section: "§6.3.1", name: "another member's leaf in the sender data", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			return f.bendPrivate(func(m *privateMessage) { f.sealSenderData(m, marshal(&senderData{leaf: 2})) })
		}},

	{section: "§6.3.2", name: "changed sender data", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			return f.bendPrivate(func(m *privateMessage) { m.encryptedSenderData = flip(m.encryptedSenderData) })
		}},
	{section: "§6.3.2", name: "sender data of another message", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			other := f.parsed(f.goodPrivate()).private
			return f.bendPrivate(func(m *privateMessage) {
				m.encryptedSenderData = other.encryptedSenderData
				if string(m.ciphertext) == string(other.ciphertext) {
					m.ciphertext = flip(m.ciphertext) // the same guard by chance
				}
			})
		}},
	{section: "§6.3.2", name: "sender data for another content type", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			return f.bendPrivate(func(m *privateMessage) { m.contentType = ContentProposal })
		}},
	{section: "§6.3.2", name: "sender data cut short", want: errSenderData,
		message: func(f *fixture) []byte {
			return f.bendPrivate(func(m *privateMessage) { f.sealSenderData(m, make([]byte, 11)) })
		}},
	{section: "§6.3.2", name: "bytes after the sender data", want: errSenderData,
		message: func(f *fixture) []byte {
			return f.bendPrivate(func(m *privateMessage) { f.sealSenderData(m, make([]byte, 13)) })
		}},
	{section: "§6.3.2", name: "a PrivateMessage from a blank leaf", want: errSenderBlank,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			a.content.sender.index = 3
			f.sign(a, f.a)
			return f.private(a, 0)
		}},
	{section: "§6.3.2", name: "a PrivateMessage from a leaf outside the tree", want: errSenderBlank,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			return f.privateBody(a, 0, nil, func(s *senderData) { s.leaf = 8 })
		}},
	{section: "§6.3.2", name: "a PrivateMessage from the greatest leaf index", want: errSenderBlank,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			return f.privateBody(a, 0, nil, func(s *senderData) { s.leaf = 1<<32 - 1 })
		}},

	{section: "§9.1", name: "a generation too far ahead", want: ErrTooFarAhead,
		message: func(f *fixture) []byte { a := f.app(f.a); f.sign(a, f.a); return f.private(a, 8193) }},
	{section: "§9.1", name: "the greatest generation", want: ErrTooFarAhead,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			return f.privateBody(a, 0, nil, func(s *senderData) { s.generation = 1<<32 - 1 })
		}},
	{section: "§9.1", name: "a handshake generation too far ahead", want: ErrTooFarAhead,
		message: func(f *fixture) []byte {
			a := f.proposal(f.a, wirePrivateMessage, Proposal{Type: ProposalRemove, Remove: 2})
			f.sign(a, f.a)
			return f.private(a, 9000)
		}},
	{section: "§9.1", name: "another generation than the one that sealed it", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			return f.privateBody(a, 0, nil, func(s *senderData) { s.generation = 1 })
		}},
	{section: "§9.1", name: "a handshake message under an application key", want: ErrDecrypt,
		message: func(f *fixture) []byte {
			a := f.proposal(f.a, wirePrivateMessage, Proposal{Type: ProposalRemove, Remove: 2})
			f.sign(a, f.a)
			k, err := f.sequence(0).peek(0, ContentApplication, 0)
			if err != nil {
				f.Fatal(err)
			}
			m, err := sealPrivate(f.p, a, f.a.g.keys.senderData, k, 0)
			if err != nil {
				f.Fatal(err)
			}
			return marshal(&message{private: m})
		}},
	{section: "§9.2", name: "a message read before", want: ErrGenerationUsed,
		message: func(f *fixture) []byte { b := f.goodPrivate(); f.b.read(b); return b }},
	{section: "§9.2", name: "another message under a generation read before", want: ErrGenerationUsed,
		message: func(f *fixture) []byte { f.b.read(f.goodPrivate()); return f.goodPrivate() }},
	{section: "§9.2", name: "a proposal read before", want: ErrGenerationUsed,
		message: func(f *fixture) []byte {
			a := f.proposal(f.a, wirePrivateMessage, Proposal{Type: ProposalRemove, Remove: 2})
			f.sign(a, f.a)
			b := f.private(a, 0)
			f.b.read(b)
			return b
		}},
	{section: "§9.2", name: "a skipped message read before", want: ErrGenerationUsed,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			b := f.private(a, 2)
			f.b.read(f.private(a, 5))
			f.b.read(b)
			return b
		}},
	{section: "§9.2", name: "a skipped key that was dropped as the oldest", want: ErrGenerationUsed,
		message: func(f *fixture) []byte {
			a := f.app(f.a)
			f.sign(a, f.a)
			b := f.private(a, 9)
			f.b.read(f.private(a, 1010))
			return b
		}},

	{section: "§9", name: "our own application message", want: ErrOwnMessage,
		message: func(f *fixture) []byte {
			b, err := f.b.g.Encrypt([]byte("mine"), 0)
			if err != nil {
				f.Fatal(err)
			}
			return b
		}},
	{section: "§9", name: "our own commit, private", want: ErrOwnCommit,
		message: func(f *fixture) []byte {
			pc, err := f.b.g.Commit(CommitOptions{})
			if err != nil {
				f.Fatal(err)
			}
			return pc.Message()
		}},
	{section: "§9", name: "our own commit, public", want: ErrOwnCommit,
		message: func(f *fixture) []byte {
			pc, err := f.b.g.Commit(CommitOptions{Public: true})
			if err != nil {
				f.Fatal(err)
			}
			return pc.Message()
		}},
	{section: "§9", name: "a message of a copy of our own state", want: ErrTwin,
		message: func(f *fixture) []byte {
			twin, err := ParseGroup(f.b.g.MarshalEpoch(), f.b.g.MarshalRatchets())
			if err != nil {
				f.Fatal(err)
			}
			b, err := twin.Encrypt([]byte("twin"), 0)
			if err != nil {
				f.Fatal(err)
			}
			return b
		}},
	{section: "§9", name: "a forged message that claims our own leaf", want: ErrDecrypt,
		message: func(f *fixture) []byte { a := f.app(f.b); f.sign(a, f.a); return f.private(a, 0) }},

	{section: "§8.5", name: "an exported secret longer than the KDF gives", want: errExportLength,
		attempt: func(f *fixture) error { _, err := f.b.g.Export("x", nil, 255*f.p.nh+1); return err }},
	{section: "§8.5", name: "an exported secret of negative length", want: errExportLength,
		attempt: func(f *fixture) error { _, err := f.b.g.Export("x", nil, -1); return err }},
}
