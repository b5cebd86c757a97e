package mls

// applicationLabel keeps what an application seals to an init key apart from
// what MLS itself does, whose labels are "Welcome" and "UpdatePathNode".
const applicationLabel = "Application "

// Seal seals bytes of the application to the holder of the KeyPackage's init
// key alone: RFC 9420 §5.1.3, EncryptWithLabel, under a label of its own. The
// context must be given again to open.
func (k *KeyPackage) Seal(label string, context, plaintext []byte) ([]byte, error) {
	p, err := k.Suite.params()
	if err != nil {
		return nil, err
	}
	kemOutput, ciphertext, err := p.encryptWithLabel(k.InitKey, applicationLabel+label, context, plaintext)
	if err != nil {
		return nil, err
	}
	var e encoder
	e.vec(kemOutput)
	e.vec(ciphertext)
	return e.b, nil
}

// Open opens what Seal sealed to the KeyPackage of these secrets. Every failure
// is the same error.
func (s *KeyPackageSecrets) Open(label string, context, sealed []byte) ([]byte, error) {
	p, err := s.suite.params()
	if err != nil {
		return nil, err
	}
	d := decoder{b: sealed}
	kemOutput, ciphertext := d.vec(), d.vec()
	if d.err != nil || len(d.b) > 0 {
		return nil, errHPKEOpen
	}
	return p.decryptWithLabel(s.initKey.bytes(), applicationLabel+label, context, kemOutput, ciphertext)
}
