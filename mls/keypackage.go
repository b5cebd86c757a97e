package mls

import "bytes"

// KeyPackage is what a client publishes to be added to groups, RFC 9420 §10.
// Use it once: NewKeyPackage makes more. Read it, never change it.
type KeyPackage struct {
	Version    uint16 // 1 is mls10
	Suite      Suite
	InitKey    []byte // HPKE public key that a Welcome is sealed to
	Extensions []Extension
	Signature  []byte

	leaf *LeafNode
}

// Leaf returns the leaf that the client will have in the group.
func (k *KeyPackage) Leaf() *LeafNode { return k.leaf }

func (k *KeyPackage) encode(e *encoder) {
	k.encodeUnsigned(e)
	e.vec(k.Signature)
}

// encodeUnsigned writes KeyPackageTBS, RFC 9420 §10.
func (k *KeyPackage) encodeUnsigned(e *encoder) {
	e.u16(k.Version)
	e.u16(uint16(k.Suite))
	e.vec(k.InitKey)
	k.leaf.encode(e)
	encodeExtensions(e, k.Extensions)
}

func (k *KeyPackage) decode(d *decoder) {
	k.Version = d.u16()
	k.Suite = Suite(d.u16())
	k.InitKey = d.vec()
	k.leaf = new(LeafNode)
	k.leaf.decode(d)
	k.Extensions = decodeExtensions(d)
	k.Signature = d.vec()
}

// Marshal returns the KeyPackage's encoding, without the frame of an MLSMessage.
func (k *KeyPackage) Marshal() []byte { return marshal(k) }

// ParseKeyPackage reads what Marshal wrote. It checks the form only: call Verify
// before use.
func ParseKeyPackage(b []byte) (*KeyPackage, error) {
	k := new(KeyPackage)
	if err := unmarshal(b, k); err != nil {
		return nil, err
	}
	return k, nil
}

// Equal says whether two KeyPackages have the same encoding.
func (k *KeyPackage) Equal(o *KeyPackage) bool { return bytes.Equal(marshal(k), marshal(o)) }

// Ref is the KeyPackageRef of RFC 9420 §5.2, which names the KeyPackage in a
// Welcome. It is nil for a suite this package doesn't have.
func (k *KeyPackage) Ref() []byte {
	p, err := k.Suite.params()
	if err != nil {
		return nil
	}
	return p.refHash("MLS 1.0 KeyPackage Reference", marshal(k))
}

const keyPackageLabel = "KeyPackageTBS"

// Verify makes all checks of RFC 9420 §10.1 that need no group: version and
// suite, both signatures, the leaf by itself (§7.3), and keys that are keys. The
// lifetime and the credential are the caller's to judge.
func (k *KeyPackage) Verify() error {
	p, err := k.Suite.params()
	if err != nil {
		return err
	}
	if k.Version != versionMLS10 {
		return invalid("§10.1", "the KeyPackage's version is not mls10")
	}
	if k.leaf.Source != LeafFromKeyPackage {
		return invalid("§7.3", "the leaf of a KeyPackage has another source")
	}
	if err := k.leaf.check(p); err != nil {
		return err
	}
	if err := k.leaf.checkSuite(k.Suite); err != nil {
		return err
	}
	if err := k.leaf.verifySignature(p, nil, 0); err != nil {
		return err
	}
	for _, x := range k.Extensions {
		if !k.leaf.Capabilities.SupportsExtension(x.Type) {
			return invalid("§10", "a KeyPackage carries an extension that its capabilities lack")
		}
	}
	if err := p.checkPublicKey(k.InitKey); err != nil {
		return err
	}
	// RFC 9420 §10.1: one key for both would tie the Welcome's secrecy to the
	// tree's.
	if bytes.Equal(k.InitKey, k.leaf.EncryptionKey) {
		return invalid("§10.1", "the init key and the leaf's encryption key are the same")
	}
	var e encoder
	k.encodeUnsigned(&e)
	if p.verifyWithLabel(k.leaf.SignatureKey, keyPackageLabel, e.b, k.Signature) != nil {
		return invalid("§10.1", "the KeyPackage's signature does not verify")
	}
	return nil
}

// Member is what a client brings to a group: who it is and the key it signs
// with. A zero Capabilities stands for DefaultCapabilities.
type Member struct {
	Credential     Credential
	SignatureKey   *SignatureKey
	Capabilities   Capabilities
	LeafExtensions []Extension
}

// newLeaf returns the member's leaf, without encryption key and signature. It
// shares no memory with m, which stays the caller's.
func (m *Member) newLeaf(source uint8) *LeafNode {
	l := &LeafNode{
		SignatureKey: m.SignatureKey.Public(),
		Credential:   m.Credential.clone(),
		Capabilities: m.Capabilities.clone(),
		Source:       source,
		Extensions:   cloneExtensions(m.LeafExtensions),
	}
	if l.Capabilities.Versions == nil && l.Capabilities.Credentials == nil {
		l.Capabilities = DefaultCapabilities()
	}
	return l
}

// KeyPackageSecrets are the private keys behind one KeyPackage. It prints as
// "secret". The init key must be wiped once a Welcome was opened with it
// (RFC 9420 §10, §16.8).
type KeyPackageSecrets struct {
	suite     Suite
	initKey   secret
	leafKey   secret
	signature *SignatureKey
}

// NewKeyPackage makes a fresh KeyPackage with its private keys.
func NewKeyPackage(s Suite, m Member, life Lifetime, exts []Extension) (*KeyPackage, *KeyPackageSecrets, error) {
	p, err := s.params()
	if err != nil {
		return nil, nil, err
	}
	if m.SignatureKey == nil || m.SignatureKey.suite != s {
		return nil, nil, errSignatureKey
	}
	initPriv, initPub, err := p.generateKeyPair()
	if err != nil {
		return nil, nil, err
	}
	leafPriv, leafPub, err := p.generateKeyPair()
	if err != nil {
		return nil, nil, err
	}
	k := &KeyPackage{Version: versionMLS10, Suite: s, InitKey: initPub, Extensions: cloneExtensions(exts), leaf: m.newLeaf(LeafFromKeyPackage)}
	k.leaf.EncryptionKey = leafPub
	k.leaf.Lifetime = life
	if err := k.leaf.sign(p, m.SignatureKey, nil, 0); err != nil {
		return nil, nil, err
	}
	var e encoder
	k.encodeUnsigned(&e)
	if k.Signature, err = p.signWithLabel(m.SignatureKey.priv.bytes(), keyPackageLabel, e.b); err != nil {
		return nil, nil, err
	}
	if err := k.Verify(); err != nil {
		return nil, nil, err
	}
	return k, &KeyPackageSecrets{s, newSecret(initPriv), newSecret(leafPriv), m.SignatureKey}, nil
}

// keyPackageSecretsFormat is the first byte of what Marshal writes.
const keyPackageSecretsFormat = 1

// Marshal returns the private keys for storing them sealed: a secret itself.
func (s *KeyPackageSecrets) Marshal() []byte {
	var e encoder
	e.u8(keyPackageSecretsFormat)
	e.u16(uint16(s.suite))
	e.vec(s.initKey.bytes())
	e.vec(s.leafKey.bytes())
	e.vec(s.signature.priv.bytes())
	return e.b
}

// ParseKeyPackageSecrets reads what Marshal wrote.
func ParseKeyPackageSecrets(b []byte) (*KeyPackageSecrets, error) {
	d := decoder{b: b}
	if d.u8() != keyPackageSecretsFormat {
		d.fail(invalid("§10", "stored KeyPackage secrets have an unknown format"))
	}
	s := &KeyPackageSecrets{suite: Suite(d.u16()), initKey: newSecret(d.vec()), leafKey: newSecret(d.vec())}
	raw := d.vec()
	defer clear(raw)
	if d.err == nil && len(d.b) > 0 {
		d.fail(invalid("§2.1", "bytes follow stored KeyPackage secrets"))
	}
	if d.err != nil {
		return nil, d.err
	}
	p, err := s.suite.params()
	if err != nil {
		return nil, err
	}
	for _, key := range []secret{s.initKey, s.leafKey} {
		if _, err := p.publicOf(key.bytes()); err != nil {
			return nil, err
		}
	}
	s.signature, err = NewSignatureKey(s.suite, raw)
	return s, err
}

// matches says whether s holds the private keys of k.
func (s *KeyPackageSecrets) matches(k *KeyPackage) bool {
	p, err := s.suite.params()
	if err != nil || k.Suite != s.suite {
		return false
	}
	initPub, err1 := p.publicOf(s.initKey.bytes())
	leafPub, err2 := p.publicOf(s.leafKey.bytes())
	return err1 == nil && err2 == nil && bytes.Equal(initPub, k.InitKey) &&
		bytes.Equal(leafPub, k.leaf.EncryptionKey) && bytes.Equal(s.signature.pub, k.leaf.SignatureKey)
}

// Wipe overwrites the init key and the leaf's encryption key. The signature key
// is not this value's own: other KeyPackages and groups may use it.
func (s *KeyPackageSecrets) Wipe() {
	s.initKey.wipe()
	s.leafKey.wipe()
}

// String hides the keys.
func (*KeyPackageSecrets) String() string { return "secret" }

// GoString hides the keys.
func (*KeyPackageSecrets) GoString() string { return "secret" }
