package mls

// ProposalType is RFC 9420 §17.4.
type ProposalType uint16

// The proposals of the RFC. Any other number is a custom proposal, whose body
// is one opaque string.
const (
	ProposalAdd                    ProposalType = 1
	ProposalUpdate                 ProposalType = 2
	ProposalRemove                 ProposalType = 3
	ProposalPSK                    ProposalType = 4
	ProposalReInit                 ProposalType = 5
	ProposalExternalInit           ProposalType = 6
	ProposalGroupContextExtensions ProposalType = 7
)

// isDefault tells the types that every client must support (§7.2), which are
// therefore never listed in capabilities.
func (t ProposalType) isDefault() bool {
	return t >= ProposalAdd && t <= ProposalGroupContextExtensions
}

// Proposal is RFC 9420 §12.1: one change to a group. Only the field that
// belongs to Type is meant.
type Proposal struct {
	Type       ProposalType
	Add        *KeyPackage
	Update     *LeafNode
	Remove     LeafIndex
	PSK        PSKID
	ReInit     *ReInit
	KEMOutput  []byte      // of ExternalInit
	Extensions []Extension // of GroupContextExtensions
	Custom     []byte      // body of any other type
}

// ReInit is RFC 9420 §12.1.5: the parameters of the group that takes over.
type ReInit struct {
	GroupID    []byte
	Version    uint16
	Suite      Suite
	Extensions []Extension
}

// CustomProposal is a proposal of a type that is not the RFC's. Every member
// must list Type in its capabilities. Sender is set on receipt.
type CustomProposal struct {
	Type   uint16
	Data   []byte
	Sender LeafIndex
}

func (r *ReInit) encode(e *encoder) {
	e.vec(r.GroupID)
	e.u16(r.Version)
	e.u16(uint16(r.Suite))
	encodeExtensions(e, r.Extensions)
}

func (r *ReInit) decode(d *decoder) {
	r.GroupID = d.vec()
	r.Version = d.u16()
	r.Suite = Suite(d.u16())
	r.Extensions = decodeExtensions(d)
}

func (p *Proposal) encode(e *encoder) {
	e.u16(uint16(p.Type))
	switch p.Type {
	case ProposalAdd:
		p.Add.encode(e)
	case ProposalUpdate:
		p.Update.encode(e)
	case ProposalRemove:
		e.u32(uint32(p.Remove))
	case ProposalPSK:
		p.PSK.encode(e)
	case ProposalReInit:
		p.ReInit.encode(e)
	case ProposalExternalInit:
		e.vec(p.KEMOutput)
	case ProposalGroupContextExtensions:
		encodeExtensions(e, p.Extensions)
	default:
		e.vec(p.Custom)
	}
}

func (p *Proposal) decode(d *decoder) {
	p.Type = ProposalType(d.u16())
	if d.err != nil {
		return
	}
	switch p.Type {
	case 0:
		d.fail(errProposalType) // §17.4: reserved
	case ProposalAdd:
		p.Add = new(KeyPackage)
		p.Add.decode(d)
	case ProposalUpdate:
		p.Update = new(LeafNode)
		p.Update.decode(d)
	case ProposalRemove:
		p.Remove = LeafIndex(d.u32())
	case ProposalPSK:
		p.PSK.decode(d)
	case ProposalReInit:
		p.ReInit = new(ReInit)
		p.ReInit.decode(d)
	case ProposalExternalInit:
		p.KEMOutput = d.vec()
	case ProposalGroupContextExtensions:
		p.Extensions = decodeExtensions(d)
	default:
		p.Custom = d.vec()
	}
}

// Marshal gives the encoded proposal.
func (p *Proposal) Marshal() []byte { return marshal(p) }

// ParseProposal reads what Marshal gave. It checks the form only.
func ParseProposal(b []byte) (*Proposal, error) {
	p := new(Proposal)
	if err := unmarshal(b, p); err != nil {
		return nil, err
	}
	return p, nil
}
