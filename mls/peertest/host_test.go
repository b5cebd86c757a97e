package peertest

import (
	"bytes"
	"errors"
	"fmt"

	"hearth/mls"
)

// A host is a member in package mls.
type host struct {
	id       string
	identity mls.Member
	kp       *mls.KeyPackage
	secrets  *mls.KeyPackageSecrets
	group    *mls.Group
	pending  *mls.PendingCommit
	joining  *mls.Group // the state after an external commit of our own
	seen     int        // messages processed
	made     int        // commits made
}

// limits allow everything that is off by default.
var limits = mls.Limits{AllowExternalCommits: true, AllowExternalProposals: true, AllowProposalsByReference: true}

var lifetime = mls.Lifetime{NotAfter: 1<<63 - 1}

// keyPackageHeader makes a KeyPackage an MLSMessage, RFC 9420 §6.
var keyPackageHeader = []byte{0, 1, 0, 5}

func newHost(s uint16, id string) (*host, error) {
	key, err := mls.GenerateSignatureKey(mls.Suite(s))
	if err != nil {
		return nil, err
	}
	able := mls.DefaultCapabilities()
	able.Extensions = append(able.Extensions, groupExtension, leafExtension)
	able.Proposals = append(able.Proposals, customProposal)
	h := &host{id: id, identity: mls.Member{
		Credential:     mls.BasicCredential([]byte(id)),
		SignatureKey:   key,
		Capabilities:   able,
		LeafExtensions: []mls.Extension{{Type: leafExtension, Data: []byte("leaf of " + id)}},
	}}
	h.kp, h.secrets, err = mls.NewKeyPackage(mls.Suite(s), h.identity, lifetime, nil)
	return h, err
}

func (h *host) name() string       { return h.id }
func (h *host) theirs() bool       { return false }
func (h *host) keyPackage() []byte { return append(bytes.Clone(keyPackageHeader), h.kp.Marshal()...) }

func parseKeyPackage(message []byte) (*mls.KeyPackage, error) {
	b, ok := bytes.CutPrefix(message, keyPackageHeader)
	if !ok {
		return nil, errors.New("not an MLSMessage with a KeyPackage")
	}
	return mls.ParseKeyPackage(b)
}

func (h *host) create(groupID []byte, extensions []extension) (err error) {
	h.group, err = mls.NewGroup(mls.GroupConfig{
		Suite: h.kp.Suite, GroupID: groupID, Extensions: extensionsOf(extensions), Limits: limits,
	}, h.identity, lifetime)
	return err
}

func extensionsOf(list []extension) []mls.Extension {
	var out []mls.Extension
	for _, e := range list {
		out = append(out, mls.Extension{Type: e.Type, Data: e.Data})
	}
	return out
}

func external(id []byte) mls.PSK {
	return mls.NewPSK(mls.PSKID{Type: mls.PSKExternal, ID: id}, psks[string(id)])
}

func allPSKs() []mls.PSK {
	var all []mls.PSK
	for id := range psks {
		all = append(all, external([]byte(id)))
	}
	return all
}

func (h *host) commit(p plan) (made, error) {
	h.made++
	o := mls.CommitOptions{InlineTree: p.inlineTree, Public: p.public, PadTo: 256}
	o.ByReference, _ = h.group.PendingProposals()
	pathless := len(o.ByReference) == 0 && len(p.proposals) > 0
	for _, one := range p.proposals {
		switch one.Kind {
		case "add":
			kp, err := parseKeyPackage(one.KeyPackage)
			if err != nil {
				return made{}, err
			}
			if err := kp.Verify(); err != nil {
				return made{}, err
			}
			o.Add = append(o.Add, kp)
		case "remove":
			o.Remove = append(o.Remove, mls.LeafIndex(one.Index))
			pathless = false
		case "psk":
			o.PSKs = append(o.PSKs, external(one.ID))
		case "resumption":
			o.PSKs = append(o.PSKs, h.group.ResumptionPSK(mls.UsageApplication))
		case "custom":
			o.Custom = append(o.Custom, mls.CustomProposal{Type: one.Type, Data: one.Data})
		case "extensions":
			o.Extensions = extensionsOf(one.Extensions)
			pathless = false
		default:
			return made{}, fmt.Errorf("no proposal %q by value", one.Kind)
		}
	}
	if p.newLeaf {
		key, err := mls.GenerateSignatureKey(h.kp.Suite)
		if err != nil {
			return made{}, err
		}
		credential := mls.BasicCredential(fmt.Appendf(nil, "%s, commit %d", h.id, h.made))
		o.Leaf = &mls.LeafChange{Credential: &credential, SignatureKey: key, Extensions: []mls.Extension{}}
	}
	o.NoPath = pathless && !p.newLeaf && h.made%2 == 0
	c, err := h.group.Commit(o)
	if err != nil {
		return made{}, err
	}
	// A pending commit must survive a restart.
	if c, err = h.group.ParsePendingCommit(c.Marshal()); err != nil {
		return made{}, err
	}
	h.pending = c
	welcome := func(keyPackage []byte) []byte {
		kp, err := parseKeyPackage(keyPackage)
		if err != nil {
			return nil
		}
		// One for each, or one for all of them.
		if h.made%4 == 0 {
			return c.WelcomeAll()
		}
		return c.Welcome(kp.Ref())
	}
	return made{c.Message(), welcome, c.RatchetTree()}, nil
}

func (h *host) apply() error {
	if h.joining != nil {
		h.group, h.joining = h.joining, nil
		return nil
	}
	if h.pending == nil {
		return errors.New("no commit is pending")
	}
	h.group, h.pending = h.pending.Staged().Apply(), nil
	return nil
}

func (h *host) drop() error {
	h.pending.Discard()
	h.pending = nil
	return nil
}

func (h *host) forget() {
	if h.group != nil {
		h.group.Wipe()
	}
}

func (h *host) propose(p proposal, public bool) (message []byte, err error) {
	o := mls.ProposeOptions{Public: public, PadTo: 256}
	switch p.Kind {
	case "update":
		message, _, err = h.group.ProposeUpdate(o)
	case "add":
		var kp *mls.KeyPackage
		if kp, err = parseKeyPackage(p.KeyPackage); err == nil {
			message, _, err = h.group.Propose(mls.Proposal{Type: mls.ProposalAdd, Add: kp}, o)
		}
	case "remove":
		message, _, err = h.group.Propose(mls.Proposal{Type: mls.ProposalRemove, Remove: mls.LeafIndex(p.Index)}, o)
	default:
		err = fmt.Errorf("no proposal %q by reference", p.Kind)
	}
	return message, err
}

func (h *host) process(message []byte) (outcome, error) {
	// Now and then first a try that comes to nothing: it must change nothing.
	if h.seen++; h.seen%16 == 0 {
		before := h.group.MarshalRatchets()
		if s, err := h.group.Process(message, mls.WithPSKs(allPSKs()...)); err == nil {
			s.Discard()
		}
		if !bytes.Equal(before, h.group.MarshalRatchets()) {
			return outcome{}, errors.New("processing without applying has changed the state")
		}
	}
	s, err := h.group.Process(message, mls.WithPSKs(allPSKs()...))
	if err != nil {
		return outcome{}, err
	}
	o := outcome{removed: s.SelfRemoved()}
	switch s.Kind() {
	case mls.ContentApplication:
		o.kind, o.data = "application", bytes.Clone(s.Application())
	case mls.ContentProposal:
		o.kind = "proposal"
	case mls.ContentCommit:
		o.kind = "commit"
	}
	if next := s.Apply(); next != nil {
		h.group = next
	}
	return o, nil
}

func (h *host) join(welcome, tree []byte) (err error) {
	h.group, _, err = mls.Join(welcome, h.kp, h.secrets, mls.JoinOptions{RatchetTree: tree, PSKs: allPSKs(), Limits: limits})
	if err == nil {
		h.secrets.Wipe()
	}
	return err
}

func (h *host) groupInfo(inlineTree bool) ([]byte, error) { return h.group.GroupInfo(true, inlineTree) }

func (h *host) joinExternally(groupInfo, tree []byte) (commit []byte, err error) {
	commit, h.joining, err = mls.JoinExternally(groupInfo, h.identity, lifetime, mls.ExternalOptions{RatchetTree: tree, Limits: limits})
	return commit, err
}

func (h *host) encrypt(data []byte) ([]byte, error) { return h.group.Encrypt(data, 256) }

func (h *host) status() (status, error) {
	exported, err := h.group.Export(exportLabel, exportContext, 32)
	if err != nil {
		return status{}, err
	}
	g := h.group
	return status{g.Epoch(), string(g.EpochAuthenticator()), string(exported), string(g.TreeHash()),
		string(g.ConfirmedTranscriptHash()), uint32(g.OwnLeaf())}, nil
}

func (h *host) tree() ([]byte, error) { return h.group.RatchetTree(), nil }

// restart forgets everything but the saved state.
func (h *host) restart() error {
	epoch, ratchets := h.group.MarshalEpoch(), h.group.MarshalRatchets()
	g, err := mls.ParseGroup(epoch, ratchets)
	if err != nil {
		return err
	}
	if !bytes.Equal(g.MarshalEpoch(), epoch) || !bytes.Equal(g.MarshalRatchets(), ratchets) {
		return errors.New("restored state is saved in other bytes")
	}
	h.group = g
	return nil
}
