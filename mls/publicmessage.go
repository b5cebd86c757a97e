package mls

// publicMessage is RFC 9420 §6.2: signed, not encrypted.
type publicMessage struct {
	content       framedContent
	auth          authData
	membershipTag []byte // of members only
}

func (m *publicMessage) encode(e *encoder) {
	m.content.encode(e)
	m.auth.encode(e, m.content.contentType)
	if m.content.sender.kind == senderMember {
		e.vec(m.membershipTag)
	}
}

func (m *publicMessage) decode(d *decoder) {
	m.content.decode(d)
	m.auth.decode(d, m.content.contentType)
	if m.content.sender.kind == senderMember {
		m.membershipTag = d.vec()
	}
}

func (m *publicMessage) authenticated() *authenticatedContent {
	return &authenticatedContent{wirePublicMessage, m.content, m.auth}
}

// sealPublic frames signed content, RFC 9420 §6.2.
func sealPublic(p *suiteParams, a *authenticatedContent, membershipKey []byte, ctx *groupContext) *publicMessage {
	m := &publicMessage{content: a.content, auth: a.auth}
	if a.content.sender.kind == senderMember {
		m.membershipTag = a.membershipTag(p, membershipKey, ctx)
	}
	return m
}

// openPublic checks what RFC 9420 §6.2 asks for before the signature.
func openPublic(p *suiteParams, m *publicMessage, membershipKey []byte, ctx *groupContext) (*authenticatedContent, error) {
	// §6.2: application data is never sent as a PublicMessage.
	if m.content.contentType == ContentApplication {
		return nil, errPublicAppData
	}
	a := m.authenticated()
	// §6.2: a member's message carries a membership tag; it MUST be checked.
	if m.content.sender.kind == senderMember && !macEqual(m.membershipTag, a.membershipTag(p, membershipKey, ctx)) {
		return nil, ErrDecrypt
	}
	return a, nil
}
