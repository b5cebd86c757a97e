package wire

// A door is a log with one seat, where Welcomes arrive (protocol §6). It is
// read with SeatOpen like a room; its entries are of KindKnock.

// ClassID names a class of a door: 8 random bytes, so that its order or count
// tells nothing.
type ClassID [8]byte

// DoorClass is one way in: whoever shows the key behind Hash may post and
// claim, within Quota.
type DoorClass struct {
	_    struct{} `cbor:",toarray"`
	ID   ClassID
	Hash SecretHash
	// Quota is how many entries of this class may wait unacknowledged.
	Quota uint32
	// Uses is how many posts the class takes in all; 0 means no limit.
	Uses uint32
	// Until is when the class ends, Unix seconds; 0 means never.
	Until int64
}

// DoorPackage is a sealed KeyPackage that the door hands out.
type DoorPackage struct {
	_      struct{} `cbor:",toarray"`
	Sealed []byte
	// LastResort is not deleted when claimed; the owner replaces it after use.
	LastResort bool
}

// DoorCreate makes a door. The same creation repeated answers as the first did.
type DoorCreate struct {
	_        struct{} `cbor:",toarray"`
	Door     RoomID
	Seat     NewSeat
	Classes  []DoorClass
	Packages []DoorPackage
}

// DoorSet changes a door: classes put and dropped, packages added, or all
// replaced.
type DoorSet struct {
	_       struct{} `cbor:",toarray"`
	Door    RoomID
	Seat    SeatID
	Secret  Secret
	Put     []DoorClass
	Drop    []ClassID
	Replace bool // drop all packages first
	Add     []DoorPackage
}

// DoorState answers DoorSet: how many packages wait, the last resort not
// counted, and whether that one was handed out.
type DoorState struct {
	_          struct{} `cbor:",toarray"`
	Packages   uint32
	LastResort bool // there is one
	LastUsed   bool // it was handed out since it was set
}

// DoorPost appends one entry to a door under a class's key. It is idempotent by
// entry id, as RoomPost is.
type DoorPost struct {
	_       struct{} `cbor:",toarray"`
	Door    RoomID
	Key     Secret
	Payload []byte
	TTL     uint32
}

// DoorClaim takes one KeyPackage: it is deleted in the same transaction.
type DoorClaim struct {
	_    struct{} `cbor:",toarray"`
	Door RoomID
	Key  Secret
}

// DoorClaimed answers DoorClaim.
type DoorClaimed struct {
	_          struct{} `cbor:",toarray"`
	Sealed     []byte
	LastResort bool
}
