package roster

import (
	"slices"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// Asking is what a rejoin request asks for, before anything of it was checked.
type Asking struct {
	Conversation ConversationID
	Account      wire.AccountID
	Device       identity.DeviceID
	// Leaves are those that the device may hold, New the one in its KeyPackage.
	Leaves []LeafHash
	New    LeafHash
	// Suspect is the account that gave the device a seat that does not open;
	// zero: nobody (protocol §2).
	Suspect wire.AccountID
}

// Names reports whether a leaf is among those that the device may hold.
func (a *Asking) Names(h LeafHash) bool { return slices.Contains(a.Leaves, h) }

// Asks reads what a rejoin request in evidence asks for; false: it is none.
func (e Evidence) Asks() (Asking, bool) {
	if e.Kind != EvidenceRejoin {
		return Asking{}, false
	}
	s, err := e.read()
	if err != nil {
		return Asking{}, false
	}
	return Asking{Conversation: s.conversation, Account: s.account, Device: s.device, Leaves: s.leaves, New: s.added, Suspect: s.suspect}, true
}

// Asks reads what an encoded request asks for.
func Asks(request []byte) (Asking, bool) {
	var q RejoinRequest
	if wire.Decode(request, &q) != nil {
		return Asking{}, false
	}
	return q.Evidence.Asks()
}

// Rejoins returns the rejoin requests that a commit carries: of one that Judge
// has accepted, each is carried out by it.
func Rejoins(ch mls.Changes) (out []Asking) {
	for _, p := range ch.Custom {
		if p.Type != ChangeProposal {
			continue
		}
		c, err := ParseChange(p.Data)
		if err != nil {
			continue
		}
		for _, e := range c.Evidence {
			if a, ok := e.Asks(); ok {
				out = append(out, a)
			}
		}
	}
	return out
}
