package core

import (
	"cmp"

	"hearth/content"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/identity"
	"hearth/wire"
)

// What an account's devices keep equal goes through the self room as ordinary
// posts of content.KindSync, from own leaves only (attacks A10, A11): nothing
// here causes a fetch. Every device applies what it reads in the order of the
// log, its own posts too when they come back: where the first answer counts, all
// end up with the first. Where the last counts, it is the one that was decided
// last (docs/decisions/0034-the-newest-counts.md).

// syncVersion is the version of syncBody; items of a kind that isn't known are
// passed over.
const syncVersion = 1

// syncBody is the body of a content.KindSync.
type syncBody struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Items   []syncItem
}

type syncItem struct {
	_    struct{} `cbor:",toarray"`
	Kind syncKind
	Body []byte
}

// syncKind says what an item's body is.
type syncKind uint8

const (
	syncDevice   syncKind = 1 // device: a name, and where the device is reached
	syncPerson   syncKind = 2 // syncedPerson
	syncDecision syncKind = 3 // decision: the first one counts
	syncRead     syncKind = 4 // readMark
	syncSetting  syncKind = 5 // setting: a name and a value, the newest counts
	syncArchive  syncKind = 6 // handed: an archive for one device
	syncAsk      syncKind = 7 // askHistory: what a device has missed
)

// maxSyncItems bounds the items of one post.
const maxSyncItems = 512

// parseSync reads a body, and the items of known kinds in it.
func parseSync(b []byte) (syncBody, error) {
	var body syncBody
	if err := wire.Decode(b, &body); err != nil {
		return syncBody{}, err
	}
	if body.Version != syncVersion || len(body.Items) == 0 || len(body.Items) > maxSyncItems {
		return syncBody{}, errSyncForm
	}
	for _, it := range body.Items {
		if err := it.check(); err != nil {
			return syncBody{}, err
		}
	}
	return body, nil
}

var errSyncForm = &wire.Error{Code: wire.BadInput, Message: "a post between devices is not of the right form"}

// check reads an item's body without using it.
func (it syncItem) check() error {
	switch it.Kind {
	case syncDevice:
		return wire.Decode(it.Body, new(device))
	case syncPerson:
		return wire.Decode(it.Body, new(syncedPerson))
	case syncDecision:
		return wire.Decode(it.Body, new(decision))
	case syncRead:
		return wire.Decode(it.Body, new(readMark))
	case syncSetting:
		return wire.Decode(it.Body, new(setting))
	case syncArchive:
		return wire.Decode(it.Body, new(handed))
	case syncAsk:
		return wire.Decode(it.Body, new(askHistory))
	}
	return nil
}

func item(k syncKind, v any) syncItem { return syncItem{Kind: k, Body: wire.Encode(v)} }

// share posts items to this account's other devices. Where there are none
// nothing is posted.
func (s *step) share(items ...syncItem) error { return s.shareUntil(0, items...) }

// shareUntil is share for what has an end: it is posted until then, if it could
// not be before; 0: it has none.
func (s *step) shareUntil(until int64, items ...syncItem) error {
	if s.syncing || len(items) == 0 {
		return nil
	}
	me, err := s.account()
	if err != nil || me == nil || me.Stage != stageDone || len(me.Chain) == 1 {
		return err
	}
	r, _, err := s.selfRoom(me)
	if err != nil || canPost(r) != nil {
		return err
	}
	if _, err := s.enqueue(r, row{Kind: content.KindSync, Body: wire.Encode(syncBody{Version: syncVersion, Items: items}), Until: until}); err != nil {
		return err
	}
	s.putRoom(r)
	return nil
}

// hearSync applies a post of a sibling.
func (s *step) hearSync(cv *conversation, from roster.Leaf, b []byte) (bool, error) {
	me, err := s.me()
	if err != nil || cv.Kind != KindSelf || from.Account != me.ID {
		return false, err
	}
	body, err := parseSync(b)
	if err != nil {
		return false, nil
	}
	return true, s.applySync(me, from.Device, body)
}

// applySync applies items, of a sibling or, when they have come back, our own.
func (s *step) applySync(me *account, from identity.DeviceID, body syncBody) error {
	was := s.syncing
	s.syncing = true // what follows from it is not posted again
	defer func() { s.syncing = was }()
	for _, it := range body.Items {
		var err error
		switch it.Kind {
		case syncDevice:
			var d device
			wire.Decode(it.Body, &d)
			err = s.syncedDevice(me, d)
		case syncPerson:
			var p syncedPerson
			wire.Decode(it.Body, &p)
			err = s.syncedPerson(me, p)
		case syncDecision:
			var d decision
			wire.Decode(it.Body, &d)
			err = s.decided(d)
		case syncRead:
			var m readMark
			wire.Decode(it.Body, &m)
			err = s.readThrough(m)
		case syncSetting:
			var v setting
			wire.Decode(it.Body, &v)
			err = s.heardSetting(v)
		case syncArchive:
			var h handed
			wire.Decode(it.Body, &h)
			err = s.handedOver(me, h)
		case syncAsk:
			var a askHistory
			wire.Decode(it.Body, &a)
			err = s.askedHistory(me, from, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// syncedDevice keeps what a sibling says of a device of the account.
func (s *step) syncedDevice(me *account, d device) error {
	chain, err := me.chain()
	if err != nil {
		return err
	}
	if in, ok := chain.Device(d.ID); !ok || !in.Live || len(d.Name) > letter.MaxDeviceName {
		return nil
	}
	known, err := s.device(d.ID)
	if err != nil {
		return err
	}
	for _, f := range []struct{ at, to *address }{{&d.Sibling, &known.Sibling}, {&d.Contact, &known.Contact}, {&d.Fellow, &known.Fellow}} {
		if f.at.Server != "" {
			*f.to = *f.at
		}
	}
	known.Name = d.Name
	if d.Added != 0 {
		known.Added = d.Added
	}
	s.putDevice(known)
	s.then(func() { s.c.wakeAllDevices() })
	return nil
}

// shareDevice tells the siblings of this device as it is now.
func (s *step) shareDevice() error {
	me, err := s.me()
	if err != nil {
		return err
	}
	own, err := s.ownDevice(me)
	if err != nil {
		return err
	}
	s.putDevice(own)
	return s.share(item(syncDevice, own))
}

// syncedPerson is what devices keep equal of a person: what this account has
// decided, and where the person is reached.
type syncedPerson struct {
	_        struct{} `cbor:",toarray"`
	Account  wire.AccountID
	Handle   string
	Doors    []address
	Contact  bool
	Verified bool
	Blocked  bool
	// At is when the account last decided so, Unix milliseconds: the newest
	// decision counts.
	At int64
}

// later reports whether a decision takes the place of what is known. Of two in
// the same millisecond all devices choose the same, a block first.
func (q *syncedPerson) later(p *person) bool {
	rank := func(contact, verified, blocked bool) (n int) {
		for _, yes := range []bool{blocked, verified, contact} {
			n *= 2
			if yes {
				n++
			}
		}
		return n
	}
	return cmp.Or(cmp.Compare(q.At, p.Decided), cmp.Compare(rank(q.Contact, q.Verified, q.Blocked), rank(p.Contact, p.Verified, p.Blocked))) > 0
}

// decide takes a decision over, unless a newer one is known. It reports whether
// the person is blocked by it and was not before.
func (p *person) decide(q *syncedPerson) (newly bool) {
	if !q.later(p) {
		return false
	}
	newly = q.Blocked && !p.Blocked
	p.Contact, p.Verified, p.Blocked, p.Decided = q.Contact, q.Verified, q.Blocked, q.At
	return newly
}

func (p *person) synced() syncedPerson {
	return syncedPerson{Account: p.Account, Handle: p.Handle, Doors: p.Doors, Contact: p.Contact, Verified: p.Verified, Blocked: p.Blocked, At: p.Decided}
}

// sharePerson posts what changed of a person that the person at this device has
// to do with.
func (s *step) sharePerson(p *person) error {
	if s.syncing {
		return nil
	}
	was, err := s.person(p.Account)
	if err != nil {
		return err
	}
	if was.Contact == p.Contact && was.Verified == p.Verified && was.Blocked == p.Blocked {
		return nil
	}
	p.Decided = max(s.c.now().UnixMilli(), was.Decided+1)
	return s.share(item(syncPerson, p.synced()))
}

func (s *step) syncedPerson(me *account, q syncedPerson) error {
	if q.Account == me.ID || len(q.Doors) > maxDoors {
		return nil
	}
	p, err := s.person(q.Account)
	if err != nil {
		return err
	}
	newly := p.decide(&q)
	p.Doors = mergeDoors(p.Doors, q.Doors)
	s.putPerson(p)
	if err := s.learnName(q.Account, q.Handle); err != nil {
		return err
	}
	if newly {
		// protocol §6: a block takes the way in, at each device's door.
		return s.rotateSoon()
	}
	return nil
}

// mergeDoors adds doors to those that are known: a door is one device's, so that
// of one door the newest way in counts. The oldest go where there are too many.
func mergeDoors(known, said []address) []address {
	out := make([]address, 0, len(known)+len(said))
	for _, k := range known {
		again := false
		for _, d := range said {
			again = again || d.ID == k.ID
		}
		if !again {
			out = append(out, k)
		}
	}
	out = append(out, said...)
	return out[max(0, len(out)-maxDoors):]
}
