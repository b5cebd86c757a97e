package core

import (
	"context"
	"fmt"
	"io"
	"time"

	"hearth/core/archive"
	"hearth/core/backup"
	"hearth/core/lane"
	"hearth/core/roster"
	"hearth/identity"
	"hearth/wire"
)

// Restoring: a new home takes in what a backup holds, becomes a new device of the
// account by an entry that the recovery key signs, makes its doors, and asks to
// be let into its rooms again (protocol §5). Cut short at any point it goes on
// when it is called again.

// RestoreOptions says what BackupRestore and BackupVerify read.
type RestoreOptions struct {
	// From is a place, or ServerPlace; "" for that of this home's last backup, to
	// verify. Server is the server's URL then, where this home has no account.
	From   string
	Server string
	// Words open it: those of the first backup, or the account's recovery key.
	Words string
	// Recovery are the recovery key's words, where Words are the backup's own.
	Recovery string
	// Older takes in a backup that is known not to be the newest.
	Older bool
	// RevokeOthers takes all other devices out of the account.
	RevokeOthers bool
}

// Restored answers BackupRestore and BackupVerify.
type Restored struct {
	Items   int       `json:"items"`
	Account string    `json:"account"`
	Handle  string    `json:"handle,omitempty"`
	Device  string    `json:"device,omitempty"`
	Made    time.Time `json:"made"`
	// Ended is how many segments of messages have ended since.
	Ended int `json:"ended,omitempty"`
	// Newest: yes, no, or unknown when the server can't be asked.
	Newest string `json:"newest"`
}

// errOlder says that a backup isn't the newest.
var errOlder = &wire.Error{Code: wire.Stale, Message: "a newer backup than this one was made",
	Next: "use the newest, or take this one with --older"}

// BackupVerify reads a backup as a restore would, into nothing that stays.
func (c *Client) BackupVerify(ctx context.Context, o RestoreOptions) (Restored, error) {
	var sv *savings
	err := c.look(ctx, func(s *step) (err error) {
		sv, err = s.savings()
		return err
	})
	if err != nil {
		return Restored{}, err
	}
	if o.From == "" {
		if sv == nil {
			return Restored{}, errNoBackup
		}
		o.From = sv.To
	}
	var keys *backup.Keys
	if o.Words == "" {
		if sv == nil {
			return Restored{}, wire.Errorf(wire.BadInput, "the words that open the backup are missing")
		}
		keys = &sv.Keys
	}
	f, done, err := c.openBackup(ctx, o, keys)
	if err != nil {
		return Restored{}, err
	}
	defer done()
	trial, err := c.trialHome(ctx)
	if err != nil {
		return Restored{}, err
	}
	defer trial.vault.Close()
	out, _, err := trial.takeIn(ctx, f)
	if err != nil {
		return Restored{}, err
	}
	if sv != nil && sv.Keys.Lineage == f.Keys.Lineage && f.Manifest.Counter < sv.Counter {
		out.Newest = "no"
	}
	if out.Newest == "no" && !o.Older {
		return out, errOlder
	}
	return out, nil
}

// openBackup opens the backup at a place, with keys or else with words.
func (c *Client) openBackup(ctx context.Context, o RestoreOptions, keys *backup.Keys) (*backup.File, func(), error) {
	var root wire.Secret
	if keys == nil {
		words, err := parseWords(o.Words)
		if err != nil {
			return nil, nil, err
		}
		root = words.BackupRoot()
	}
	places, err := c.places()
	if o.From == ServerPlace {
		places, err = c.atServer(ctx, o, root)
	}
	if err != nil {
		return nil, nil, err
	}
	at, size, err := places.Open(ctx, o.From)
	if err != nil {
		return nil, nil, err
	}
	var f *backup.File
	if keys != nil {
		f, err = keys.Open(at, size)
	} else {
		f, err = backup.Open(at, size, root)
	}
	if err != nil {
		at.Close()
		return nil, nil, err
	}
	return f, func() { at.Close() }, nil
}

// atServer is the place at the server that words, or else this home, find.
func (c *Client) atServer(ctx context.Context, o RestoreOptions, root wire.Secret) (Places, error) {
	p := &serverPlace{c: c, server: o.Server}
	err := c.look(ctx, func(s *step) error {
		me, err := s.account()
		if err == nil && me != nil && p.server == "" {
			p.server = me.Server
		}
		if err != nil || root.Reveal() != nil {
			return err
		}
		sv, err := s.savings()
		if err == nil && sv != nil {
			p.slots = sv.Slots
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if root.Reveal() != nil {
		p.slots = []wire.Secret{slotOf(root)}
	}
	if err := identity.CheckServer(p.server); err != nil || len(p.slots) == 0 {
		return nil, wire.Errorf(wire.BadInput, "which server the backup is at is missing").WithNext("name it with --server URL")
	}
	session, err := c.net.To(p.server, lane.Accounts).Now(ctx)
	if err != nil {
		return nil, err
	}
	p.region = session.Welcome().Region
	return p, nil
}

func parseWords(text string) (identity.RecoveryKey, error) {
	k, err := identity.ParseRecovery(text)
	if err != nil {
		return k, wire.Errorf(wire.BadInput, "the words cannot be read: %w", err).WithNext("look at the paper again")
	}
	return k, nil
}

// takeIn takes everything from a backup into this home but the account itself,
// which it returns.
func (c *Client) takeIn(ctx context.Context, f *backup.File) (Restored, *accountEntry, error) {
	m := &f.Manifest
	out := Restored{Account: m.Account.String(), Made: time.Unix(m.Made, 0).UTC(), Newest: "unknown"}
	if m.Beacon != nil {
		_, err := c.cfg.Blobs.Get(ctx, m.Server, *m.Beacon)
		switch code(err) {
		case "":
			out.Newest = "yes"
		case wire.Denied:
			out.Newest = "no"
		}
	}
	var who *accountEntry
	for {
		err := f.Next(func(g backup.Segment) (wire.Secret, bool, error) {
			if g.End <= c.now().Unix() {
				out.Ended++
				return wire.Secret{}, false, nil
			}
			b, err := c.cfg.Blobs.Get(ctx, m.Server, *g.Key)
			switch {
			case code(err) == wire.Denied:
				out.Ended++
				return wire.Secret{}, false, nil
			case err != nil:
				return wire.Secret{}, false, fmt.Errorf("ask the server for what opens the backup's messages: %w", err)
			}
			return wire.SecretFrom(b), true, nil
		}, func(g backup.Segment, entries []archive.Entry) error {
			return c.step(ctx, func(s *step) error {
				for _, e := range entries {
					n, a, err := s.takeEntry(m, g, e)
					if err != nil {
						return err
					}
					out.Items += n
					if a != nil {
						who = a
					}
				}
				return nil
			})
		})
		if err == io.EOF {
			break
		}
		if err != nil {
			return out, nil, err
		}
	}
	if who == nil {
		return out, nil, backup.ErrDamaged
	}
	if who.Name != "" {
		out.Handle = identity.Handle{Name: who.Name, Domain: who.Domain}.String()
	}
	return out, who, nil
}

// takeEntry takes one entry in.
func (s *step) takeEntry(m *backup.Manifest, g backup.Segment, e archive.Entry) (n int, who *accountEntry, err error) {
	read := func(v any) error {
		if wire.Decode(e.Value, v) != nil {
			return backup.ErrDamaged
		}
		return nil
	}
	if (g.Name == stateName) == (e.Kind == savedLine) {
		return 0, nil, backup.ErrDamaged
	}
	switch e.Kind {
	case savedAccount:
		who = new(accountEntry)
		if err := read(who); err != nil {
			return 0, nil, err
		}
		chain, err := identity.VerifyFor(m.Account, who.Chain)
		if err != nil || who.ID != m.Account || identity.CheckServer(who.Server) != nil || chain.Closed() {
			return 0, nil, backup.ErrDamaged
		}
	case savedPerson:
		p := new(person)
		if err := read(p); err != nil {
			return 0, nil, err
		}
		if _, err := p.chain(); err != nil {
			return 0, nil, backup.ErrDamaged
		}
		s.putPerson(p)
	case savedHandle:
		var h handleEntry
		if err := read(&h); err != nil {
			return 0, nil, err
		}
		s.put(handleName(h.Handle), h.Account)
	case savedSetting:
		var v setting
		if err := read(&v); err != nil {
			return 0, nil, err
		}
		if err := s.heardSetting(v); err != nil {
			return 0, nil, err
		}
	case savedConv:
		cv := new(conversation)
		if err := read(cv); err != nil {
			return 0, nil, err
		}
		s.putConv(cv)
	case savedRoom:
		var r roomEntry
		if err := read(&r); err != nil {
			return 0, nil, err
		}
		if len(r.Roster) > 0 {
			if _, err := roster.Parse(r.Roster); err != nil {
				return 0, nil, backup.ErrDamaged
			}
			s.putBytes(rosterName(r.ID), r.Roster)
		}
		state := r.State
		if state == roomOK || state == roomFounding {
			state = roomOutOfStep // a new device has no state in it: it asks to be let in
		}
		s.putRoom(&room{ID: r.ID, Server: r.Server, Conv: r.Conv, Epoch: r.Epoch, State: state})
	case savedLine:
		var l lineEntry
		h := new(happening)
		if err := read(&l); err != nil {
			return 0, nil, err
		}
		if wire.Decode(l.Line, h) != nil || h.Until != e.Until || g.End != 0 && (h.Until == 0 || h.Until < g.End) {
			return 0, nil, backup.ErrDamaged
		}
		if h.Until != 0 && h.Until <= s.c.now().Unix() {
			return 0, nil, nil
		}
		s.putUntil(lineName(l.Conv, l.N), h, h.Until)
		s.index(l.Conv, l.N, h)
		if len(l.Signed) > 0 {
			var signed signedBytes
			if wire.Decode(l.Signed, &signed) != nil {
				return 0, nil, backup.ErrDamaged
			}
			s.putUntil(signedName(l.Conv, l.N), signed, h.Until)
		}
	case savedDevice:
		d := new(device)
		if err := read(d); err != nil {
			return 0, nil, err
		}
		s.putDevice(d)
	default:
		return 0, nil, nil // of a later version: what it meant is not here
	}
	return 1, who, nil
}

// errWordsToo says which words are missing.
var errWordsToo = &wire.Error{Code: wire.Denied, Message: "these words open the backup; to be a device of the account this home needs the recovery key's words, too",
	Next: "give the words that were shown at registration with --recovery"}

// BackupRestore makes this home a new device of the account that a backup is of.
func (c *Client) BackupRestore(ctx context.Context, o RestoreOptions) (Restored, error) {
	if err := c.registering.begin(ctx); err != nil {
		return Restored{}, err
	}
	defer c.registering.done()
	if o.From == "" || o.Words == "" {
		return Restored{}, wire.Errorf(wire.BadInput, "a backup and the words that open it are needed")
	}
	var a *account
	err := c.look(ctx, func(s *step) (err error) {
		a, err = s.account()
		return err
	})
	switch {
	case err != nil:
		return Restored{}, err
	case a != nil && a.Stage == stageClosed:
		return Restored{}, errDeleted
	case a != nil && a.Stage == stageDone:
		return Restored{}, wire.Errorf(wire.Taken, "this home has an account already").WithNext("restore into another home, with --home")
	}
	f, done, err := c.openBackup(ctx, o, nil)
	if err != nil {
		return Restored{}, err
	}
	defer done()
	words := o.Recovery
	if words == "" {
		words = o.Words
	}
	key, err := parseWords(words)
	if err != nil {
		return Restored{}, err
	}
	if a != nil && a.ID != f.Manifest.Account {
		return Restored{}, wire.Errorf(wire.Taken, "this home has begun with another account").WithNext("restore into another home, with --home")
	}
	// Everything is read once before anything stays: a backup that is bad at its
	// end leaves nothing behind.
	trial, err := c.trialHome(ctx)
	if err != nil {
		return Restored{}, err
	}
	out, who, err := trial.takeIn(ctx, f)
	trial.vault.Close()
	if err != nil {
		return Restored{}, err
	}
	if out.Newest == "no" && !o.Older {
		return Restored{}, errOlder
	}
	chain, err := identity.VerifyFor(who.ID, who.Chain)
	if err != nil {
		return Restored{}, backup.ErrDamaged
	}
	if key.Public() != chain.Recovery() {
		return Restored{}, errWordsToo
	}
	again, done2, err := c.openBackup(ctx, o, nil)
	if err != nil {
		return Restored{}, err
	}
	defer done2()
	if out, who, err = c.takeIn(ctx, again); err != nil {
		return Restored{}, err
	}
	if a == nil {
		a = &account{ID: who.ID, Server: who.Server, Domain: who.Domain, Name: who.Name, Chain: who.Chain, Device: identity.NewDeviceKey().Marshal()}
	}
	if err := c.step(ctx, func(s *step) error {
		s.put(accountName, a)
		s.put(backupRootName, key.BackupRoot())
		m := &again.Manifest // the lineage goes on here
		opener, err := parseWords(o.Words)
		if err != nil {
			return err
		}
		s.put(savingsName, savings{Keys: again.Keys, Slots: []wire.Secret{slotOf(opener.BackupRoot())}, Counter: m.Counter, Made: m.Made, To: o.From, Beacon: m.Beacon, Drop: m.Drop})
		return nil
	}); err != nil {
		return Restored{}, err
	}
	if err := c.enter(ctx, a, key, o.RevokeOthers); err != nil {
		return Restored{}, err
	}
	device, err := a.key()
	if err != nil {
		return Restored{}, err
	}
	out.Device = device.ID().String()
	return out, c.startDoors(ctx)
}

// restoredUnread keeps as unread what was so when the backup was made, as far as
// it is there.
func (s *step) restoredUnread(cv *conversation) error {
	n := uint64(0)
	err := s.linesBack(cv, cv.Lines, func(_ uint64, h *happening) bool {
		if h.Type == EventMessage && !h.Own && !h.Deleted && len(h.Device) == 0 {
			n++
		}
		return n < cv.Unread
	})
	cv.Unread = min(cv.Unread, n)
	s.putConv(cv)
	return err
}
