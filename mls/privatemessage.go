package mls

import (
	"crypto/rand"
	"crypto/subtle"
)

// privateMessage is RFC 9420 §6.3: signed, then encrypted.
type privateMessage struct {
	groupID             []byte
	epoch               uint64
	contentType         ContentType
	authenticatedData   []byte
	encryptedSenderData []byte
	ciphertext          []byte
}

func (m *privateMessage) encode(e *encoder) {
	e.vec(m.groupID)
	e.u64(m.epoch)
	e.u8(uint8(m.contentType))
	e.vec(m.authenticatedData)
	e.vec(m.encryptedSenderData)
	e.vec(m.ciphertext)
}

func (m *privateMessage) decode(d *decoder) {
	m.groupID = d.vec()
	m.epoch = d.u64()
	m.contentType = ContentType(d.u8())
	if d.err == nil && (m.contentType < ContentApplication || m.contentType > ContentCommit) {
		d.fail(errContentType)
		return
	}
	m.authenticatedData = d.vec()
	m.encryptedSenderData = d.vec()
	m.ciphertext = d.vec()
}

// contentAAD is PrivateContentAAD, RFC 9420 §6.3.1.
func (m *privateMessage) contentAAD() []byte {
	var e encoder
	e.vec(m.groupID)
	e.u64(m.epoch)
	e.u8(uint8(m.contentType))
	e.vec(m.authenticatedData)
	return e.b
}

// senderAAD is SenderDataAAD, RFC 9420 §6.3.2.
func (m *privateMessage) senderAAD() []byte {
	var e encoder
	e.vec(m.groupID)
	e.u64(m.epoch)
	e.u8(uint8(m.contentType))
	return e.b
}

// senderData is RFC 9420 §6.3.2.
type senderData struct {
	leaf       uint32
	generation uint32
	reuseGuard [4]byte
}

func (s *senderData) encode(e *encoder) {
	e.u32(s.leaf)
	e.u32(s.generation)
	e.raw(s.reuseGuard[:])
}

func (s *senderData) decode(d *decoder) {
	s.leaf = d.u32()
	s.generation = d.u32()
	copy(s.reuseGuard[:], d.raw(4))
}

// guard mixes the reuse guard into a nonce, RFC 9420 §6.3.1.
func (s *senderData) guard(nonce []byte) []byte {
	n := append([]byte(nil), nonce...)
	subtle.XORBytes(n[:4], n[:4], s.reuseGuard[:])
	return n
}

// senderDataKey is RFC 9420 §6.3.2: key and nonce from a sample of the
// ciphertext, its first hash-length bytes.
func senderDataKey(p *suiteParams, secret, ciphertext []byte) (key, nonce []byte) {
	sample := ciphertext[:min(p.nh, len(ciphertext))]
	return p.expandWithLabel(secret, "key", sample, p.nk), p.expandWithLabel(secret, "nonce", sample, p.nn)
}

// sealPrivate encrypts signed content under one generation of the sender's
// ratchet, RFC 9420 §6.3. The content is padded with zeros until the whole
// PrivateMessageContent has padTo bytes (less if it is longer already).
func sealPrivate(p *suiteParams, a *authenticatedContent, senderSecret []byte, k messageKey, padTo int) (*privateMessage, error) {
	var e encoder
	a.content.encodeBody(&e)
	a.auth.encode(&e, a.content.contentType)
	if n := padTo - len(e.b); n > 0 {
		e.raw(make([]byte, n))
	}
	m := &privateMessage{
		groupID:           a.content.groupID,
		epoch:             a.content.epoch,
		contentType:       a.content.contentType,
		authenticatedData: a.content.authenticatedData,
	}
	s := senderData{leaf: a.content.sender.index, generation: k.generation}
	rand.Read(s.reuseGuard[:])
	m.ciphertext = p.seal(k.key, s.guard(k.nonce), m.contentAAD(), e.b)
	key, nonce := senderDataKey(p, senderSecret, m.ciphertext)
	m.encryptedSenderData = p.seal(key, nonce, m.senderAAD(), marshal(&s))
	clear(key)
	return m, nil
}

// openSenderData tells whose message this is and under which generation. The
// answer is only as good as the epoch's shared secret: any member could have
// written it, the signature decides.
func openSenderData(p *suiteParams, m *privateMessage, senderSecret []byte) (*senderData, error) {
	key, nonce := senderDataKey(p, senderSecret, m.ciphertext)
	defer clear(key)
	pt, err := p.open(key, nonce, m.senderAAD(), m.encryptedSenderData)
	if err != nil {
		return nil, ErrDecrypt
	}
	s := new(senderData)
	if unmarshal(pt, s) != nil {
		return nil, errSenderData
	}
	return s, nil
}

// openPrivate decrypts content and checks its form, RFC 9420 §6.3.1. The
// signature is the caller's to check.
func openPrivate(p *suiteParams, m *privateMessage, s *senderData, k messageKey) (*authenticatedContent, error) {
	pt, err := p.open(k.key, s.guard(k.nonce), m.contentAAD(), m.ciphertext)
	if err != nil {
		return nil, ErrDecrypt
	}
	defer clear(pt)
	a := &authenticatedContent{wireFormat: wirePrivateMessage, content: framedContent{
		groupID:           m.groupID,
		epoch:             m.epoch,
		sender:            sender{senderMember, s.leaf},
		authenticatedData: m.authenticatedData,
		contentType:       m.contentType,
	}}
	d := &decoder{b: pt}
	a.content.decodeBody(d)
	a.auth.decode(d, m.contentType)
	if d.err != nil {
		return nil, errPrivateContent
	}
	// §6.3.1: the padding is all zero; a receiver MUST check.
	for _, b := range d.b {
		if b != 0 {
			return nil, errPadding
		}
	}
	return a, nil
}
