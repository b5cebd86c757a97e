package mls

// ContentType says what a framed message carries, RFC 9420 §6.
type ContentType uint8

// The kinds of content.
const (
	ContentApplication ContentType = 1
	ContentProposal    ContentType = 2
	ContentCommit      ContentType = 3
)

// wireFormat is RFC 9420 §6 and §17.2.
type wireFormat uint16

const (
	wirePublicMessage  wireFormat = 1
	wirePrivateMessage wireFormat = 2
	wireWelcome        wireFormat = 3
	wireGroupInfo      wireFormat = 4
	wireKeyPackage     wireFormat = 5
)

// senderType is RFC 9420 §6.
type senderType uint8

const (
	senderMember            senderType = 1
	senderExternal          senderType = 2
	senderNewMemberProposal senderType = 3
	senderNewMemberCommit   senderType = 4
)

// sender is RFC 9420 §6: a member's leaf, the index of an external sender in
// the external_senders extension, or somebody on the way in.
type sender struct {
	kind  senderType
	index uint32 // leaf index or sender index
}

func (s sender) encode(e *encoder) {
	e.u8(uint8(s.kind))
	if s.kind == senderMember || s.kind == senderExternal {
		e.u32(s.index)
	}
}

func (s *sender) decode(d *decoder) {
	s.kind = senderType(d.u8())
	switch s.kind {
	case senderMember, senderExternal:
		s.index = d.u32()
	case senderNewMemberProposal, senderNewMemberCommit:
	default:
		if d.err == nil {
			d.fail(errSenderType)
		}
	}
}

// framedContent is RFC 9420 §6. Exactly one of application, proposal and
// commit is meant, by contentType.
type framedContent struct {
	groupID           []byte
	epoch             uint64
	sender            sender
	authenticatedData []byte
	contentType       ContentType
	application       []byte
	proposal          *Proposal
	commit            *commit
}

func (c *framedContent) encode(e *encoder) {
	e.vec(c.groupID)
	e.u64(c.epoch)
	c.sender.encode(e)
	e.vec(c.authenticatedData)
	e.u8(uint8(c.contentType))
	c.encodeBody(e)
}

func (c *framedContent) encodeBody(e *encoder) {
	switch c.contentType {
	case ContentApplication:
		e.vec(c.application)
	case ContentProposal:
		c.proposal.encode(e)
	case ContentCommit:
		c.commit.encode(e)
	}
}

func (c *framedContent) decode(d *decoder) {
	c.groupID = d.vec()
	c.epoch = d.u64()
	c.sender.decode(d)
	c.authenticatedData = d.vec()
	c.contentType = ContentType(d.u8())
	c.decodeBody(d)
}

func (c *framedContent) decodeBody(d *decoder) {
	if d.err != nil {
		return
	}
	switch c.contentType {
	case ContentApplication:
		c.application = d.vec()
	case ContentProposal:
		c.proposal = new(Proposal)
		c.proposal.decode(d)
	case ContentCommit:
		c.commit = new(commit)
		c.commit.decode(d)
	default:
		d.fail(errContentType)
	}
}

// authData is FramedContentAuthData, RFC 9420 §6.1.
type authData struct {
	signature       []byte
	confirmationTag []byte // of commits only
}

func (a *authData) encode(e *encoder, c ContentType) {
	e.vec(a.signature)
	if c == ContentCommit {
		e.vec(a.confirmationTag)
	}
}

func (a *authData) decode(d *decoder, c ContentType) {
	a.signature = d.vec()
	if c == ContentCommit {
		a.confirmationTag = d.vec()
	}
}

// authenticatedContent is RFC 9420 §6.1: what the signature and the transcript
// hash cover, whichever wire format carried it.
type authenticatedContent struct {
	wireFormat wireFormat
	content    framedContent
	auth       authData
}

func (a *authenticatedContent) encode(e *encoder) {
	e.u16(uint16(a.wireFormat))
	a.content.encode(e)
	a.auth.encode(e, a.content.contentType)
}

func (a *authenticatedContent) decode(d *decoder) {
	a.wireFormat = wireFormat(d.u16())
	if d.err == nil && a.wireFormat != wirePublicMessage && a.wireFormat != wirePrivateMessage {
		d.fail(errWireFormat)
		return
	}
	a.content.decode(d)
	a.auth.decode(d, a.content.contentType)
}

// tbs is FramedContentTBS, RFC 9420 §6.1. Members and joiners by commit also
// sign the group context, so a signature counts in one epoch of one group.
func (a *authenticatedContent) tbs(ctx *groupContext) []byte {
	var e encoder
	e.u16(versionMLS10)
	e.u16(uint16(a.wireFormat))
	a.content.encode(&e)
	if k := a.content.sender.kind; k == senderMember || k == senderNewMemberCommit {
		ctx.encode(&e)
	}
	return e.b
}

const labelFramedContent = "FramedContentTBS"

func (a *authenticatedContent) sign(p *suiteParams, key *SignatureKey, ctx *groupContext) error {
	sig, err := p.signWithLabel(key.priv.bytes(), labelFramedContent, a.tbs(ctx))
	a.auth.signature = sig
	return err
}

func (a *authenticatedContent) verify(p *suiteParams, pub []byte, ctx *groupContext) error {
	if p.verifyWithLabel(pub, labelFramedContent, a.tbs(ctx), a.auth.signature) != nil {
		return ErrDecrypt
	}
	return nil
}

// membershipTag is RFC 9420 §6.2: AuthenticatedContentTBM under membership_key.
func (a *authenticatedContent) membershipTag(p *suiteParams, key []byte, ctx *groupContext) []byte {
	e := encoder{b: a.tbs(ctx)}
	a.auth.encode(&e, a.content.contentType)
	return p.mac(key, e.b)
}

// proposalRef is RFC 9420 §5.2: the name of a proposal sent by itself.
func (a *authenticatedContent) proposalRef(p *suiteParams) []byte {
	return p.refHash("MLS 1.0 Proposal Reference", marshal(a))
}

// message is MLSMessage, RFC 9420 §6. Exactly one pointer is set.
type message struct {
	public     *publicMessage
	private    *privateMessage
	welcome    *welcome
	groupInfo  *GroupInfo
	keyPackage *KeyPackage
}

func (m *message) encode(e *encoder) {
	e.u16(versionMLS10)
	switch {
	case m.public != nil:
		e.u16(uint16(wirePublicMessage))
		m.public.encode(e)
	case m.private != nil:
		e.u16(uint16(wirePrivateMessage))
		m.private.encode(e)
	case m.welcome != nil:
		e.u16(uint16(wireWelcome))
		m.welcome.encode(e)
	case m.groupInfo != nil:
		e.u16(uint16(wireGroupInfo))
		m.groupInfo.encode(e)
	case m.keyPackage != nil:
		e.u16(uint16(wireKeyPackage))
		m.keyPackage.encode(e)
	}
}

func (m *message) decode(d *decoder) {
	if v := d.u16(); d.err == nil && v != versionMLS10 {
		d.fail(errProtocolVersion)
		return
	}
	f := wireFormat(d.u16())
	if d.err != nil {
		return
	}
	switch f {
	case wirePublicMessage:
		m.public = new(publicMessage)
		m.public.decode(d)
	case wirePrivateMessage:
		m.private = new(privateMessage)
		m.private.decode(d)
	case wireWelcome:
		m.welcome = new(welcome)
		m.welcome.decode(d)
	case wireGroupInfo:
		m.groupInfo = new(GroupInfo)
		m.groupInfo.decode(d)
	case wireKeyPackage:
		m.keyPackage = new(KeyPackage)
		m.keyPackage.decode(d)
	default:
		d.fail(errWireFormat)
	}
}
