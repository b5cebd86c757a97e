package mls

// GroupInfo is RFC 9420 §12.4.3: the public state of an epoch, signed by a
// member. Extensions may hold the ratchet tree and the external public key.
type GroupInfo struct {
	context         groupContext
	extensions      []Extension
	confirmationTag []byte
	signer          uint32
	signature       []byte
}

const labelGroupInfo = "GroupInfoTBS"

func (g *GroupInfo) encode(e *encoder) {
	e.raw(g.tbs())
	e.vec(g.signature)
}

func (g *GroupInfo) decode(d *decoder) {
	g.context.decode(d)
	g.extensions = decodeExtensions(d)
	g.confirmationTag = d.vec()
	g.signer = d.u32()
	g.signature = d.vec()
}

// tbs is GroupInfoTBS, RFC 9420 §12.4.3.
func (g *GroupInfo) tbs() []byte {
	var e encoder
	g.context.encode(&e)
	encodeExtensions(&e, g.extensions)
	e.vec(g.confirmationTag)
	e.u32(g.signer)
	return e.b
}

func (g *GroupInfo) sign(p *suiteParams, key *SignatureKey) (err error) {
	g.signature, err = p.signWithLabel(key.priv.bytes(), labelGroupInfo, g.tbs())
	return err
}

func (g *GroupInfo) verify(p *suiteParams, pub []byte) error {
	if p.verifyWithLabel(pub, labelGroupInfo, g.tbs(), g.signature) != nil {
		return errGroupInfoSignature
	}
	return nil
}

// GroupID is the group's identifier.
func (g *GroupInfo) GroupID() []byte { return append([]byte(nil), g.context.groupID...) }

// Epoch is the epoch that the GroupInfo describes.
func (g *GroupInfo) Epoch() uint64 { return g.context.epoch }

// Suite is the group's cipher suite.
func (g *GroupInfo) Suite() Suite { return g.context.suite }

// Signer is the leaf of the member who signed.
func (g *GroupInfo) Signer() LeafIndex { return LeafIndex(g.signer) }

// Extensions are the GroupInfo's own extensions, not the group's.
func (g *GroupInfo) Extensions() []Extension { return cloneExtensions(g.extensions) }

// ContextBytes is the encoded GroupContext.
func (g *GroupInfo) ContextBytes() []byte { return marshal(&g.context) }

// Marshal gives the GroupInfo as an MLSMessage.
func (g *GroupInfo) Marshal() []byte { return marshal(&message{groupInfo: g}) }

// ParseGroupInfo reads an MLSMessage with a GroupInfo. It checks the form only.
func ParseGroupInfo(b []byte) (*GroupInfo, error) {
	m := new(message)
	if err := unmarshal(b, m); err != nil {
		return nil, err
	}
	if m.groupInfo == nil {
		return nil, errWireFormat
	}
	return m.groupInfo, nil
}

// GroupInfo makes a signed GroupInfo of the current epoch, as an MLSMessage.
// With externalPub a stranger can join by external commit, where members allow
// it; with tree the ratchet tree is inside.
func (g *Group) GroupInfo(externalPub, tree bool) ([]byte, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	info, err := g.groupInfo(externalPub, tree, nil)
	if err != nil {
		return nil, err
	}
	return info.Marshal(), nil
}

// groupInfo signs the current state, RFC 9420 §12.4.3.
func (g *Group) groupInfo(externalPub, tree bool, more []Extension) (*GroupInfo, error) {
	info := &GroupInfo{
		context:         g.ctx,
		confirmationTag: g.keys.confirmationTag(g.p, g.ctx.confirmedTranscriptHash),
		signer:          uint32(g.own),
		extensions:      cloneExtensions(more),
	}
	if tree {
		info.extensions = append(info.extensions, Extension{Type: ExtensionRatchetTree, Data: g.tree.marshal()})
	}
	if externalPub {
		_, pub, err := g.p.deriveKeyPair(g.keys.external)
		if err != nil {
			return nil, err
		}
		var e encoder
		e.vec(pub)
		info.extensions = append(info.extensions, Extension{Type: ExtensionExternalPub, Data: e.b})
	}
	if err := info.sign(g.p, g.sig); err != nil {
		return nil, err
	}
	return info, nil
}
