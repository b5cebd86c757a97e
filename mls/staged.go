package mls

import (
	"fmt"
	"slices"
)

// Staged is what a message would do. Nothing has changed until Apply; a Staged
// that isn't applied is dropped (Discard wipes the secrets of its next epoch).
type Staged struct {
	before     *Group
	content    *authenticatedContent
	generation uint32
	ref        []byte // of a proposal sent by itself

	// Of commits:
	next      *Group // nil where the commit removes us
	list      []resolved
	added     []LeafIndex // of the Add proposals in list, in order
	committer LeafIndex   // its place in the next epoch
	external  bool
	removed   bool // we are
	applied   bool
}

// SenderKind says in what role a message was sent.
type SenderKind uint8

// The kinds of sender, RFC 9420 §6.
const (
	FromMember            = SenderKind(senderMember)
	FromExternal          = SenderKind(senderExternal)
	FromNewMemberProposal = SenderKind(senderNewMemberProposal)
	FromNewMemberCommit   = SenderKind(senderNewMemberCommit)
)

// Kind is what the message carries.
func (s *Staged) Kind() ContentType { return s.content.content.contentType }

// Sender is the leaf that sent the message; member is false where it came from
// outside: then the index is that of an external sender, of the joiner's new
// leaf (external commit), or meaningless.
func (s *Staged) Sender() (index LeafIndex, member bool) {
	from := s.content.content.sender
	if from.kind == senderNewMemberCommit {
		return s.committer, false
	}
	return LeafIndex(from.index), from.kind == senderMember
}

// SenderKind is the role of the sender.
func (s *Staged) SenderKind() SenderKind { return SenderKind(s.content.content.sender.kind) }

// SenderLeaf is the sender's leaf as it was when the message was sent, or nil
// for a sender from outside.
func (s *Staged) SenderLeaf() *LeafNode {
	if i, ok := s.Sender(); ok {
		return s.before.tree.leaf(i)
	}
	return nil
}

// Application is the plaintext of an application message.
func (s *Staged) Application() []byte { return s.content.content.application }

// Private says whether the message came as a PrivateMessage, RFC 9420 §6.3.
func (s *Staged) Private() bool { return s.content.wireFormat == wirePrivateMessage }

// AuthenticatedData is what travelled in the clear beside the content, signed.
func (s *Staged) AuthenticatedData() []byte { return s.content.content.authenticatedData }

// Generation is the generation of the sender's ratchet that sealed the message;
// 0 for a PublicMessage.
func (s *Staged) Generation() uint32 { return s.generation }

// SignedContent is the exact FramedContentTBS (RFC 9420 §6.1), GroupContext
// included, and the sender's signature over it: enough to prove later what was
// sent. The signed string is VerifySigned's to rebuild.
func (s *Staged) SignedContent() (tbs, signature []byte) {
	return s.content.tbs(&s.before.ctx), slices.Clone(s.content.auth.signature)
}

// VerifySigned checks a pair from SignedContent with the public signature key
// of a leaf.
func VerifySigned(s Suite, signatureKey, tbs, signature []byte) error {
	p, err := s.params()
	if err != nil {
		return err
	}
	return p.verifyWithLabel(signatureKey, labelFramedContent, tbs, signature)
}

// Proposal is the proposal of a message that carries one by itself.
func (s *Staged) Proposal() *Proposal { return s.content.content.proposal }

// ProposalRef is the name under which a commit refers to that proposal.
func (s *Staged) ProposalRef() []byte { return slices.Clone(s.ref) }

// SelfRemoved says that a commit takes us out of the group. Apply then returns
// nil.
func (s *Staged) SelfRemoved() bool { return s.removed }

// Epoch is the epoch after Apply.
func (s *Staged) Epoch() uint64 {
	if s.Kind() == ContentCommit {
		return s.before.ctx.epoch + 1
	}
	return s.before.ctx.epoch
}

// Export is the next epoch's exporter, before Apply. For anything but a commit
// it is the current epoch's.
func (s *Staged) Export(label string, context []byte, n int) ([]byte, error) {
	if s.Kind() != ContentCommit {
		return s.before.Export(label, context, n)
	}
	if s.next == nil {
		return nil, ErrRemoved
	}
	return s.next.Export(label, context, n)
}

// Next is the group as it would be after Apply, to look at: nil where a commit
// removes us, and the current group for anything but a commit. Don't step it
// before Apply.
func (s *Staged) Next() *Group {
	if s.Kind() != ContentCommit {
		return s.before
	}
	return s.next
}

// Apply makes it so and returns the next state. After a commit the old Group
// must not be used: its secrets are wiped (RFC 9420 §9.2). It is nil when the
// commit removed us. After an application message or a proposal it is the same
// Group, changed. To apply a commit when another has been applied to the same
// state is a bug of the caller's, and panics.
func (s *Staged) Apply() *Group {
	g := s.before
	switch s.Kind() {
	case ContentCommit:
		if s.applied {
			return s.next
		}
		if g.gone {
			panic("mls: a staged commit was applied to a state that another has replaced")
		}
		s.applied = true
		if s.next != nil {
			g.retire(s.next)
			return s.next
		}
		g.Wipe()
		return nil
	case ContentProposal:
		if g.findPending(s.ref) == nil {
			g.pending = append(g.pending, pendingProposal{ref: s.ref, sender: s.content.content.sender, proposal: s.content.content.proposal})
		}
	}
	if s.content.wireFormat == wirePrivateMessage {
		// §9.2: the key of a message that was read is deleted.
		g.secrets.consume(s.content.content.sender.index, s.Kind(), s.generation)
	}
	return g
}

// remember keeps the resumption secret of the epoch that ends, if Limits say so.
func (g *Group) remember(old *Group) {
	if g.limits.KeepEpochs <= 0 || old.keys.resumption == nil {
		return
	}
	g.past = nil
	for _, e := range append(old.past, pastEpoch{old.ctx.epoch, old.keys.resumption}) {
		g.past = append(g.past, pastEpoch{e.epoch, slices.Clone(e.secret)})
	}
	if n := len(g.past) - g.limits.KeepEpochs; n > 0 {
		g.past = slices.Delete(g.past, 0, n)
	}
}

// Discard wipes the next epoch's secrets of a commit that will not be applied.
// After Apply it does nothing.
func (s *Staged) Discard() {
	if s.next == nil || s.next.gone || s.applied {
		return
	}
	if s.before.gone { // another commit has won; path keys may be shared with it
		s.next.keys.wipe()
		s.next.secrets.wipe()
		s.next.forget()
		return
	}
	s.next.retire(s.before)
}

// Format keeps secrets out of logs for every verb.
func (s *Staged) Format(f fmt.State, _ rune) { fmt.Fprint(f, "mls.Staged(secret)") }
