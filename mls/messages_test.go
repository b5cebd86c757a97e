package mls

import (
	"errors"
	"testing"
)

// wireValue is anything that reads and writes itself.
type wireValue interface {
	encode(*encoder)
	decode(*decoder)
}

// extensionValue is the body of a GroupContextExtensions proposal.
type extensionValue []Extension

func (l *extensionValue) encode(e *encoder) { encodeExtensions(e, *l) }
func (l *extensionValue) decode(d *decoder) { *l = decodeExtensions(d) }

// opaque is opaque<V>.
type opaque []byte

func (o *opaque) encode(e *encoder) { e.vec(*o) }
func (o *opaque) decode(d *decoder) { *o = d.vec() }

// number is a uint32.
type number uint32

func (n *number) encode(e *encoder) { e.u32(uint32(*n)) }
func (n *number) decode(d *decoder) { *n = number(d.u32()) }

func TestVectorsMessages(t *testing.T) {
	var cases []map[string]hexBytes
	loadVectors(t, "messages.json", &cases)
	kinds := map[string]func() wireValue{
		"mls_welcome":                       func() wireValue { return new(message) },
		"mls_group_info":                    func() wireValue { return new(message) },
		"mls_key_package":                   func() wireValue { return new(message) },
		"group_secrets":                     func() wireValue { return new(groupSecrets) },
		"add_proposal":                      func() wireValue { return new(KeyPackage) },
		"update_proposal":                   func() wireValue { return new(LeafNode) },
		"remove_proposal":                   func() wireValue { return new(number) },
		"pre_shared_key_proposal":           func() wireValue { return new(PSKID) },
		"re_init_proposal":                  func() wireValue { return new(ReInit) },
		"external_init_proposal":            func() wireValue { return new(opaque) },
		"group_context_extensions_proposal": func() wireValue { return new(extensionValue) },
		"commit":                            func() wireValue { return new(commit) },
		"public_message_application":        func() wireValue { return new(message) },
		"public_message_proposal":           func() wireValue { return new(message) },
		"public_message_commit":             func() wireValue { return new(message) },
		"private_message":                   func() wireValue { return new(message) },
	}
	values := 0
	for i, c := range cases {
		for name, raw := range c {
			if name == "ratchet_tree" {
				continue // in the test of the tree's own codec
			}
			make := kinds[name]
			if make == nil {
				t.Fatalf("case %d: unknown kind %s", i, name)
			}
			v := make()
			if err := unmarshal(raw, v); err != nil {
				t.Fatalf("case %d, %s: %v", i, name, err)
			}
			wantBytes(t, name, marshal(v), raw)
			values++
		}
	}
	t.Logf("messages.json: %d cases, %d structures", len(cases), values)
	if len(cases) != 300 || values != 300*16 {
		t.Errorf("messages.json: got %d cases with %d structures, want 300 with 4800", len(cases), values)
	}
}

func TestVectorsMessageProtection(t *testing.T) {
	var cases []struct {
		Suite                   Suite    `json:"cipher_suite"`
		GroupID                 hexBytes `json:"group_id"`
		Epoch                   uint64   `json:"epoch"`
		TreeHash                hexBytes `json:"tree_hash"`
		ConfirmedTranscriptHash hexBytes `json:"confirmed_transcript_hash"`
		SignaturePriv           hexBytes `json:"signature_priv"`
		SignaturePub            hexBytes `json:"signature_pub"`
		EncryptionSecret        hexBytes `json:"encryption_secret"`
		SenderDataSecret        hexBytes `json:"sender_data_secret"`
		MembershipKey           hexBytes `json:"membership_key"`
		Proposal                hexBytes `json:"proposal"`
		ProposalPriv            hexBytes `json:"proposal_priv"`
		ProposalPub             hexBytes `json:"proposal_pub"`
		Commit                  hexBytes `json:"commit"`
		CommitPriv              hexBytes `json:"commit_priv"`
		CommitPub               hexBytes `json:"commit_pub"`
		Application             hexBytes `json:"application"`
		ApplicationPriv         hexBytes `json:"application_priv"`
	}
	loadVectors(t, "message-protection.json", &cases)
	count := countVectors("message-protection.json")
	for _, c := range cases {
		p, ok := count.params(t, c.Suite)
		if !ok {
			continue
		}
		ctx := &groupContext{suite: c.Suite, groupID: c.GroupID, epoch: c.Epoch,
			treeHash: c.TreeHash, confirmedTranscriptHash: c.ConfirmedTranscriptHash}
		key, err := NewSignatureKey(c.Suite, fullScalar(c.Suite, c.SignaturePriv))
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "signature_pub", key.Public(), c.SignaturePub)
		tree := newSecretTree(p, 2, clone(c.EncryptionSecret), Limits{})

		unprotect := func(raw []byte) *authenticatedContent {
			t.Helper()
			m := new(message)
			if err := unmarshal(raw, m); err != nil {
				t.Fatal(err)
			}
			var a *authenticatedContent
			if m.public != nil {
				if a, err = openPublic(p, m.public, c.MembershipKey, ctx); err != nil {
					t.Fatal(err)
				}
			} else {
				s, err := openSenderData(p, m.private, c.SenderDataSecret)
				if err != nil {
					t.Fatal(err)
				}
				k, err := tree.peek(s.leaf, m.private.contentType, s.generation)
				if err != nil {
					t.Fatal(err)
				}
				if a, err = openPrivate(p, m.private, s, k); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.verify(p, c.SignaturePub, ctx); err != nil {
				t.Fatal(err)
			}
			return a
		}
		body := func(a *authenticatedContent) []byte {
			switch a.content.contentType {
			case ContentApplication:
				return a.content.application
			case ContentProposal:
				return marshal(a.content.proposal)
			}
			return marshal(a.content.commit)
		}
		for _, v := range []struct {
			kind ContentType
			raw  []byte
			want []byte
		}{
			{ContentProposal, c.ProposalPub, c.Proposal},
			{ContentProposal, c.ProposalPriv, c.Proposal},
			{ContentCommit, c.CommitPub, c.Commit},
			{ContentCommit, c.CommitPriv, c.Commit},
			{ContentApplication, c.ApplicationPriv, c.Application},
		} {
			a := unprotect(v.raw)
			wantBytes(t, "body", body(a), v.want)

			// And our own protection, read back: leaf 1 sends, as in the vectors.
			own := &authenticatedContent{wireFormat: a.wireFormat, content: a.content}
			own.content.sender = sender{senderMember, 1}
			own.auth.confirmationTag = a.auth.confirmationTag
			if err := own.sign(p, key, ctx); err != nil {
				t.Fatal(err)
			}
			m := &message{}
			if a.wireFormat == wirePublicMessage {
				m.public = sealPublic(p, own, c.MembershipKey, ctx)
			} else {
				k, err := tree.use(1, v.kind)
				if err != nil {
					t.Fatal(err)
				}
				if m.private, err = sealPrivate(p, own, c.SenderDataSecret, k, 100); err != nil {
					t.Fatal(err)
				}
				tree = newSecretTree(p, 2, clone(c.EncryptionSecret), Limits{})
			}
			wantBytes(t, "own body", body(unprotect(marshal(m))), v.want)
		}

		// Application data as a PublicMessage is refused (RFC 9420 §6.2).
		a := &authenticatedContent{wireFormat: wirePublicMessage, content: framedContent{groupID: c.GroupID, epoch: c.Epoch,
			sender: sender{senderMember, 1}, contentType: ContentApplication, application: c.Application}}
		if err := a.sign(p, key, ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := openPublic(p, sealPublic(p, a, c.MembershipKey, ctx), c.MembershipKey, ctx); !errors.Is(err, errPublicAppData) {
			t.Errorf("application data as PublicMessage: got %v, want errPublicAppData", err)
		}
	}
	count.done(t, 5, 2)
}
