package mls

// newOwnLeaf makes the leaf of a group's first member, or of one who joins by
// external commit, with its private key. It is signed as a KeyPackage's leaf
// is; a path replaces that at once.
func newOwnLeaf(p *suiteParams, m Member, life Lifetime) (*LeafNode, []byte, error) {
	if m.SignatureKey == nil || m.SignatureKey.suite != p.suite {
		return nil, nil, errSignatureKey
	}
	priv, pub, err := p.generateKeyPair()
	if err != nil {
		return nil, nil, err
	}
	l := m.newLeaf(LeafFromKeyPackage)
	l.EncryptionKey = pub
	l.Lifetime = life
	if err := l.sign(p, m.SignatureKey, nil, 0); err != nil {
		return nil, nil, err
	}
	return l, priv, nil
}
