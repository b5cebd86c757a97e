package mls

import (
	"math/rand/v2"
	"slices"
)

// Capabilities is what a client says it supports, RFC 9420 §7.2. Values that
// nobody knows are legal and mean nothing (§13.5).
type Capabilities struct {
	Versions    []uint16
	Suites      []uint16
	Extensions  []uint16 // beyond the five of §17.3, which all support
	Proposals   []uint16 // beyond the seven of §17.4, which all support
	Credentials []uint16
}

// DefaultCapabilities returns what this package supports: version mls10, all its
// suites, basic credentials; and one GREASE value in each open list, chosen anew
// at each call, so that peers stay used to unknown ones (RFC 9420 §13.5).
func DefaultCapabilities() Capabilities {
	c := Capabilities{
		Versions:    []uint16{versionMLS10},
		Extensions:  []uint16{grease()},
		Proposals:   []uint16{grease()},
		Credentials: []uint16{CredentialBasic, grease()},
	}
	for _, s := range Suites() {
		c.Suites = append(c.Suites, uint16(s))
	}
	c.Suites = append(c.Suites, grease())
	return c
}

// grease returns one of the fifteen reserved values of RFC 9420 §13.5.
func grease() uint16 { return 0x0A0A + 0x1010*uint16(rand.IntN(15)) }

func (c *Capabilities) clone() Capabilities {
	return Capabilities{slices.Clone(c.Versions), slices.Clone(c.Suites), slices.Clone(c.Extensions),
		slices.Clone(c.Proposals), slices.Clone(c.Credentials)}
}

func encodeTypes(e *encoder, types []uint16) {
	e.list(func(e *encoder) {
		for _, t := range types {
			e.u16(t)
		}
	})
}

func decodeTypes(d *decoder) (types []uint16) {
	d.list(func(d *decoder) { types = append(types, d.u16()) })
	return types
}

func (c *Capabilities) encode(e *encoder) {
	encodeTypes(e, c.Versions)
	encodeTypes(e, c.Suites)
	encodeTypes(e, c.Extensions)
	encodeTypes(e, c.Proposals)
	encodeTypes(e, c.Credentials)
}

func (c *Capabilities) decode(d *decoder) {
	c.Versions = decodeTypes(d)
	c.Suites = decodeTypes(d)
	c.Extensions = decodeTypes(d)
	c.Proposals = decodeTypes(d)
	c.Credentials = decodeTypes(d)
}

// SupportsExtension says whether the client knows an extension type.
func (c *Capabilities) SupportsExtension(t uint16) bool {
	return defaultExtension(t) || slices.Contains(c.Extensions, t)
}

// SupportsProposal says whether the client knows a proposal type. The types
// 1 to 7 of RFC 9420 §17.4 are known to all.
func (c *Capabilities) SupportsProposal(t uint16) bool {
	return t >= 1 && t <= 7 || slices.Contains(c.Proposals, t)
}

// SupportsCredential says whether the client knows a credential type.
func (c *Capabilities) SupportsCredential(t uint16) bool {
	return slices.Contains(c.Credentials, t)
}

// SupportsSuite says whether the client lists a cipher suite.
func (c *Capabilities) SupportsSuite(s Suite) bool {
	return slices.Contains(c.Suites, uint16(s))
}

// RequiredCapabilities is the GroupContext extension of RFC 9420 §11.1: what
// every member must support.
type RequiredCapabilities struct {
	Extensions, Proposals, Credentials []uint16
}

func (r *RequiredCapabilities) encode(e *encoder) {
	encodeTypes(e, r.Extensions)
	encodeTypes(e, r.Proposals)
	encodeTypes(e, r.Credentials)
}

func (r *RequiredCapabilities) decode(d *decoder) {
	r.Extensions = decodeTypes(d)
	r.Proposals = decodeTypes(d)
	r.Credentials = decodeTypes(d)
}

// Extension returns r as an extension for a GroupContext.
func (r *RequiredCapabilities) Extension() Extension {
	return Extension{Type: ExtensionRequiredCapabilities, Data: marshal(r)}
}

// requiredOf reads the extension from a GroupContext's list; without it nothing
// is required.
func requiredOf(exts []Extension) (*RequiredCapabilities, error) {
	r := new(RequiredCapabilities)
	data, ok := findExtension(exts, ExtensionRequiredCapabilities)
	if !ok {
		return r, nil
	}
	if err := unmarshal(data, r); err != nil {
		return nil, err
	}
	return r, nil
}

// meets says whether a client supports all that is required.
func (c *Capabilities) meets(r *RequiredCapabilities) bool {
	for _, t := range r.Extensions {
		if !c.SupportsExtension(t) {
			return false
		}
	}
	for _, t := range r.Proposals {
		if !c.SupportsProposal(t) {
			return false
		}
	}
	for _, t := range r.Credentials {
		if !c.SupportsCredential(t) {
			return false
		}
	}
	return true
}

func (c *Capabilities) supportsVersion(v uint16) bool { return slices.Contains(c.Versions, v) }
