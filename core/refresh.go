package core

import (
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"time"

	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// A refresh: any member puts a device that asks for it back into the group, by a
// commit that carries the request as evidence (protocol §4). Members wait by
// rank; the first commit wins, and the others find the evidence spent.

const (
	// refreshesPerDay bounds how often one device is put back by us: as often as
	// its seat may say that it is out of step.
	refreshesPerDay = wire.NoticesPerDay
	// maxRefreshes bounds the requests that wait in one room.
	maxRefreshes = 64
)

// refreshing is a request that waits for our turn.
type refreshing struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	Device  identity.DeviceID
	Request []byte
	Chain   [][]byte // the account's, whole
	Due     int64    // Unix seconds
	// Held: it was our turn, and others were left theirs, for the place that did
	// not open was of our giving.
	Held bool
}

func refreshingName(id wire.RoomID, d identity.DeviceID) string {
	return vault.Name("refresh", b64(id[:]), b64(d[:]))
}

// refreshesOf are the times at which a device's requests were taken, so that it
// cannot keep a group busy.
type refreshesOf struct {
	_     struct{} `cbor:",toarray"`
	Times []int64
}

func refreshesName(id wire.RoomID, d identity.DeviceID) string {
	return vault.Name("refreshes", b64(id[:]), b64(d[:]))
}

// hearRejoin deals with a request to rejoin, however it came: everything that
// counts in it is signed by the device that asks. What does not hold has no
// effect.
func (s *step) hearRejoin(body []byte) error {
	j, err := letter.ParseRejoin(body)
	if err != nil {
		return nil
	}
	a, ok := roster.Asks(j.Request)
	if !ok {
		return nil
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil || a.Account == me.ID && a.Device == key.ID() {
		return err
	}
	cv, err := s.conv(convID(a.Conversation))
	if err != nil || cv == nil {
		return err
	}
	r, err := s.room(cv.Room)
	if err == nil && r != nil && r.State == roomLeft && a.Account == me.ID {
		return s.tellLeft(me, cv, j)
	}
	if err == nil && r != nil && r.State == roomLeft {
		return s.tellWasOut(r, cv, a, j)
	}
	if err == nil && r != nil && r.State == roomOutOfStep {
		return s.keepAsking(r, a, j)
	}
	if err != nil || r == nil || r.State != roomOK {
		return err // gone: others answer
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	st, chain, err := s.readRejoin(ro, a, j)
	if err != nil || st == nil {
		return err
	}
	if kp, err := checkPackage(st.KeyPackage.Marshal(), chain, s.c.now()); err != nil || kp == nil {
		return nil
	}
	// What the log still has to say may change the answer: it is kept until then.
	if s.c.live(r.ID) {
		if done, err := s.needless(cv, ro, a, *st); err != nil || done {
			return err
		}
	}
	if err := s.hearTwin(cv, a, chain); err != nil {
		return err
	}
	return s.refreshLater(r, ro, a, j.Request, chain)
}

// needless deals with a request that is not to be carried out, and reports
// whether it is one.
func (s *step) needless(cv *conversation, ro *roster.Roster, a roster.Asking, st roster.Statement) (bool, error) {
	l, there := ro.LeafOf(a.Account, a.Device)
	switch {
	case roleOf(ro, a.Account) == 0:
		return true, s.tellVerdict(cv, st, letter.Verdict{Removed: true})
	case there && l.Hash == a.New:
		return true, nil // carried out
	case there && !a.Names(l.Hash):
		return true, s.tellVerdict(cv, st, letter.Verdict{Leaf: l.Hash})
	}
	return false, nil
}

// tellLeft answers a sibling that would rejoin what this device has left for the
// account. Those who are still there may not be believed: by the last roles that
// it knows, none of them may have had the right to remove it.
func (s *step) tellLeft(me *account, cv *conversation, j letter.Rejoin) error {
	chain, err := me.chain()
	if err != nil {
		return err
	}
	_, st, err := roster.ParseRejoin(j.Request, func(wire.AccountID) (*identity.Chain, bool) { return chain, true })
	if err != nil {
		s.c.debug("a request to rejoin was refused", err)
		return nil
	}
	return s.tellVerdict(cv, st, letter.Verdict{Removed: true})
}

// readRejoin checks a request to rejoin against the newest chain known of the
// account that asks; nil: there is none, or the request does not hold.
func (s *step) readRejoin(ro *roster.Roster, a roster.Asking, j letter.Rejoin) (*roster.Statement, *identity.Chain, error) {
	chain, err := s.newestChain(ro, a.Account, j.Chain)
	if err != nil || chain == nil {
		return nil, nil, err
	}
	_, st, err := roster.ParseRejoin(j.Request, func(wire.AccountID) (*identity.Chain, bool) { return chain, true })
	if err != nil {
		s.c.debug("a request to rejoin was refused", err)
		return nil, nil, nil
	}
	return &st, chain, nil
}

// tellWasOut answers somebody who was out of a group when this device left it: it
// may know nobody else of those who had the right to say so. If it was invited
// again since, that invitation counts all the same.
func (s *step) tellWasOut(r *room, cv *conversation, a roster.Asking, j letter.Rejoin) error {
	ro, err := s.lastRoster(r.ID)
	if err != nil || ro == nil || roleOf(ro, a.Account) != 0 {
		return err
	}
	st, _, err := s.readRejoin(ro, a, j)
	if err != nil || st == nil {
		return err
	}
	return s.tellVerdict(cv, *st, letter.Verdict{Removed: true})
}

// newestChain returns the longest chain of an account that is known here or
// travels with its request; nil if none is known.
func (s *step) newestChain(ro *roster.Roster, account wire.AccountID, more [][]byte) (*identity.Chain, error) {
	me, err := s.me()
	if err != nil {
		return nil, err
	}
	var known *identity.Chain
	if account == me.ID {
		known, err = me.chain()
	} else {
		var p *person
		if p, err = s.person(account); err == nil {
			known, err = p.chain()
		}
	}
	if err != nil {
		return nil, err
	}
	if c, ok := ro.Chain(account); ok && (known == nil || c.Compare(known) == identity.Ahead) {
		known = c
	}
	if known == nil || len(more) == 0 {
		return known, nil
	}
	for _, from := range []*identity.Chain{known, chainOf(ro, account)} {
		if from == nil {
			continue
		}
		// Whoever fell out before the account's chain grew here begins earlier.
		rest := more
		for len(rest) > 0 && from.Contains(sha256.Sum256(rest[0])) {
			rest = rest[1:]
		}
		for _, entries := range [][][]byte{more, rest} {
			if c, err := from.Follow(entries); err == nil && c.Compare(known) == identity.Ahead {
				return c, nil
			}
		}
	}
	return known, nil
}

func chainOf(ro *roster.Roster, account wire.AccountID) *identity.Chain {
	c, _ := ro.Chain(account)
	return c
}

// refreshLater keeps a request until it is our turn.
func (s *step) refreshLater(r *room, ro *roster.Roster, a roster.Asking, request []byte, chain *identity.Chain) error {
	name := refreshingName(r.ID, a.Device)
	var waits refreshing
	if ok, err := s.get(name, &waits); err != nil {
		return err
	} else if ok {
		if earlier, ok := roster.Asks(waits.Request); ok && !a.Names(earlier.New) {
			return nil // the same, or an older one
		}
	} else if n, err := s.count(vault.Name("refresh", b64(r.ID[:]))); err != nil || n >= maxRefreshes {
		return err
	}
	now := s.c.now()
	var past refreshesOf
	if _, err := s.get(refreshesName(r.ID, a.Device), &past); err != nil {
		return err
	}
	since := now.Add(-noticeDay).Unix()
	for len(past.Times) > 0 && past.Times[0] < since {
		past.Times = past.Times[1:]
	}
	if len(past.Times) >= refreshesPerDay {
		return nil
	}
	past.Times = append(past.Times, now.Unix())
	s.putUntil(refreshesName(r.ID, a.Device), past, now.Add(noticeDay).Unix())
	wait, err := s.myTurn(r.ID, ro, a.Account)
	if err != nil {
		return err
	}
	s.putRefreshing(r.ID, &refreshing{Account: a.Account, Device: a.Device, Request: request, Chain: chain.Entries(), Due: now.Add(wait).Unix()})
	return nil
}

func (s *step) putRefreshing(id wire.RoomID, q *refreshing) {
	due := q.Due
	s.putUntil(refreshingName(id, q.Device), q, due+int64(wire.MaxTTL.Seconds()))
	s.then(func() { s.c.wakeRoom(id); s.c.wakeAt(id, due+1) })
}

// myTurn is how long this leaf waits for those before it in rank (protocol §5),
// those of the account that asks left out.
func (s *step) myTurn(id wire.RoomID, ro *roster.Roster, asks wire.AccountID) (time.Duration, error) {
	g, err := s.group(id)
	if err != nil {
		return 0, err
	}
	wait := rand.N(turn / 2)
	for _, i := range ro.Rank() {
		if g != nil && i == g.OwnLeaf() {
			break
		}
		if l, _ := ro.Leaf(i); l.Account != asks {
			wait += turn
		}
	}
	return wait + time.Second, nil
}

func (s *step) count(prefix string) (n int, err error) {
	err = s.scan(prefix, func(string, []byte) (bool, error) {
		n++
		return true, nil
	})
	return n, err
}

// dueRefresh plans the refreshes whose turn is ours.
func (s *step) dueRefresh(r *room) error {
	now := s.c.now().Unix()
	me, err := s.me()
	if err != nil {
		return err
	}
	cv, err := s.conv(r.Conv)
	if err != nil || cv == nil {
		return err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	return s.scan(vault.Name("refresh", b64(r.ID[:])), func(name string, b []byte) (bool, error) {
		var q refreshing
		if err := decodeRecord(b, &q); err != nil {
			return false, err
		}
		if q.Due > now {
			s.c.wakeAt(r.ID, q.Due)
			return true, nil
		}
		s.del(name)
		p, st, err := refreshPlan(q)
		a, ok := roster.Asks(q.Request)
		if err != nil || !ok {
			return true, nil // it was read when it came; a bug if not
		}
		if done, err := s.needless(cv, ro, a, st); err != nil || done {
			return err == nil, err // by what the log has said since it came
		}
		if a.Suspect == me.ID && !q.Held {
			// What came of our last place does not speak for another: others first.
			q.Held, q.Due = true, now+int64(membersAfter.Seconds())
			s.putRefreshing(r.ID, &q)
			return true, nil
		}
		s.plan(r, p)
		s.putRoom(r)
		return true, nil
	})
}

// refreshPlan is the change that carries a request out. Whether there is still
// something to do shows when it is staged.
func refreshPlan(q refreshing) (plan, roster.Statement, error) {
	chain, err := identity.VerifyFor(q.Account, q.Chain)
	if err != nil {
		return plan{}, roster.Statement{}, err
	}
	rq, st, err := roster.ParseRejoin(q.Request, func(wire.AccountID) (*identity.Chain, bool) { return chain, true })
	if err != nil {
		return plan{}, st, err
	}
	var door address
	if err := wire.Decode(st.Door, &door); err != nil {
		return plan{}, st, err
	}
	return plan{
		Add:      []invitee{{Account: q.Account, Package: rq.KeyPackage, Chain: q.Chain, Door: door}},
		Evidence: [][]byte{rq.Evidence.Encode()},
	}, st, nil
}

// verdicts are answered at most once a day to one device.
const verdictEvery = 24 * time.Hour

// tellVerdict answers a request that cannot be carried out, at a door on a server
// where this device knows the account already: whoever asks has no say to which
// server others turn (attacks A59). The door itself may be new: somebody who was
// invited and removed before they ever spoke is known by a public door alone.
func (s *step) tellVerdict(cv *conversation, st roster.Statement, v letter.Verdict) error {
	if cv.Kind != KindGroup && v.Removed {
		return nil
	}
	told := vault.Name("verdict", b64(cv.ID[:]), b64(st.Device[:]))
	if again, err := s.has(told); err != nil || again {
		return err
	}
	var at address
	if wire.Decode(st.Door, &at) != nil {
		return nil
	}
	p, err := s.person(st.Account)
	if err != nil {
		return err
	}
	own, err := s.siblingDoors()
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(slices.Concat(p.Doors, p.Fellow, p.Knocks, own), func(d address) bool { return d.Server == at.Server })
	if !known {
		return nil
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	v.Conversation, v.Ref, v.Account = cv.ID, st.KeyPackage.Ref(), me.ID
	body, err := letter.NewVerdict(key, v)
	if err != nil {
		return err
	}
	payload, err := letter.Seal(at, letter.KindVerdict, body)
	if err != nil {
		return err
	}
	now := s.c.now()
	s.putUntil(told, true, now.Add(verdictEvery).Unix())
	return s.ship(parcel{To: at, Payload: payload, Until: now.Add(wire.MaxTTL).Unix()})
}

// asking returns the request in a plan's evidence that a device of an account
// made; nil if the plan does not answer one.
func (p *plan) asking(account wire.AccountID, device identity.DeviceID) *roster.Asking {
	for _, b := range p.Evidence {
		e, err := roster.ParseEvidence(b)
		if err != nil {
			continue
		}
		if a, ok := e.Asks(); ok && a.Account == account && a.Device == device {
			return &a
		}
	}
	return nil
}

// putsBack reports whether there is still something to do about a request, and
// adds to the commit what it takes: the Remove of the leaf that it names, and of
// those that the entries which travel with it revoke (package roster).
func putsBack(a *roster.Asking, ro *roster.Roster, chain *identity.Chain, o *mls.CommitOptions) bool {
	if roleOf(ro, a.Account) == 0 {
		return false // the account has left
	}
	if l, there := ro.LeafOf(a.Account, a.Device); there {
		if !a.Names(l.Hash) {
			return false // it was carried out
		}
		o.Remove = append(o.Remove, l.Index)
	}
	revoked := ro.Owed(func(id wire.AccountID) (*identity.Chain, bool) { return chain, id == a.Account }).Remove
	for _, l := range revoked {
		if !slices.Contains(o.Remove, l.Index) {
			o.Remove = append(o.Remove, l.Index)
		}
	}
	return true
}

// backIn returns the leaves that a commit adds for devices of people who are in
// the conversation already, because they asked to be put back.
func (s *step) backIn(id wire.RoomID, before, after *roster.Roster, ch mls.Changes) (map[mls.LeafIndex]bool, error) {
	back := map[mls.LeafIndex]bool{}
	for _, a := range roster.Rejoins(ch) {
		l, ok := after.LeafOf(a.Account, a.Device)
		if !ok || l.Hash != a.New {
			continue
		}
		joined, err := s.hasJoined(id, before, a.Account)
		if err != nil {
			return nil, err
		}
		back[l.Index] = joined
	}
	return back, nil
}

// tellRefreshed says in the conversation who was put back, and who is suspected.
func (s *step) tellRefreshed(cv *conversation, after *roster.Roster, ch mls.Changes) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	now := s.c.now().UnixMilli()
	for _, a := range roster.Rejoins(ch) {
		if l, ok := after.LeafOf(a.Account, a.Device); !ok || l.Hash != a.New {
			continue
		}
		h := happening{Type: EventNotice, At: now, Account: a.Account, Code: NoticeRefreshed, Until: s.c.now().Add(noticeKept).Unix(),
			Text: "A device had fallen out of step and was put back into the conversation."}
		if _, err := s.record(cv, h); err != nil {
			return err
		}
		if a.Suspect != (wire.AccountID{}) && a.Suspect != me.ID && atLeast(after, me.ID, roster.RoleAdmin) {
			h.Account, h.Code = a.Suspect, NoticeSuspect
			h.Text = "A device was given a place on the server that did not open; this is who gave it."
			if _, err := s.record(cv, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// outOfOwnWill deals with a commit that takes this device's leaf out because of a
// request of its own: if this home made the request, the Welcome is on its way; if
// not, a copy of the home did. It reports whether it was either.
func (s *step) outOfOwnWill(r *room, cv *conversation, ch mls.Changes) (bool, error) {
	me, err := s.me()
	if err != nil {
		return false, err
	}
	key, err := me.key()
	if err != nil {
		return false, err
	}
	for _, a := range roster.Rejoins(ch) {
		if a.Account != me.ID || a.Device != key.ID() {
			continue
		}
		ours, err := s.has(rejoinLeafName(a.New))
		if err != nil {
			return false, err
		}
		if !ours {
			return true, s.outOfStep(r, cv, NoticeTwin, "A copy of this device's data is in use somewhere.")
		}
		if r.State == roomOutOfStep {
			return true, nil
		}
		r.State = roomOutOfStep
		return true, s.heal(r, cv, NoticeLapsed)
	}
	return false, nil
}
