package mls

// confirmedHash moves the confirmed transcript hash over one commit, RFC 9420
// §8.2. interim is the interim hash of the epoch that the commit ends.
func confirmedHash(p *suiteParams, interim []byte, c *authenticatedContent) []byte {
	var e encoder
	e.raw(interim)
	e.u16(uint16(c.wireFormat))
	c.content.encode(&e)
	e.vec(c.auth.signature)
	return p.hash(e.b)
}

// interimHash closes an epoch's transcript with its confirmation tag, RFC 9420
// §8.2. A group's first epoch has an empty confirmed hash (§11).
func interimHash(p *suiteParams, confirmed, confirmationTag []byte) []byte {
	var e encoder
	e.raw(confirmed)
	e.vec(confirmationTag)
	return p.hash(e.b)
}
