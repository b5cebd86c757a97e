package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hearth/core/lane"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// A server whose disk was restored from a backup: the old server is gone
// (protocol §5). It shows by a log that is shorter than what was read of it, or
// that has another entry at a number that was read. The room goes on in a
// successor; the doors there hand out KeyPackages that were used before, so all of
// them are replaced; and the directory may lack the end of the account's chain
// (protocol §7), which is handed back.

// knownEntry is an entry that was read, by which a room's log is recognised.
type knownEntry struct {
	_      struct{} `cbor:",toarray"`
	Number wire.Number
	ID     wire.EntryID
	Commit bool
}

// knownEntries is how many of a log's newest entries are remembered, beside its
// newest commit: what the seat has acknowledged is not read again, so that more
// could not be compared.
const knownEntries = 8

// remember notes an entry that was read.
func (r *room) remember(e *wire.Entry) {
	commit := e.Kind == wire.KindCommit
	r.Known = append(r.Known, knownEntry{Number: e.Number, ID: wire.EntryIDOf(e.Payload), Commit: commit})
	for i := 0; i < len(r.Known) && len(r.Known) > knownEntries; i++ {
		newest := r.Known[i].Commit && !slices.ContainsFunc(r.Known[i+1:], func(k knownEntry) bool { return k.Commit })
		if !newest {
			r.Known = slices.Delete(r.Known, i, i+1)
			return
		}
	}
}

// after is the entry behind which a room's log is asked for: what is known of it
// is read again, as far as it was not acknowledged.
func (r *room) after() wire.Number {
	if len(r.Known) > 0 && r.Known[0].Number <= r.Read {
		return r.Known[0].Number - 1
	}
	return r.Read
}

// again compares an entry that was read before with what is remembered.
func (l *roomLog) again(ctx context.Context, e *wire.Entry, cursor wire.Number) error {
	id := wire.EntryIDOf(e.Payload)
	another := func(r *room) bool {
		return slices.ContainsFunc(r.Known, func(k knownEntry) bool { return k.Number == e.Number && k.ID != id })
	}
	found := false
	err := l.c.look(ctx, func(s *step) error {
		r, err := s.room(l.id)
		found = err == nil && r != nil && another(r)
		return err
	})
	if err != nil || !found {
		return err
	}
	err = l.c.step(ctx, func(s *step) error {
		r, cv, err := s.roomAndConv(l.id)
		if err != nil || r == nil || !another(r) {
			return err
		}
		lin, err := s.lineage(r.ID)
		if err != nil {
			return err
		}
		return s.logRestored(r, cv, lin, cursor, cursor)
	})
	if err != nil {
		return err
	}
	return lane.ErrEnded // opened again it is read from where it was restored
}

// logRestored reacts to a room's log that was restored from a backup, at head or
// before. Only notices count there from here on; they are read from the seat's
// restored cursor, for they may lie at numbers that were read before.
func (s *step) logRestored(r *room, cv *conversation, l *lineage, head, cursor wire.Number) error {
	r.Read, r.Known = min(r.Read, cursor), nil
	if l.Restored == 0 || head < l.Restored {
		l.Restored = max(head, 1)
	}
	if err := s.outOfStep(r, cv, NoticeRolledBack, "The server has lost part of this conversation's log; it goes on in a new room."); err != nil {
		return err
	}
	if err := s.serverRestored(r.Server); err != nil {
		return err
	}
	return s.mayFound(r, l, NoticeRolledBack, 0)
}

func restoredName(server string) string { return vault.Name("restored", b64([]byte(server))) }

// restoredOnce is how long a server that was restored is not dealt with again:
// each of its rooms tells of it.
const restoredOnce = 3600

// serverRestored replaces what this device has at a server that was restored, and
// hands the account's chain back to it.
func (s *step) serverRestored(server string) error {
	if again, err := s.has(restoredName(server)); err != nil || again {
		return err
	}
	me, err := s.me()
	if err != nil {
		return nil // not any more
	}
	s.putUntil(restoredName(server), true, s.c.now().Unix()+restoredOnce)
	s.then(s.c.wakeDoors)
	err = s.scan("door", func(_ string, b []byte) (bool, error) {
		d := new(door)
		if err := decodeRecord(b, d); err != nil || d.Server != server {
			return true, err
		}
		// What was used since the backup is handed out again, classes may be old
		// ones, and a door behind the handle an older one.
		d.Replace, d.Synced, d.Stocked, d.Shown = true, false, 0, false
		s.putDoor(d)
		s.then(func() { s.c.wakeDoor(d.ID) })
		return true, nil
	})
	if err != nil || me.Server != server {
		return err
	}
	me.HandBack = true
	s.put(accountName, me)
	s.then(s.c.wakeHandBack)
	return nil
}

// handBackQueue is what hands the account's chain back to a directory.
const handBackQueue queueKind = 0x32

func (c *Client) wakeHandBack() {
	c.poke(queueID{what: handBackQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			if me, err := s.account(); err != nil || me == nil || me.Stage != stageDone || !me.HandBack {
				return err
			}
			act = c.handBack
			return nil
		})
		return act, err
	})
}

// handBack gives the home server the entries of the account's chain that it lacks,
// and only those: one that the recovery key signed may follow an earlier entry,
// and would void what a longer chain than ours has behind it (protocol §7).
func (c *Client) handBack(ctx context.Context) (wait time.Duration, err error) {
	me, err := c.self(ctx)
	if err != nil {
		return 0, err
	}
	accounts := c.net.To(me.Server, lane.Accounts)
	put := func(n int) (bool, error) {
		before, err := identity.VerifyFor(me.ID, me.Chain[:n])
		if err != nil {
			return false, err
		}
		err = accounts.Do(ctx, wire.OpAccountAppend,
			wire.AccountAppend{Account: me.ID, Head: wire.SecretHash(before.Head()), Entry: me.Chain[n]}, nil)
		switch code(err) {
		case wire.Stale, wire.NotFound, wire.Denied, wire.BadInput:
			return false, nil
		}
		return err == nil, err
	}
	next, err := c.lacks(ctx, accounts, me, put)
	if err != nil {
		return 0, err
	}
	for more := true; more && next < len(me.Chain); next++ {
		if more, err = put(next); err != nil {
			return 0, err
		}
	}
	return 0, c.step(ctx, func(s *step) error {
		now, err := s.me()
		if err != nil {
			return nil // not any more
		}
		now.HandBack = len(now.Chain) != len(me.Chain) // it has grown meanwhile
		s.put(accountName, now)
		return nil
	})
}

// lacks returns the first entry of the account's chain that its server lacks;
// len(me.Chain): it lacks none, or has another chain.
func (c *Client) lacks(ctx context.Context, accounts *lane.Lane, me *account, put func(n int) (bool, error)) (int, error) {
	chain, err := me.chain()
	if err != nil {
		return 0, err
	}
	var rec wire.AccountRecord
	err = accounts.Do(ctx, wire.OpAccountGet, wire.AccountGet{Account: &me.ID}, &rec)
	switch code(err) {
	case wire.NotFound:
	case "":
		if err != nil {
			return 0, err
		}
		got, err := identity.VerifyFor(me.ID, rec.Chain)
		if err == nil && chain.Extends(got) {
			return len(rec.Chain), nil
		}
		return len(me.Chain), nil
	default:
		return 0, err
	}
	// It is not there, or has no name and is not shown. The same creation again
	// changes nothing.
	err = accounts.Do(ctx, wire.OpAccountCreate, wire.AccountCreate{Entry: me.Chain[0], Name: me.Name}, nil)
	switch code(err) {
	case wire.Taken, wire.Denied, wire.BadInput:
		c.debug("an account could not be handed back", err)
	default:
		if err != nil {
			return 0, err
		}
	}
	for n := len(me.Chain) - 1; n > 0; n-- {
		before, err := identity.VerifyFor(me.ID, me.Chain[:n])
		if err != nil {
			return 0, err
		}
		if after, err := identity.VerifyFor(me.ID, me.Chain[:n+1]); err != nil || after.Position().Recovery != before.Position().Recovery {
			return len(me.Chain), err
		}
		if ok, err := put(n); err != nil || ok {
			return n + 1, err
		}
	}
	return len(me.Chain), nil
}

// enter makes this home's device one of the account, by the recovery key's word,
// or the only one, and makes its doors.
func (c *Client) enter(ctx context.Context, a *account, key identity.RecoveryKey, alone bool) error {
	accounts := c.net.To(a.Server, lane.Accounts)
	session, err := accounts.Now(ctx)
	if err != nil {
		return err
	}
	device, err := a.key()
	if err != nil {
		return err
	}
	if a.Stage == stageKeys {
		for try := 0; ; try++ {
			chain, err := c.newestOwn(ctx, a)
			if err != nil {
				return err
			}
			if d, in := chain.Device(device.ID()); in && d.Live {
				a.Chain = chain.Entries()
				break
			}
			if alone && liveDevices(chain) >= identity.MaxDevices { // room for this one first
				a.Chain = chain.Entries()
				if err := c.standAlone(ctx, a, device.ID(), key); err != nil {
					return err
				}
				if chain, err = a.chain(); err != nil {
					return err
				}
			}
			next, entry, err := chain.AddDevice(key, device.Candidate(a.ID))
			if err != nil {
				return fmt.Errorf("add this device to the account: %w", err)
			}
			err = accounts.Do(ctx, wire.OpAccountAppend, wire.AccountAppend{Account: a.ID, Head: wire.SecretHash(chain.Head()), Entry: entry}, nil)
			if err == nil {
				a.Chain = next.Entries()
				break
			}
			if !errors.Is(err, wire.ErrStale) || try == 3 {
				return fmt.Errorf("add this device to the account: %w", err)
			}
		}
		a.Stage, a.Domain = stageKnown, session.Welcome().Domain
		if err := c.step(ctx, func(s *step) error { s.put(accountName, a); return nil }); err != nil {
			return err
		}
	}
	if alone {
		if err := c.standAlone(ctx, a, device.ID(), key); err != nil {
			return err
		}
	}
	if err := c.makeDoors(ctx, a, session.Welcome().Region); err != nil {
		return err
	}
	return c.step(ctx, func(s *step) error {
		a.Stage = stageDone
		s.put(accountName, a)
		return s.settleIn(a)
	})
}

// settleIn makes a restored home one of the account's devices: it knows who the
// others are, asks to be let into its rooms, and for what was said meanwhile.
func (s *step) settleIn(me *account) error {
	chain, err := me.chain()
	if err != nil {
		return err
	}
	s.dead(chain)
	own, err := s.ownDevice(me)
	if err != nil {
		return err
	}
	own.Added = s.c.now().Unix()
	s.putDevice(own)
	var gone []identity.DeviceID
	err = s.scan("device", func(_ string, b []byte) (bool, error) {
		d := new(device)
		if err := decodeRecord(b, d); err != nil {
			return false, err
		}
		if in, ok := chain.Device(d.ID); !ok || !in.Live {
			gone = append(gone, d.ID)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	err = s.scan("conversation", func(_ string, b []byte) (bool, error) {
		cv := new(conversation)
		err := decodeRecord(b, cv)
		if err == nil && cv.Unread > 0 {
			err = s.restoredUnread(cv)
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	others, err := s.siblings(me)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		s.put(askAllName, true)
	}
	if err := s.askEverywhere(); err != nil {
		return err
	}
	if err := s.foundSelf(false); err != nil {
		return err
	}
	for _, id := range gone {
		if err := s.deviceGone(me, id); err != nil {
			return err
		}
	}
	return nil
}

// askEverywhere begins to bring this device into every room of a backup. Its
// seats were the lost device's, so it asks at doors (protocol §5).
func (s *step) askEverywhere() error {
	return s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		if err := decodeRecord(b, r); err != nil {
			return false, err
		}
		cv, err := s.conv(r.Conv)
		if err != nil || cv == nil || cv.Room != r.ID || r.State != roomOutOfStep {
			return true, err
		}
		return true, s.heal(r, cv, NoticeLapsed)
	})
}

// errClosedAlready says that the account has ended.
var errClosedAlready = &wire.Error{Code: wire.NotFound, Message: "the account was deleted", Next: "make another one with: hearth register NAME --server URL"}

// newestOwn returns the account's chain as its server has it, if it shows it:
// only accounts with a name are shown. It must lead on from the one that is
// known.
func (c *Client) newestOwn(ctx context.Context, a *account) (*identity.Chain, error) {
	known, err := a.chain()
	if err != nil {
		return nil, err
	}
	var rec wire.AccountRecord
	err = c.net.To(a.Server, lane.Accounts).Do(ctx, wire.OpAccountGet, wire.AccountGet{Account: &a.ID}, &rec)
	switch code(err) {
	case wire.NotFound, wire.Denied:
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	chain, err := identity.VerifyFor(a.ID, rec.Chain)
	if err != nil || !chain.Extends(known) && known.Compare(chain) != identity.Same {
		return nil, wire.Errorf(wire.Denied, "the server shows another history of the account than the backup").
			WithNext("use the newest backup; if this is it, ask whoever keeps the server")
	}
	if chain.Closed() {
		return nil, errClosedAlready
	}
	return chain, nil
}
