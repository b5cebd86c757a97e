package letter

import (
	"encoding/binary"
	"errors"

	"hearth/identity"
	"hearth/wire"
)

// Notice is what a seat says outside of epochs, even when its device is stuck
// (protocol §5). It is signed by the leaf, and sealed under the link key of an
// epoch, so that only who was there then reads it, and the server does not.
type Notice struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Kind    NoticeKind
	// Room and Epoch are where it was said: Epoch is that of the link key which
	// seals it, the newest that its writer has entered.
	Room  wire.RoomID
	Epoch wire.Epoch
	// Leaf is the writer's place in that epoch's tree, of Device of Account.
	Leaf    uint32
	Account wire.AccountID
	Device  identity.DeviceID
	Body    []byte
}

// NoticeKind says what a notice's body is.
type NoticeKind uint8

// The kinds. One that isn't known is acknowledged and dropped.
const (
	NoticeOutOfStep NoticeKind = 1 // Rejoin: cannot enter the room's epoch
	NoticeFounding  NoticeKind = 2 // a successor was founded
	// 3 is free: docs/decisions/0030-no-evidence-notices.md
)

// LinkKey is the link key of an epoch.
type LinkKey struct {
	Epoch wire.Epoch
	Key   wire.Secret
}

// NoticeVersion is the version of notices.
const NoticeVersion = 1

const purposeNotice = "hearth notice v1"

// noticeClasses are the sizes of sealed notices, bytes (A47).
var noticeClasses = []int{4 << 10, 8 << 10, wire.MaxNotice}

// MaxNoticeBody is the longest body of a notice, bytes.
const MaxNoticeBody = wire.MaxNotice - sealAdds - sealLength - noticeAdds

// noticeAdds is what a notice and its signature add to its body at most.
const noticeAdds = 256

func (n *Notice) check() error {
	switch {
	case n.Version != NoticeVersion:
		return errForm
	case len(n.Body) > MaxNoticeBody:
		return errLong
	}
	return nil
}

// SealNotice signs a notice with the device key, which is its leaf's signature
// key, and seals it under the link key of its epoch. Version, Epoch and Device
// are set by it.
func SealNotice(link LinkKey, key identity.DeviceKey, n Notice) ([]byte, error) {
	n.Version, n.Epoch, n.Device = NoticeVersion, link.Epoch, key.ID()
	if err := n.check(); err != nil {
		return nil, refuse("write a notice", err)
	}
	b := sign(key, identity.LabelNotice, n)
	return seal(link.Key, purposeNotice, noticeContext(n.Room, n.Epoch), b, classOf(noticeClasses, len(b))), nil
}

// OpenNotice opens a notice of a room with whichever of the link keys it was
// sealed under. signer returns the signature key of the leaf that a notice
// names, by what the reader knows of the group; false: there is no such leaf.
func OpenNotice(room wire.RoomID, links []LinkKey, payload []byte, signer func(Notice) (identity.PublicKey, bool)) (Notice, error) {
	for _, link := range links {
		// The commitment in the seal tells the key.
		b, err := open(link.Key, purposeNotice, noticeContext(room, link.Epoch), payload)
		if errors.Is(err, errSeal) {
			continue
		}
		var n Notice
		var s signed
		if err == nil {
			n, s, err = parseSigned[Notice](b)
		}
		if err != nil {
			return Notice{}, refuse("read a notice", err)
		}
		if n.Room != room || n.Epoch != link.Epoch {
			return Notice{}, refuse("read a notice", errForm)
		}
		key, ok := signer(n)
		if !ok || !(identity.Device{Key: key}).Verify(identity.LabelNotice, s.Body, s.Signature) {
			return Notice{}, refuse("read a notice", errSign)
		}
		return n, nil
	}
	return Notice{}, refuse("open a notice", errSeal)
}

// noticeContext ties the seal to its room and epoch.
func noticeContext(room wire.RoomID, epoch wire.Epoch) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(nil), room[:]...), uint64(epoch))
}
