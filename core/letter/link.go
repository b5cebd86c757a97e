package letter

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"strings"

	"hearth/identity"
	"hearth/wire"
)

// Two sorts of code are passed from person to person or screen to screen, and
// must never be taken for one another (attack A08): an invitation lets someone
// talk to you, a device link lets a device be you. They differ in scheme,
// alphabet, length and checksum:
//
//	https://example.org/i#AQ…            invitation: base64url
//	https://example.org/g#AQ…            invitation into a group, of the same form
//	hearth-device:https://example.org#…  device link: base32 in small letters
//
// What stands behind "#" is not sent to the server by a browser.

// Invitation is what an invitation link says: who invites, and the doors of that
// account's devices, all on one server, under a class of the link's own.
type Invitation struct {
	// Group: the link leads into a group of the account's, not to the account.
	// Which one it does not say: whoever made the link knows.
	Group   bool
	Server  string
	Account wire.AccountID
	Doors   []LinkDoor // 1 to MaxDoors
}

// LinkDoor is a Door whose server the link names.
type LinkDoor struct {
	ID      wire.RoomID
	Key     wire.Secret
	Sealing wire.Secret
}

// On returns the door as others write it.
func (d LinkDoor) On(server string) Door {
	return Door{Server: server, ID: d.ID, Key: d.Key, Sealing: d.Sealing}
}

// DeviceLink is what a device-link code says: the account that a device asks to
// be of, and the rendezvous door where it asks. Secret goes over the screen
// alone: what opens the door and what is posted there come of it, so that no
// server can ask in a device's place.
type DeviceLink struct {
	Server  string
	Account wire.AccountID
	Door    wire.RoomID
	Secret  wire.Secret
	// Bound is the hash of the number that the old device tells the new one once
	// it has its request (NonceHash): who stands between the two cannot choose it.
	Bound [16]byte
}

const (
	invitePath   = "/i#"
	groupPath    = "/g#"
	deviceScheme = "hearth-device:"

	inviteLabel = "hearth invitation v1"
	groupLabel  = "hearth group invitation v1"
	deviceLabel = "hearth device link v1"

	linkVersion  = 1
	checksumSize = 6
	linkDoorSize = 16 + 32 + 32
	inviteMin    = 1 + 32 + 1 + linkDoorSize + checksumSize
	deviceSize   = 1 + 32 + 16 + 32 + 16 + checksumSize
)

var (
	inviteEncoding = base64.RawURLEncoding.Strict()
	deviceEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
)

// checksum finds slips of hand and cut ends; it stops nobody. The server is in
// it: a link copied to another server is refused before anything is asked there.
func checksum(label, server string, b []byte) []byte {
	h := sha256.New()
	h.Write([]byte(label + "\x00" + server + "\x00"))
	h.Write(b)
	return h.Sum(nil)[:checksumSize]
}

// String returns the link. Fields that are absent or wrong give a link that
// doesn't parse.
func (i Invitation) String() string {
	b := append([]byte{linkVersion}, i.Account[:]...)
	b = append(b, byte(len(i.Doors)))
	for _, d := range i.Doors {
		b = d.append(b)
	}
	path, label := i.form()
	b = append(b, checksum(label, i.Server, b)...)
	return i.Server + path + inviteEncoding.EncodeToString(b)
}

func (i Invitation) form() (path, label string) {
	if i.Group {
		return groupPath, groupLabel
	}
	return invitePath, inviteLabel
}

// String returns the code.
func (l DeviceLink) String() string {
	b := append([]byte{linkVersion}, l.Account[:]...)
	b = append(b, l.Door[:]...)
	b = append(b, l.Secret.Reveal()...)
	b = append(b, l.Bound[:]...)
	b = append(b, checksum(deviceLabel, l.Server, b)...)
	return deviceScheme + l.Server + "#" + deviceEncoding.EncodeToString(b)
}

func (d LinkDoor) append(b []byte) []byte {
	return append(append(append(b, d.ID[:]...), d.Key.Reveal()...), d.Sealing.Reveal()...)
}

func parseLinkDoor(b []byte) LinkDoor {
	return LinkDoor{ID: wire.RoomID(b[:16]), Key: wire.SecretFrom(b[16:48]), Sealing: wire.SecretFrom(b[48:80])}
}

const copyWhole = "copy the whole link again, from its first letter to its last"

func badLink(message string) error {
	return &wire.Error{Code: wire.BadInput, Message: message, Next: copyWhole}
}

func newerLink() error {
	return &wire.Error{Code: wire.Unsupported, Message: "the link was made by a newer version of hearth", Next: "update this client"}
}

// IsLink reports whether s looks like a link or code of ours or of anybody, and
// not like a handle or an id.
func IsLink(s string) bool {
	s = tidy(s)
	return strings.Contains(s, "://") || strings.HasPrefix(strings.ToLower(s), deviceScheme) || strings.Contains(s, invitePath) || strings.Contains(s, groupPath)
}

// tidy takes off what sticks to a link that is copied out of a text.
func tidy(s string) string { return strings.Trim(strings.TrimSpace(s), "<>()[]\"'.,;") }

// ParseInvitation reads an invitation link. Errors are *wire.Error and say what
// is wrong with it: not a link, a device-link code, no Hearth server, cut short,
// changed.
func ParseInvitation(s string) (Invitation, error) {
	s = tidy(s)
	if strings.HasPrefix(strings.ToLower(s), deviceScheme) {
		return Invitation{}, &wire.Error{Code: wire.BadInput,
			Message: "this code links a device to an account and is no invitation",
			Next:    "ask for an invitation link, and give a device code to nobody: who uses it reads everything"}
	}
	var i Invitation
	server, code, ok := strings.Cut(s, invitePath)
	if !ok {
		server, code, i.Group = strings.Cut(s, groupPath)
	}
	_, label := i.form()
	if !ok && !i.Group {
		if checkServer(strings.TrimSuffix(s, "/")) == nil || strings.HasSuffix(s, "/i") || strings.HasSuffix(s, "/g") {
			return Invitation{}, badLink("the link names a server but its code is missing")
		}
		return Invitation{}, badLink("this is not an invitation link, which looks like https://example.org/i#…")
	}
	if err := checkServer(server); err != nil {
		return Invitation{}, err
	}
	if strings.Trim(code, alphabet64) != "" {
		return Invitation{}, badLink("the link's code was changed")
	}
	// The first 36 bytes say how long the rest is.
	head, _ := inviteEncoding.DecodeString(code[:min(len(code), 48)/4*4])
	if len(head) > 0 && head[0] > linkVersion {
		return Invitation{}, newerLink()
	}
	if len(head) < 36 || len(code) < inviteEncoding.EncodedLen(inviteMin+(int(head[33])-1)*linkDoorSize) {
		return Invitation{}, badLink("the link's code was cut short")
	}
	b, err := inviteEncoding.DecodeString(code)
	if err != nil || len(b) < inviteMin || b[0] != linkVersion {
		return Invitation{}, badLink("the link's code was changed")
	}
	body, sum := b[:len(b)-checksumSize], b[len(b)-checksumSize:]
	n := int(body[33])
	if subtle.ConstantTimeCompare(sum, checksum(label, server, body)) != 1 || n > MaxDoors || len(body) != 34+n*linkDoorSize {
		return Invitation{}, badLink("the link's code was changed, or belongs to another server")
	}
	i.Server, i.Account = server, wire.AccountID(body[1:33])
	for rest := body[34:]; len(rest) > 0; rest = rest[linkDoorSize:] {
		i.Doors = append(i.Doors, parseLinkDoor(rest))
	}
	return i, nil
}

const alphabet64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// ParseDeviceLink reads a device-link code.
func ParseDeviceLink(s string) (DeviceLink, error) {
	s = tidy(s)
	rest, ok := strings.CutPrefix(s, deviceScheme)
	if !ok {
		if _, err := ParseInvitation(s); err == nil {
			return DeviceLink{}, &wire.Error{Code: wire.BadInput,
				Message: "this is an invitation and links no device",
				Next:    "use it with contact add, or make a device code on a device that you have"}
		}
		return DeviceLink{}, badLink("this is not a device code, which begins with hearth-device:")
	}
	server, code, ok := strings.Cut(rest, "#")
	if err := checkServer(server); err != nil {
		return DeviceLink{}, err
	}
	b, err := deviceEncoding.DecodeString(code)
	if len(b) > 0 && b[0] > linkVersion {
		return DeviceLink{}, newerLink()
	}
	if !ok || len(code) < deviceEncoding.EncodedLen(deviceSize) {
		return DeviceLink{}, badLink("the device code was cut short")
	}
	if err != nil || len(b) != deviceSize || b[0] != linkVersion ||
		subtle.ConstantTimeCompare(b[deviceSize-checksumSize:], checksum(deviceLabel, server, b[:deviceSize-checksumSize])) != 1 {
		return DeviceLink{}, badLink("the device code was changed, or belongs to another server")
	}
	l := DeviceLink{Server: server, Account: wire.AccountID(b[1:33]), Door: wire.RoomID(b[33:49]),
		Secret: wire.SecretFrom(b[49:81]), Bound: [16]byte(b[81:97])}
	if l.String() != s { // bits behind the last byte
		return DeviceLink{}, badLink("the device code was changed")
	}
	return l, nil
}

func checkServer(s string) error {
	if identity.CheckServer(s) != nil {
		return &wire.Error{Code: wire.BadInput, Message: "the link does not begin with the address of a Hearth server",
			Next: "copy the whole link again; it looks like https://example.org/i#…"}
	}
	return nil
}
