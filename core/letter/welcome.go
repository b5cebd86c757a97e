package letter

import (
	"crypto/sha256"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// Wrapper is what travels around one joiner's Welcome (protocol §2, §6). It is
// signed by the inviter's device and sealed to the init key of the joiner's
// KeyPackage: the door's sealing key is shared by a class, and the provisional
// seat's secret is for the joiner alone.
type Wrapper struct {
	_       struct{} `cbor:",toarray"`
	Version uint8

	// Welcome is the MLS Welcome for this joiner alone, without the tree.
	Welcome []byte
	// Tree is where the tree is, and what opens it.
	Tree TreeRef

	// Room on Server, whose epoch is the one that the Welcome enters.
	Server string
	Room   wire.RoomID
	Epoch  wire.Epoch
	// Seat is provisional: the joiner's first act is to put its own in its
	// place.
	Seat       wire.SeatID
	SeatSecret wire.Secret
	// State is the encoded conversation state, whose hash is in the
	// GroupContext.
	State []byte

	// Account and Device invite; Chain are the account's entries, whole.
	Account wire.AccountID
	Device  identity.DeviceID
	Chain   [][]byte
	// Doors are the inviter's, for the answer and for later. Through the class
	// of a link they are the follower's.
	Doors []Door
	// First is a stranger's first message; nil for none.
	First *First
	// Places are, in groups, what the adder knows of the others. They are not
	// proven: the log's own announcements come before them.
	Places []Place
	// Link is the access key of the link that the inviter followed, for the
	// door doesn't say by which class something came; absent otherwise.
	Link wire.Secret
	// Old is the room whose place the Welcome's takes, and Founding says so, as
	// roster.ParseFounding reads it (protocol §5); empty otherwise.
	Old      wire.RoomID
	Founding []byte
}

// First is a first message, shown with the request before it is accepted.
type First struct {
	_ struct{} `cbor:",toarray"`
	// Content is the encoded message, as content.Parse reads it. It is covered
	// by the wrapper's signature.
	Content []byte
	// TBS and Signature are the bytes that MLS signed when the message was
	// posted in the room, kept for reports; empty if it was not posted yet.
	TBS       []byte
	Signature []byte
}

// Place is what a member knows of another's leaf.
type Place struct {
	_     struct{} `cbor:",toarray"`
	Leaf  uint32
	Seat  wire.SeatID // zero: not announced
	Doors []Door
	// Handle is the public name by which the adder knows the leaf's account, of
	// its own leaf the adder's; empty: by none.
	Handle string
}

func (p Place) check() error {
	if len(p.Handle) > maxHandle {
		return errLong
	}
	return checkDoors(p.Doors)
}

// maxHandle bounds a handle, bytes: a name, "@" and a domain.
const maxHandle = wire.MaxName + 1 + 260

// WrapperVersion is the version of wrappers.
const WrapperVersion = 2

const (
	maxState   = 32 << 10
	maxWelcome = 16 << 10
	maxPlaces  = wire.MaxSeats
	// maxFounding is far more than a founding has.
	maxFounding = 1 << 10
)

func (w *Wrapper) check() error {
	switch {
	case w.Version != WrapperVersion, len(w.Welcome) == 0, len(w.State) == 0,
		identity.CheckServer(w.Server) != nil, w.Tree.Key.Reveal() == nil, w.SeatSecret.Reveal() == nil:
		return errForm
	case len(w.Welcome) > maxWelcome, len(w.State) > maxState, len(w.Places) > maxPlaces, len(w.Chain) > wire.MaxChain, len(w.Founding) > maxFounding:
		return errLong
	}
	for _, p := range w.Places {
		if err := p.check(); err != nil {
			return err
		}
	}
	return checkDoors(w.Doors)
}

// sealedWelcome is the body of a letter of KindWelcome.
type sealedWelcome struct {
	_ struct{} `cbor:",toarray"`
	// Ref names the KeyPackage: RFC 9420 §5.2.
	Ref    []byte
	Sealed []byte
}

// wrapperTBS is what the inviter's device signs. The KeyPackage in it binds the
// wrapper to its one reader.
type wrapperTBS struct {
	_       struct{} `cbor:",toarray"`
	Ref     []byte
	Wrapper []byte
}

const wrapperLabel = "hearth welcome wrapper"

// SealWelcome signs the wrapper with the inviter's device key and seals it to
// the joiner's KeyPackage: the body of a letter of KindWelcome. Version, and
// Device from key, are set by it. It fails with full if the wrapper is too
// large for a door: leave Places out then.
func SealWelcome(kp *mls.KeyPackage, key identity.DeviceKey, w Wrapper) ([]byte, error) {
	w.Version, w.Device = WrapperVersion, key.ID()
	if err := w.check(); err != nil {
		return nil, refuse("seal a Welcome", err)
	}
	ref, b := kp.Ref(), wire.Encode(w)
	plain := wire.Encode(signed{Body: b, Signature: key.Sign(identity.LabelWrapper, wire.Encode(wrapperTBS{Ref: ref, Wrapper: b}))})
	sealed, err := kp.Seal(wrapperLabel, ref, plain)
	if err != nil {
		return nil, refuse("seal a Welcome", err)
	}
	body := wire.Encode(sealedWelcome{Ref: ref, Sealed: sealed})
	if len(body) > MaxLetter-letterAdds {
		return nil, tooLong("the invitation")
	}
	return body, nil
}

// letterAdds is what a Letter adds to its body at most.
const letterAdds = 16

// WelcomeRef returns the reference of the KeyPackage that a letter of
// KindWelcome is sealed to, so that its secrets can be fetched.
func WelcomeRef(body []byte) ([]byte, error) {
	s, err := parseSealedWelcome(body)
	return s.Ref, err
}

func parseSealedWelcome(body []byte) (s sealedWelcome, err error) {
	if err := wire.Decode(body, &s); err != nil {
		return sealedWelcome{}, refuse("read a Welcome", err)
	}
	if len(s.Ref) == 0 || len(s.Ref) > sha256.Size*2 {
		return sealedWelcome{}, refuse("read a Welcome", errForm)
	}
	return s, nil
}

// OpenWelcome opens a letter of KindWelcome with the secrets of the KeyPackage
// that it names, and checks that a live device of the account in it signed it.
// The caller checks that the signer of the Welcome's GroupInfo is that device,
// and that the chain is no older than one seen before.
func OpenWelcome(body []byte, secrets *mls.KeyPackageSecrets) (Wrapper, *identity.Chain, error) {
	s, err := parseSealedWelcome(body)
	if err != nil {
		return Wrapper{}, nil, err
	}
	plain, err := secrets.Open(wrapperLabel, s.Ref, s.Sealed)
	if err != nil {
		return Wrapper{}, nil, refuse("open a Welcome", errSeal)
	}
	w, chain, err := parseWrapper(s.Ref, plain)
	if err != nil {
		return Wrapper{}, nil, refuse("read a Welcome", err)
	}
	return w, chain, nil
}

func parseWrapper(ref, plain []byte) (w Wrapper, chain *identity.Chain, err error) {
	w, s, err := parseSigned[Wrapper](plain)
	if err != nil {
		return Wrapper{}, nil, err
	}
	if chain, err = identity.VerifyFor(w.Account, w.Chain); err != nil {
		return Wrapper{}, nil, err
	}
	if chain.SignedBy(w.Device, identity.LabelWrapper, wire.Encode(wrapperTBS{Ref: ref, Wrapper: s.Body}), s.Signature) != nil {
		return Wrapper{}, nil, errSign
	}
	return w, chain, nil
}
