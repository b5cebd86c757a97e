package core

import (
	"context"
	"time"

	"hearth/core/vault"
	"hearth/wire"
)

// An answer to an invitation is first posted in the self room, whose first entry
// decides for all devices (protocol §6): each of them was invited by itself, and
// accepts or drops its own invitation by what is written there.

// decision is an answer to the invitations that one commit made.
type decision struct {
	_      struct{} `cbor:",toarray"`
	Room   wire.RoomID
	Epoch  wire.Epoch
	Accept bool
}

func (d decision) name() string {
	return vault.Name("decided", b64(d.Room[:]), b64([]byte{byte(d.Epoch >> 24), byte(d.Epoch >> 16), byte(d.Epoch >> 8), byte(d.Epoch)}))
}

func (q *request) decision(accept bool) decision {
	return decision{Room: q.Wrapper.Room, Epoch: q.Wrapper.Epoch, Accept: accept}
}

// decidedKept is how long a decision is remembered: longer than an invitation
// waits.
const decidedKept = 62 * 24 * time.Hour

// decided carries a decision out for this device's own invitation, if it is the
// first one.
func (s *step) decided(d decision) error {
	if again, err := s.has(d.name()); err != nil || again {
		return err
	}
	s.putUntil(d.name(), d.Accept, s.c.now().Add(decidedKept).Unix())
	var mine []*request
	err := s.scan("request", func(_ string, b []byte) (bool, error) {
		rq := new(request)
		if err := decodeRecord(b, rq); err != nil {
			return false, err
		}
		if rq.Wrapper.Room == d.Room && rq.Wrapper.Epoch == d.Epoch {
			mine = append(mine, rq)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, rq := range mine {
		if err := s.carryOut(rq, d.Accept); err != nil {
			return err
		}
	}
	return nil
}

// carryOut lets a request of this device be accepted or declined by itself.
func (s *step) carryOut(rq *request, accept bool) error {
	rq.Decided, rq.Declined = true, !accept
	s.putRequest(rq)
	s.then(func() { s.c.wakeRequests() })
	return nil
}

// shareDecision tells the siblings what needed no question here: they may not know
// why, or not yet.
func (s *step) shareDecision(rq *request, accept bool) error {
	d := rq.decision(accept)
	if done, err := s.has(d.name()); err != nil || done {
		return err
	}
	return s.share(item(syncDecision, d))
}

// alreadyDecided reports what a sibling answered to an invitation that arrives
// only now.
func (s *step) alreadyDecided(rq *request) (accept, ok bool, err error) {
	ok, err = s.get(rq.decision(false).name(), &accept)
	return accept, ok, err
}

// ask posts an answer for all devices, and waits until one of them has decided.
// false: there are no others to ask.
func (c *Client) ask(ctx context.Context, id []byte, accept bool) (asked, accepted bool, err error) {
	var d decision
	err = c.step(ctx, func(s *step) error {
		rq, err := s.request(id)
		if err != nil {
			return err
		}
		if rq == nil {
			return errNoRequest
		}
		me, err := s.me()
		if err != nil {
			return err
		}
		siblings, err := s.siblings(me)
		if err != nil || len(siblings) == 0 {
			return err
		}
		r, _, err := s.selfRoom(me)
		if err != nil || canPost(r) != nil {
			return err
		}
		asked = true
		d = rq.decision(accept)
		return s.shareDecision(rq, accept)
	})
	if err != nil || !asked {
		return asked, false, err
	}
	err = c.wait(ctx, func(s *step) (done bool, err error) {
		done, err = s.get(d.name(), &accepted)
		return done, err
	})
	if err != nil && ctx.Err() != nil {
		return true, accept, wire.Errorf(wire.Unreachable, "your other devices could not be told yet").
			WithNext("it goes on by itself; look with: hearth requests")
	}
	return true, accepted, err
}
