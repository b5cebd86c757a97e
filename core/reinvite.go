package core

import (
	"context"
	"crypto/sha256"
	"time"

	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/wire"
)

// Who could not be invited for now, because their server does not answer or
// their door has no KeyPackage left, is skipped by name and invited later; the
// others go on.

// reinvitation is somebody to invite later.
type reinvitation struct {
	_    struct{} `cbor:",toarray"`
	Conv convID
	Who  string // as it was typed
	// Tries were in vain; Due is when the next one is, Unix seconds.
	Tries uint32
	Due   int64
	Until int64
}

const (
	reinviteFirst = 5 * time.Minute
	reinviteMost  = 6 * time.Hour
	// reinviteFor is how long it is tried.
	reinviteFor = 7 * 24 * time.Hour
)

func reinviteName(conv convID, who string) string {
	h := sha256.Sum256([]byte(who))
	return vault.Name("reinvite", b64(conv[:]), b64(h[:16]))
}

// passing reports whether what kept somebody from being invited may pass.
func passing(k wire.Code) bool {
	return k == wire.Unreachable || k == wire.Full || k == wire.Internal
}

// reinvite notes those of the skipped who are to be invited later, and marks
// them.
func (s *step) reinvite(conv convID, skipped []Skipped) {
	for i, sk := range skipped {
		if !passing(wire.Code(sk.Code)) {
			continue
		}
		now := s.c.now()
		w := reinvitation{Conv: conv, Who: sk.Handle, Due: now.Add(reinviteFirst).Unix(), Until: now.Add(reinviteFor).Unix()}
		s.putUntil(reinviteName(conv, sk.Handle), w, w.Until)
		skipped[i].Retry = true
	}
	s.then(s.c.wakeReinvite)
}

// wakeReinvite starts what invites them.
func (c *Client) wakeReinvite() {
	c.poke(queueID{what: reinviteQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			var first *reinvitation
			err := s.scan("reinvite", func(_ string, b []byte) (bool, error) {
				w := new(reinvitation)
				err := decodeRecord(b, w)
				if err == nil && (first == nil || w.Due < first.Due) {
					first = w
				}
				return true, err
			})
			if err != nil || first == nil {
				return err
			}
			if left := time.Unix(first.Due, 0).Sub(c.now()); left > 0 {
				act = func(context.Context) (time.Duration, error) { return left, nil }
				return nil
			}
			act = func(ctx context.Context) (time.Duration, error) { return 0, c.inviteLater(ctx, first) }
			return nil
		})
		return act, err
	})
}

// inviteLater tries once more. Whoever is in the group by then, or may not be
// invited any more, is forgotten.
func (c *Client) inviteLater(ctx context.Context, w *reinvitation) error {
	name := reinviteName(w.Conv, w.Who)
	in := make(map[wire.AccountID]bool)
	may := false
	err := c.look(ctx, func(s *step) error {
		_, ro, me, err := s.inGroup(w.Conv)
		if code(err) != "" {
			return nil // the group is not ours any more
		} else if err != nil {
			return err
		}
		may = atLeast(ro, me.ID, roster.RoleAdmin)
		for _, m := range ro.State().Members {
			in[m.Account] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	var found []invitee
	again := false
	if may {
		got, _, skipped, err := c.invitees(ctx, []string{w.Who}, in)
		if err != nil {
			return err
		}
		found, again = got, len(skipped) > 0 && passing(wire.Code(skipped[0].Code))
	}
	return c.step(ctx, func(s *step) error {
		if still, err := s.has(name); err != nil || !still {
			return err // taken back meanwhile
		}
		if again {
			w.Tries++
			wait := min(reinviteFirst<<min(w.Tries, 10), reinviteMost)
			w.Due = s.c.now().Add(wait).Unix()
			s.putUntil(name, w, w.Until)
			return nil
		}
		s.del(name)
		if len(found) == 0 {
			return nil
		}
		r, _, _, err := s.inGroup(w.Conv)
		if err != nil {
			return nil
		}
		s.plan(r, plan{Add: found})
		s.putRoom(r)
		return nil
	})
}

// dontReinvite forgets that somebody was to be invited, and reports whether they
// were.
func (s *step) dontReinvite(conv convID, who string) (bool, error) {
	name := reinviteName(conv, who)
	was, err := s.has(name)
	if was {
		s.del(name)
	}
	return was, err
}
