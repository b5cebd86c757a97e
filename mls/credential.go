package mls

import "bytes"

// The credential types of RFC 9420 §5.3.
const (
	CredentialBasic uint16 = 1
	CredentialX509  uint16 = 2
)

// Credential says who a leaf belongs to, RFC 9420 §5.3. What it is worth is for
// the application to check, in its part as Authentication Service (§5.3.1):
// with X.509, also that the first certificate's key is the leaf's SignatureKey.
type Credential struct {
	Type         uint16   // CredentialBasic or CredentialX509
	Identity     []byte   // basic: the identity, as the application writes it
	Certificates [][]byte // X.509: DER, the member's own certificate first
}

// BasicCredential returns a credential that holds an identity and nothing else.
func BasicCredential(identity []byte) Credential {
	return Credential{Type: CredentialBasic, Identity: clone(identity)}
}

// Equal says whether two credentials have the same encoding.
func (c *Credential) Equal(o *Credential) bool { return bytes.Equal(marshal(c), marshal(o)) }

func (c *Credential) clone() Credential {
	d := Credential{Type: c.Type, Identity: clone(c.Identity)}
	for _, cert := range c.Certificates {
		d.Certificates = append(d.Certificates, clone(cert))
	}
	return d
}

func (c *Credential) encode(e *encoder) {
	e.u16(c.Type)
	if c.Type == CredentialX509 {
		e.list(func(e *encoder) {
			for _, cert := range c.Certificates {
				e.vec(cert)
			}
		})
		return
	}
	e.vec(c.Identity)
}

// decode refuses types it doesn't know: their length isn't known either.
func (c *Credential) decode(d *decoder) {
	c.Type = d.u16()
	switch c.Type {
	case CredentialBasic:
		c.Identity = d.vec()
	case CredentialX509:
		d.list(func(d *decoder) { c.Certificates = append(c.Certificates, d.vec()) })
		if d.err == nil && len(c.Certificates) == 0 {
			d.fail(invalid("§5.3", "an X.509 credential has no certificate"))
		}
	default:
		d.fail(invalid("§5.3", "the credential's type is not supported"))
	}
}
