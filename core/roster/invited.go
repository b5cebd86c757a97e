package roster

import (
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// LeaveInvited is NewLeave for a device that was invited and does not come: it
// names the one leaf that it can know, that of its KeyPackage (protocol §6). If
// the account has other leaves by then, the word is void.
func LeaveInvited(key identity.DeviceKey, c *identity.Chain, id ConversationID, kp *mls.KeyPackage) Evidence {
	body := wire.Encode(leave{
		Version: evidenceVersion, Conversation: id, Account: c.Account(), Device: key.ID(), Position: c.Position(),
		Leaves: []LeafHash{HashLeaf(kp.Leaf())},
	})
	return Evidence{Kind: EvidenceLeave, Body: body, Signature: key.Sign(identity.LabelLeave, body)}
}

// Claims returns which conversation and account evidence speaks of, before
// anything of it was checked: only to find the chain to check it with.
func (e Evidence) Claims() (ConversationID, wire.AccountID, error) {
	s, err := e.read()
	return s.conversation, s.account, err
}
