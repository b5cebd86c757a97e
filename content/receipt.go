package content

import (
	"bytes"
	"slices"

	"hearth/wire"
)

// MaxReceipt bounds the messages that one receipt names.
const MaxReceipt = 64

// Receipt is the body of KindReceipt (protocol §3): what of the others' messages
// has reached a person's device, and what the person was shown. It is
// cumulative: a message that is named stands for itself and for all that the
// same device sent to the conversation before it. Messages are named by their
// ids, which stay the same when a message is encrypted again, when leaves change
// and when the conversation moves to another room, and which nobody can know who
// has not read the message.
//
// Of one sender several messages are named where the newer ones end sooner: who
// hears the receipt late still has one of them.
type Receipt struct {
	_         struct{} `cbor:",toarray"`
	Delivered []MessageID
	Read      []MessageID // delivered too: not named there
}

// Encode returns the receipt's bytes, its ids in order.
func (r Receipt) Encode() ([]byte, error) {
	r.Delivered, r.Read = sorted(r.Delivered), sorted(r.Read)
	if err := r.check(); err != nil {
		return nil, refused(err)
	}
	return wire.Encode(r), nil
}

// ParseReceipt reads what Encode wrote, strictly.
func ParseReceipt(b []byte) (Receipt, error) {
	var r Receipt
	if len(b) > MaxReceipt*(len(MessageID{})+2)+16 {
		return Receipt{}, refused(errTooLong)
	}
	if err := decMode.Unmarshal(b, &r); err != nil {
		return Receipt{}, refused(err)
	}
	if err := r.check(); err != nil {
		return Receipt{}, refused(err)
	}
	if !bytes.Equal(wire.Encode(r), b) {
		return Receipt{}, refused(errAmbiguous)
	}
	return r, nil
}

// check wants each message once, in order.
func (r Receipt) check() error {
	switch n := len(r.Delivered) + len(r.Read); {
	case n == 0:
		return errForm
	case n > MaxReceipt:
		return errTooMany
	}
	for _, list := range [][]MessageID{r.Delivered, r.Read} {
		for i, id := range list {
			if id[0] != hashSHA256 {
				return errForm
			}
			if i > 0 && compareIDs(list[i-1], id) >= 0 {
				return errAmbiguous
			}
		}
	}
	for _, id := range r.Delivered {
		if slices.Contains(r.Read, id) {
			return errAmbiguous
		}
	}
	return nil
}

func sorted(ids []MessageID) []MessageID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, compareIDs)
	return ids
}

func compareIDs(a, b MessageID) int { return bytes.Compare(a[:], b[:]) }
