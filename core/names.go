package core

import (
	"context"
	"math/rand/v2"
	"time"

	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/wire"
)

// Fellow members are known by account; the handle that goes with one is asked
// for once, of our own server's directory and of no other. Each question comes
// at a random moment of its own: a burst would tell that server who is in a
// room together (docs/threats.md says what is left of that).

// nameWithin bounds the random wait before each question.
const nameWithin = 4 * time.Second

func unnamedName(id wire.AccountID) string { return vault.Name("unnamed", b64(id[:])) }

// askNames notes the members whose handle was never asked for.
func (s *step) askNames(ro *roster.Roster) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	for _, m := range ro.State().Members {
		if m.Account == me.ID {
			continue
		}
		p, err := s.person(m.Account)
		if err != nil {
			return err
		}
		if p.Handle != "" || p.Asked {
			continue
		}
		p.Asked = true
		s.putPerson(p)
		s.putUntil(unnamedName(m.Account), m.Account, s.c.now().Add(wire.MaxTTL).Unix())
		s.then(s.c.wakeNames)
	}
	return nil
}

// wakeNames starts asking.
func (c *Client) wakeNames() {
	c.poke(queueID{what: nameQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			return s.scan("unnamed", func(name string, b []byte) (bool, error) {
				var id wire.AccountID
				if err := decodeRecord(b, &id); err != nil {
					return false, err
				}
				act = func(ctx context.Context) (time.Duration, error) { return 0, c.askName(ctx, name, id) }
				return false, nil
			})
		})
		return act, err
	})
}

func (c *Client) askName(ctx context.Context, name string, id wire.AccountID) error {
	select {
	case <-time.After(rand.N(nameWithin)):
	case <-ctx.Done():
		return ctx.Err()
	}
	me, err := c.self(ctx)
	if err != nil {
		return err
	}
	if _, err := c.lookUp(ctx, me.Server, me.Domain, wire.AccountGet{Account: &id}); code(err) == wire.Unreachable || ctx.Err() != nil {
		return err
	}
	return c.step(ctx, func(s *step) error { s.del(name); return nil })
}
