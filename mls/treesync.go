package mls

// check makes the checks of RFC 9420 §7.2 and §7.3 that need nothing but the
// leaf itself and the suite: not the signature, and nothing about other members.
func (l *LeafNode) check(p *suiteParams) error {
	if _, err := p.publicKey(l.EncryptionKey); err != nil {
		return err
	}
	if !p.sig.check(l.SignatureKey) {
		return errSignatureKey
	}
	c := &l.Capabilities
	if !c.supportsVersion(versionMLS10) {
		return invalid("§7.2", "a leaf's capabilities lack the version mls10")
	}
	if !c.SupportsSuite(p.suite) {
		return invalid("§7.2", "a leaf's capabilities lack the cipher suite it is used with")
	}
	if !c.SupportsCredential(l.Credential.Type) {
		return invalid("§7.2", "a leaf's capabilities lack the type of its own credential")
	}
	for _, x := range l.Extensions {
		if !c.SupportsExtension(x.Type) {
			return invalid("§7.3", "a leaf carries an extension that its capabilities lack")
		}
	}
	return nil
}
