package wire

import "time"

// Limits that both sides keep; the one place for these numbers.
const (
	// MaxFrame is the largest frame in bytes, in either direction. It is read
	// before anything is allocated.
	MaxFrame = 1 << 20
	// MaxPost is the largest payload of an ordinary or ephemeral post, bytes.
	MaxPost = 64 << 10
	// MaxCommit is the largest payload of a commit, bytes: a group of 256
	// members founded at once under the hybrid suite fits.
	MaxCommit = 960 << 10
	// MaxNotice is the largest notice, bytes (protocol §5).
	MaxNotice = 16 << 10
	// MaxKnock is the largest post to a door, bytes.
	MaxKnock = 64 << 10
	// MaxSeats bounds the seats of one room.
	MaxSeats = 1024
	// MaxClasses bounds the classes of one door.
	MaxClasses = 1024
	// MaxKeyPackages bounds the key packages that one door holds.
	MaxKeyPackages = 64
	// MaxKeyPackage is the largest sealed key package, bytes.
	MaxKeyPackage = 16 << 10
	// MaxChainEntry is the largest chain entry, bytes; MaxChain the longest
	// chain in entries.
	MaxChainEntry = 4 << 10
	MaxChain      = 1024
	// MaxName is the longest handle name, bytes.
	MaxName = 32

	// MaxTTL is the longest that a server keeps an entry (protocol §1); the
	// ttl of commits, notices and seat and door announcements.
	MaxTTL = 30 * 24 * time.Hour
	// ClaimWithin is how long a provisional seat waits for its joiner (§2).
	ClaimWithin = 31 * 24 * time.Hour
	// NoticesPerDay bounds the notices of one seat (§5).
	NoticesPerDay = 4
	// CommitsPerHour bounds the commits of one seat (§1).
	CommitsPerHour = 12
	// DropRoomAfter is how long a room lives that no seat opens (§10).
	DropRoomAfter = 90 * 24 * time.Hour
)
