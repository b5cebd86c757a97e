package core

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"hearth/content"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// doorLog deals with what arrives at one of our doors.
type doorLog struct {
	c  *Client
	id wire.RoomID
}

func (l *doorLog) seats(s *step) ([]seat, position, wire.Secret, error) {
	d, err := s.door(l.id)
	if err != nil || d == nil || !d.Made {
		return nil, position{}, wire.Secret{}, err
	}
	if k, err := s.copied(); err != nil || k != nil {
		return nil, position{}, wire.Secret{}, err // the door is the twin's
	}
	// From what was acknowledged: a letter that comes again has no effect, and at
	// the number of one that was read there may be another by now (restored.go).
	return []seat{d.Seat}, position{}, wire.Secret{}, nil
}

func (l *doorLog) opened(ctx context.Context, _ int, o wire.SeatOpened) (bool, error) {
	if o.Head < o.Cursor {
		return true, errMisled
	}
	return true, l.c.step(ctx, func(s *step) error {
		d, err := s.door(l.id)
		if err != nil || d == nil || o.Head >= d.Read {
			return err
		}
		d.Read = o.Head
		s.putDoor(d)
		return s.serverRestored(d.Server)
	})
}

// refused deals with a door that the server does not open any more: it was dropped
// after long, or the server was restored from an older backup. Nobody reaches us
// there, so there is another one from here on.
func (l *doorLog) refused(ctx context.Context, _ wire.Code) error {
	return l.c.step(ctx, func(s *step) error { return s.replaceDoor(l.id) })
}

func (l *doorLog) again(context.Context, *wire.Entry, wire.Number) error { return nil }

func (l *doorLog) gap(ctx context.Context, _, to wire.Number) error { return l.passed(ctx, to) }

func (l *doorLog) hole(ctx context.Context, h *wire.Hole) error { return l.passed(ctx, h.To) }

func (l *doorLog) passed(ctx context.Context, to wire.Number) error {
	return l.c.step(ctx, func(s *step) error {
		d, err := s.door(l.id)
		if err != nil || d == nil {
			return err
		}
		d.Read = to
		s.putDoor(d)
		return nil
	})
}

// posts deals with each by itself: there are none behind a door, whatever a server says.
func (l *doorLog) posts(ctx context.Context, es []*wire.Entry) error {
	for _, e := range es {
		if err := l.entry(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// entry deals with a letter. What does not open, is not signed or was here
// before has no effect.
func (l *doorLog) entry(ctx context.Context, e *wire.Entry) error {
	l.introduce(ctx, e)
	return l.c.step(ctx, func(s *step) error {
		d, err := s.door(l.id)
		if err != nil || d == nil {
			return err
		}
		if known, err := s.has(seenName(e.Payload)); err != nil {
			return err
		} else if e.Kind == wire.KindKnock && e.Number <= d.Read && !known {
			// Another letter at the number of one that was read.
			if err := s.serverRestored(d.Server); err != nil {
				return err
			}
			if d, err = s.door(l.id); err != nil || d == nil {
				return err
			}
			d.Read = 0
		}
		d.Read = max(d.Read, e.Number)
		if e.Kind == wire.KindKnock {
			if err := s.knock(d, e.Payload); err != nil {
				return err
			}
			if still, err := s.door(l.id); err != nil || still == nil {
				return err // this device was revoked, and its doors are gone
			}
			// A KeyPackage was probably used up: look at the stock.
			d.Stocked = 0
			s.then(func() { s.c.wakeDoor(d.ID) })
		}
		s.putDoor(d)
		return nil
	})
}

// introduceWithin bounds how long a letter waits for its writer's name.
const introduceWithin = 5 * time.Second

// introduce asks the home server's directory for the public name of somebody
// who invites us, so that the request shows it. Only our own server is asked:
// one that a stranger names would learn our address. Nothing but the name comes
// of it.
func (l *doorLog) introduce(ctx context.Context, e *wire.Entry) {
	if e.Kind != wire.KindKnock {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, introduceWithin)
	defer cancel()
	var me *account
	var from wire.AccountID
	l.c.look(ctx, func(s *step) error {
		d, err := s.door(l.id)
		if err != nil || d == nil {
			return err
		}
		k, err := s.read(d, e.Payload)
		if err != nil || k.wrapper == nil && k.join == nil {
			return err
		}
		writer := wire.AccountID{}
		if k.wrapper != nil {
			writer = k.wrapper.Account
		} else {
			writer = k.join.Account
		}
		p, err := s.person(writer)
		if err != nil || p.Handle != "" {
			return err
		}
		me, err = s.me()
		from = p.Account
		return err
	})
	if me != nil {
		l.c.lookUp(ctx, me.Server, me.Domain, wire.AccountGet{Account: &from})
	}
}

// seenFor is how long a letter's hash is kept, so that the same one again has no
// effect: longer than any server holds one back.
const seenFor = 62 * 24 * time.Hour

// seenName finds out whether a letter came before.
func seenName(payload []byte) string {
	h := sha256.Sum256(payload)
	return vault.Name("seen", b64(h[:]))
}

func (s *step) knock(d *door, payload []byte) error {
	h := sha256.Sum256(payload)
	seen := seenName(payload)
	if again, err := s.has(seen); err != nil || again {
		return err
	}
	s.putUntil(seen, true, s.c.now().Add(seenFor).Unix())
	k, err := s.read(d, payload)
	switch {
	case err != nil:
		return err
	case k.wrapper != nil:
		if back, err := s.comesBack(k); err != nil || back {
			return err
		}
		return s.invited(d, k, h[:16])
	case k.rejoin != nil:
		return s.hearRejoin(k.rejoin)
	case k.verdict != nil:
		return s.hearVerdict(k.verdict)
	case k.answer != nil:
		return s.answered(k.answer)
	case k.join != nil:
		return s.asksToJoin(d, k)
	case k.revoked != nil:
		return s.learnRevoked(k.revoked)
	case k.link != nil:
		return s.linkAnswered(d, k.link)
	}
	return nil
}

// knock is a letter that was opened: who signed it is proven, by the chain in
// it or the one known here. Neither is set where it means nothing.
type knock struct {
	ref     []byte
	wrapper *letter.Wrapper
	chain   *identity.Chain
	answer  *letter.Answer
	join    *letter.Join
	rejoin  []byte // letter.Rejoin, not read yet
	verdict *letter.Verdict
	revoked [][]byte
	link    []byte // the answer to a request to be linked, not read yet
}

// read opens a letter. An error is ours; what is wrong with the letter makes it
// an empty knock.
func (s *step) read(d *door, payload []byte) (k knock, err error) {
	l, err := letter.Open(d.ID, d.Sealing, payload)
	if err != nil {
		return k, nil
	}
	switch l.Kind {
	case letter.KindWelcome:
		ref, err := letter.WelcomeRef(l.Body)
		if err != nil {
			return k, nil
		}
		var kp keyPackage
		// Used before, or never ours (attacks A14).
		if ok, err := s.get(packageName(ref), &kp); err != nil || !ok {
			return k, err
		}
		secrets, err := mls.ParseKeyPackageSecrets(kp.Secrets)
		if err != nil {
			return k, err
		}
		defer secrets.Wipe()
		w, chain, err := letter.OpenWelcome(l.Body, secrets)
		if err != nil {
			return k, nil
		}
		return knock{ref: ref, wrapper: &w, chain: chain}, nil
	case letter.KindAnswer:
		var failed error
		a, err := letter.ParseAnswer(l.Body, s.chainsOf(&failed))
		if err != nil {
			return k, failed
		}
		return knock{answer: &a}, nil
	case letter.KindRejoin:
		return knock{rejoin: l.Body}, nil
	case letter.KindVerdict:
		var failed error
		v, err := letter.ParseVerdict(l.Body, s.chainsOf(&failed))
		if err != nil {
			return k, failed
		}
		return knock{verdict: &v}, nil
	case letter.KindJoin:
		j, chain, err := letter.ParseJoin(l.Body)
		if err != nil {
			return k, nil
		}
		return knock{join: &j, chain: chain}, nil
	case letter.KindRevoked:
		var entries [][]byte
		if wire.Decode(l.Body, &entries) != nil || len(entries) > wire.MaxChain {
			return k, nil
		}
		return knock{revoked: entries}, nil
	case letter.KindLinkAnswer:
		return knock{link: l.Body}, nil
	}
	return k, nil // a later version's
}

// chainsOf looks up the chains of people that are known here. The vault's errors
// go to failed.
func (s *step) chainsOf(failed *error) func(wire.AccountID) (*identity.Chain, bool) {
	return func(id wire.AccountID) (*identity.Chain, bool) {
		me, err := s.me()
		if err == nil && id == me.ID {
			c, err := me.chain()
			return c, err == nil
		}
		var c *identity.Chain
		if err == nil {
			var p *person
			if p, err = s.person(id); err == nil {
				c, err = p.chain()
			}
		}
		if err != nil {
			*failed = err
		}
		return c, c != nil
	}
}

// request is an invitation that waits for an answer.
type request struct {
	_  struct{} `cbor:",toarray"`
	ID []byte
	// Ref is the KeyPackage's that the invitation is for.
	Ref     []byte
	Wrapper letter.Wrapper
	At      int64 // Unix milliseconds
	Until   int64 // Unix seconds
	// Decided: an answer was given and is being carried out.
	Decided bool
	// Beaten: another room of the same direct conversation was preferred.
	Beaten bool
	// Declined: that answer is no.
	Declined bool
}

// lateAnswer is how long a request that has expired is kept to say so.
const lateAnswer = 31 * 24 * time.Hour

func (s *step) putRequest(rq *request) {
	s.putUntil(requestName(rq.ID), rq, rq.Until+int64(lateAnswer.Seconds()))
}

func requestName(id []byte) string { return vault.Name("request", b64(id)) }

// invited deals with an invitation, whose signature was checked. It becomes a
// request, unless this account has asked for it: by handing out a link, or by
// writing to the person itself.
func (s *step) invited(d *door, k knock, id []byte) error {
	inv := k.wrapper
	if len(inv.Founding) > 0 {
		// Whoever it is from, blocked or not (protocol §6).
		if dealt, err := s.foundingCame(k, id); err != nil || dealt {
			return err
		}
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	if inv.Account == me.ID {
		return s.invitedBySibling(me, k, id)
	}
	st, ok, err := s.plausible(me, inv)
	if err != nil || !ok {
		return err
	}
	p, err := s.person(inv.Account)
	if err != nil || p.Blocked {
		return err
	}
	if agrees, err := s.learnChain(p, k.chain); err != nil || !agrees {
		return err // a fork: no first contact (protocol §7)
	}
	if live, err := p.live(inv.Device); err != nil || !live {
		return err // signed by the chain of then: the device was revoked since
	}
	s.putPerson(p)
	now := s.c.now()
	rq := request{ID: id, Ref: k.ref, Wrapper: *inv, At: now.UnixMilli(), Until: now.Add(wire.ClaimWithin).Unix()}
	wanted, err := s.wanted(d, k, st, p)
	if err != nil {
		return err
	}
	if wanted {
		return errors.Join(s.carryOut(&rq, true), s.shareDecision(&rq, true))
	}
	s.putRequest(&rq)
	if accept, done, err := s.alreadyDecided(&rq); err != nil || done {
		return errors.Join(err, s.carryOut(&rq, accept))
	}
	cv, err := s.conv(convID(st.ID))
	if err != nil {
		return err
	}
	if cv == nil {
		cv = &conversation{ID: convID(st.ID), Kind: kindName(st.Kind)}
		if st.Kind == roster.Direct {
			cv.Peer = inv.Account
		}
	}
	ev := happening{Type: EventRequest, At: rq.At, Account: inv.Account, ID: id, Kind: cv.Kind, Name: st.Name, Until: rq.Until}
	ev.Text = firstText(inv)
	_, err = s.record(cv, ev)
	return err
}

// plausible checks what an invitation says of itself, as far as can be told
// before joining; joining checks all of it again.
func (s *step) plausible(me *account, inv *letter.Wrapper) (st roster.State, ok bool, err error) {
	st, perr := roster.ParseState(inv.State)
	if perr != nil || st.Kind == roster.Self {
		return st, false, nil
	}
	_, mine := st.Member(me.ID)
	_, theirs := st.Member(inv.Account)
	return st, mine && theirs && inv.Account != me.ID, nil
}

// wanted reports whether this account has asked for an invitation beforehand.
func (s *step) wanted(d *door, k knock, st roster.State, p *person) (bool, error) {
	inv := k.wrapper
	if st.Kind == roster.Group {
		// By following a group's link.
		var a asked
		ok, err := s.get(askedName(k.ref), &a)
		if err != nil || !ok || a.From != inv.Account || a.Conv != (convID{}) {
			return false, err
		}
		a.Conv = convID(st.ID)
		s.putUntil(askedName(k.ref), a, s.c.now().Add(askedLife).Unix())
		return true, nil
	}
	if st.Kind == roster.Direct {
		for _, c := range d.Classes {
			if c.For == forLink && inv.Link.Opens(c.Key.Hash()) && (c.Until == 0 || s.c.now().Unix() < c.Until) {
				return true, nil
			}
		}
	}
	if st.Kind != roster.Direct {
		return false, nil
	}
	// We have a direct room with this person, which we began or accepted: the
	// two rooms are one conversation (protocol §6).
	cv, err := s.conv(convID(st.ID))
	if err != nil || cv == nil {
		return false, err
	}
	r, err := s.room(cv.Room)
	return r != nil && p.Contact, err
}

func kindName(k roster.Kind) string {
	switch k {
	case roster.Direct:
		return KindDirect
	case roster.Self:
		return KindSelf
	}
	return KindGroup
}

// firstText is what a stranger's first message says.
func firstText(w *letter.Wrapper) (text string) {
	if w.First == nil {
		return ""
	}
	if m, err := content.Parse(w.First.Content); err == nil {
		text, _ = m.Text()
	}
	return text
}

// answered deals with an answer to an invitation of ours. One that declines
// carries a signed leave: with it the leaf is taken out. Whoever accepts says so
// in the room.
func (s *step) answered(a *letter.Answer) error {
	if a.Accept {
		return nil
	}
	e, err := roster.ParseEvidence(a.Leave)
	if err != nil {
		return nil
	}
	if id, who, err := e.Claims(); err != nil || id != roster.ConversationID(a.Conversation) || who != a.Account {
		return nil
	}
	cv, err := s.conv(a.Conversation)
	if err != nil || cv == nil {
		return err
	}
	r, err := s.room(cv.Room)
	if err != nil || r == nil || r.State != roomOK {
		return err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	_, err = s.takeLeave(r, ro, e, 0)
	s.putRoom(r)
	return err
}
