package mls

// exportSecret is MLS-Exporter of RFC 9420 §8.5. Labels that applications use
// should be registered or carry a name of their own.
func exportSecret(p *suiteParams, exporter []byte, label string, context []byte, n int) ([]byte, error) {
	if n < 0 || n > 255*p.nh {
		return nil, errExportLength
	}
	derived := p.deriveSecret(exporter, label)
	defer clear(derived)
	return p.expandWithLabel(derived, "exported", p.hash(context), n), nil
}
