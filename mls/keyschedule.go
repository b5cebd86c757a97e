package mls

import "crypto/hmac"

// groupContext is RFC 9420 §8.1: what all members of an epoch agree on. Every
// signature and every epoch secret is bound to it.
type groupContext struct {
	suite                   Suite
	groupID                 []byte
	epoch                   uint64
	treeHash                []byte
	confirmedTranscriptHash []byte
	extensions              []Extension
}

func (c *groupContext) encode(e *encoder) {
	e.u16(versionMLS10)
	e.u16(uint16(c.suite))
	e.vec(c.groupID)
	e.u64(c.epoch)
	e.vec(c.treeHash)
	e.vec(c.confirmedTranscriptHash)
	encodeExtensions(e, c.extensions)
}

func (c *groupContext) decode(d *decoder) {
	if v := d.u16(); d.err == nil && v != versionMLS10 {
		d.fail(errProtocolVersion)
		return
	}
	c.suite = Suite(d.u16())
	c.groupID = d.vec()
	c.epoch = d.u64()
	c.treeHash = d.vec()
	c.confirmedTranscriptHash = d.vec()
	c.extensions = decodeExtensions(d)
}

// epochKeys are the secrets of one epoch, RFC 9420 §8, table 4. What the
// schedule only passes through (joiner_secret, welcome_secret, epoch_secret,
// encryption_secret) is not here: it is handed on once and wiped (§9.2).
type epochKeys struct {
	senderData    []byte
	exporter      []byte
	external      []byte
	confirmation  []byte
	membership    []byte
	resumption    []byte
	authenticator []byte
	init          []byte
}

func (k *epochKeys) all() []*[]byte {
	return []*[]byte{&k.senderData, &k.exporter, &k.external, &k.confirmation,
		&k.membership, &k.resumption, &k.authenticator, &k.init}
}

func (k *epochKeys) wipe() {
	for _, s := range k.all() {
		clear(*s)
		*s = nil
	}
}

func (k *epochKeys) encode(e *encoder) {
	for _, s := range k.all() {
		e.vec(*s)
	}
}

func (k *epochKeys) decode(d *decoder) {
	for _, s := range k.all() {
		*s = d.vec()
	}
}

// joinerSecret is the step of RFC 9420 §8 from the last epoch's init_secret and
// the commit_secret to the secret that Welcomes carry. context is the encoded
// GroupContext of the new epoch.
func joinerSecret(p *suiteParams, initSecret, commitSecret, context []byte) []byte {
	raw := p.extract(initSecret, commitSecret)
	defer clear(raw)
	return p.expandWithLabel(raw, "joiner", context, p.nh)
}

// welcomeSecret is RFC 9420 §8, from the joiner's and the PSKs' secrets.
func welcomeSecret(p *suiteParams, joiner, psk []byte) []byte {
	intermediate := p.extract(joiner, psk)
	defer clear(intermediate)
	return p.deriveSecret(intermediate, "welcome")
}

// newEpochKeys runs the rest of the key schedule, RFC 9420 §8. It also returns
// the encryption_secret, which becomes the root of the secret tree and nothing
// else.
func newEpochKeys(p *suiteParams, joiner, psk, context []byte) (keys *epochKeys, encryptionSecret []byte) {
	intermediate := p.extract(joiner, psk)
	epoch := p.expandWithLabel(intermediate, "epoch", context, p.nh)
	clear(intermediate)
	return keysOfEpochSecret(p, epoch)
}

// keysOfEpochSecret derives table 4 of RFC 9420 §8 and wipes the epoch secret.
func keysOfEpochSecret(p *suiteParams, epoch []byte) (*epochKeys, []byte) {
	defer clear(epoch)
	return &epochKeys{
		senderData:    p.deriveSecret(epoch, "sender data"),
		exporter:      p.deriveSecret(epoch, "exporter"),
		external:      p.deriveSecret(epoch, "external"),
		confirmation:  p.deriveSecret(epoch, "confirm"),
		membership:    p.deriveSecret(epoch, "membership"),
		resumption:    p.deriveSecret(epoch, "resumption"),
		authenticator: p.deriveSecret(epoch, "authentication"),
		init:          p.deriveSecret(epoch, "init"),
	}, p.deriveSecret(epoch, "encryption")
}

// confirmationTag is RFC 9420 §8.1: it proves agreement on the epoch's keys.
func (k *epochKeys) confirmationTag(p *suiteParams, confirmedTranscriptHash []byte) []byte {
	return p.mac(k.confirmation, confirmedTranscriptHash)
}

// macEqual compares two MACs in constant time.
func macEqual(a, b []byte) bool { return hmac.Equal(a, b) }
