package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"hearth/wire"
)

// CreateDoor makes a door: a log with one seat (protocol §6).
func (r *Rooms) CreateDoor(ctx context.Context, req *wire.DoorCreate, done func(error)) {
	if req.Seat.ID.Region() != req.Door.Region() || checkDoor(req.Classes, req.Packages) != nil {
		done(errInput("the seat, classes or packages do not fit a door"))
		return
	}
	req.Seat.Provisional = false
	made := sha256.Sum256(wire.Encode(req))
	r.create(ctx, req.Door, &createChange{
		Door: true, Made: made, Seats: []wire.NewSeat{req.Seat}, Classes: req.Classes, Packages: req.Packages, Day: r.today(),
	}, func(_ wire.Appended, err error) { done(err) })
}

func checkDoor(classes []wire.DoorClass, packages []wire.DoorPackage) error {
	if len(classes) > wire.MaxClasses || len(packages) > wire.MaxKeyPackages {
		return wire.ErrFull
	}
	seen := map[wire.ClassID]bool{}
	for _, c := range classes {
		if seen[c.ID] {
			return errInput("a class is named twice")
		}
		seen[c.ID] = true
	}
	last := 0
	for _, p := range packages {
		if len(p.Sealed) == 0 || len(p.Sealed) > wire.MaxKeyPackage {
			return errInput("a key package is empty or too large")
		}
		if p.LastResort {
			last++
		}
	}
	if last > 1 {
		return errInput("a door has one last-resort package")
	}
	return nil
}

// SetDoor changes a door's classes and packages.
func (r *Rooms) SetDoor(ctx context.Context, req *wire.DoorSet, done func(wire.DoorState, error)) {
	if err := checkDoor(req.Put, req.Add); err != nil || len(req.Drop) > wire.MaxClasses {
		done(wire.DoorState{}, errInput("the classes or packages do not fit a door"))
		return
	}
	within(ctx, r, req.Door, true, done, func(rm *room) error {
		if rm.opens(req.Seat, req.Secret) == nil {
			return wire.ErrDenied
		}
		if len(req.Put) == 0 && len(req.Drop) == 0 && len(req.Add) == 0 && !req.Replace {
			done(rm.doorState(), nil) // only asked
			return nil
		}
		if err := rm.doorFits(req); err != nil {
			return err
		}
		var state wire.DoorState
		err := r.change(rm, &record{Op: opDoorSet}, &doorSetChange{Put: req.Put, Drop: req.Drop, Replace: req.Replace, Add: req.Add}, wire.Appended{},
			func(_ wire.Appended, err error) { done(state, err) })
		if err == nil {
			state = rm.doorState()
		}
		return nil
	})
}

func (rm *room) doorFits(req *wire.DoorSet) error {
	classes, packages := len(rm.classes), len(rm.packages)
	for _, d := range req.Put {
		if rm.class(d.ID) == nil {
			classes++
		}
	}
	if req.Replace {
		packages = 0
	}
	if classes > wire.MaxClasses || packages+len(req.Add) > wire.MaxKeyPackages+1 {
		return wire.ErrFull
	}
	return nil
}

func (rm *room) doorState() (s wire.DoorState) {
	for _, p := range rm.packages {
		if p.lastResort {
			s.LastResort, s.LastUsed = true, p.used
		} else {
			s.Packages++
		}
	}
	return s
}

// opensClass returns the class that the key opens now. Every class costs the
// same comparison.
func (rm *room) opensClass(key wire.Secret, now time.Time) *class {
	var found *class
	h := key.Hash()
	for i := range rm.classes {
		c := &rm.classes[i]
		if h == c.Hash && len(key.Reveal()) > 0 && (c.Until == 0 || now.Unix() < c.Until) {
			found = c
		}
	}
	return found
}

// PostDoor appends one entry to a door under a class's key.
func (r *Rooms) PostDoor(ctx context.Context, req *wire.DoorPost, done Done) {
	if err := checkPost(req.Payload, wire.MaxKnock, req.TTL, wire.MaxTTL); err != nil {
		done(wire.Appended{}, err)
		return
	}
	id := wire.EntryIDOf(req.Payload)
	within(ctx, r, req.Door, true, hideGone(done), func(rm *room) error {
		c := rm.opensClass(req.Key, r.cfg.Now())
		if c == nil {
			return wire.ErrDenied
		}
		if a, err := r.known(ctx, rm, id); err != nil || a.Number > 0 {
			return r.repeat(a, err, done)
		}
		if c.waiting >= c.Quota || (c.Uses > 0 && c.used >= c.Uses) {
			return wire.ErrFull
		}
		if err := r.fits(rm, len(req.Payload)); err != nil {
			return err
		}
		class := c.ID
		e := wire.Entry{Number: rm.head + 1, Kind: wire.KindKnock, Payload: req.Payload}
		r.append(rm, e, r.expiry(time.Duration(req.TTL)*time.Second), &class, done)
		return nil
	})
}

// hideGone: a door that was dropped is no room whose members must learn it.
func hideGone[T any](done func(T, error)) func(T, error) {
	return func(v T, err error) {
		if err == wire.ErrGone {
			err = wire.ErrDenied
		}
		done(v, err)
	}
}

// Claim takes one key package. It is answered once the claim is on disk, so
// that no package is ever handed out twice (protocol §6).
func (r *Rooms) Claim(ctx context.Context, req *wire.DoorClaim, done func(wire.DoorClaimed, error)) {
	within(ctx, r, req.Door, true, hideGone(done), func(rm *room) error {
		c := rm.opensClass(req.Key, r.cfg.Now())
		if c == nil {
			return wire.ErrDenied
		}
		if c.Uses > 0 && c.used >= c.Uses {
			return wire.ErrFull // nothing could be posted with it
		}
		p := rm.nextPackage()
		// A class may drain a door only as far as its own quota allows in a day.
		if p == nil || !r.budgets.take(budgetClaim, append(rm.id[:8:8], c.ID[:]...), max(16, 4*int(c.Quota)), dayLength, r.cfg.Now()) {
			return wire.ErrFull
		}
		a := wire.DoorClaimed{Sealed: p.sealed, LastResort: p.lastResort}
		if a.Sealed == nil {
			if err := r.db.QueryRowContext(ctx, `SELECT sealed FROM packages WHERE package_key = $1`, p.key).Scan(&a.Sealed); err != nil {
				return fmt.Errorf("read a key package: %w", err)
			}
		}
		report := func(_ wire.Appended, err error) {
			if err != nil {
				a = wire.DoorClaimed{}
			}
			done(a, err)
		}
		if p.lastResort && p.used {
			r.wait(wire.Appended{}, report) // nothing changes
			return nil
		}
		r.change(rm, &record{Op: opClaim}, &claimChange{Package: p.id}, wire.Appended{}, report)
		return nil
	})
}

// nextPackage is a package to hand out: the last resort only when there is no
// other.
func (rm *room) nextPackage() *pkg {
	var last *pkg
	for i := range rm.packages {
		if !rm.packages[i].lastResort {
			return &rm.packages[i]
		}
		last = &rm.packages[i]
	}
	return last
}
