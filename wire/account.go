package wire

// AccountCreate registers an account with the first entry of its device chain,
// and a public name if it wants one. The same creation repeated answers as the
// first did.
type AccountCreate struct {
	_     struct{} `cbor:",toarray"`
	Entry []byte   // the chain's first entry; its SHA-256 is the account id
	Name  string   // "" for none
	// Invite is the operator's invitation, where registration asks for one.
	Invite string
}

// AccountAppend adds an entry to a chain; Head is the SHA-256 of the entry that
// it follows. Another head: stale (protocol §7).
type AccountAppend struct {
	_       struct{} `cbor:",toarray"`
	Account AccountID
	Head    SecretHash
	Entry   []byte
}

// AccountGet asks for an account by its public name, or by its id. By id only
// an account with a name is shown; for all others the answer is not_found, as
// for one that does not exist.
type AccountGet struct {
	_       struct{} `cbor:",toarray"`
	Name    string
	Account *AccountID
}

// Knock is how strangers reach an account that has a name: its knock doors.
type Knock struct {
	_       struct{} `cbor:",toarray"`
	Door    RoomID
	Key     Secret // the access key of the strangers' class
	Sealing Secret // the key under which what is posted there is sealed
}

// AccountRecord answers AccountGet: the chain, whole, and where to knock.
type AccountRecord struct {
	_      struct{} `cbor:",toarray"`
	Name   string
	Chain  [][]byte
	Knocks []Knock // at most one a device
}

// AccountKnock sets the calling device's knock door, or takes it away. It is
// signed by a live device of the chain over KnockTBS, so that no server and no
// stranger can put a door in its place.
type AccountKnock struct {
	_         struct{} `cbor:",toarray"`
	Account   AccountID
	Device    []byte // the device's id in the chain, 16 bytes
	Knock     *Knock // nil takes it away
	Signature []byte // Ed25519 over KnockTBS
}

// knockTBS is what AccountKnock signs.
type knockTBS struct {
	_         struct{} `cbor:",toarray"`
	Label     string
	Challenge []byte
	Account   AccountID
	Device    []byte
	Knock     *Knock
}

// KnockTBS returns the bytes that AccountKnock's signature covers: a label, the
// connection's challenge, the account, the device and the door.
func KnockTBS(challenge []byte, a AccountKnock) []byte {
	return Encode(knockTBS{Label: "hearth knock v1", Challenge: challenge, Account: a.Account, Device: a.Device, Knock: a.Knock})
}
