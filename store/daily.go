package store

import (
	"context"
	"fmt"
	"slices"

	"hearth/wire"
)

// hoardDays is how long one seat may hold back half of a room's budget
// (protocol §10).
const hoardDays = 7

// goneDays is how long a dropped room still answers "gone".
const goneDays = 90

// everyDay does once a day what days decide: seats that nobody claimed or that
// have not shown the token since a removal are dropped (protocol §2), so are
// rooms that nobody opens (§10).
func (r *Rooms) everyDay(ctx context.Context) error {
	today := r.today()
	if r.daily == today {
		return nil
	}
	ids, err := r.due(ctx, today)
	if err != nil {
		return fmt.Errorf("find what is due today: %w", err)
	}
	for _, id := range ids {
		rm, err := r.get(ctx, id, true)
		if err != nil {
			return err
		}
		rm.mu.Lock()
		r.age(rm, today)
		if err = nil; !rm.absent && rm.gone == 0 {
			err = r.unhoard(ctx, rm, today)
		}
		rm.mu.Unlock()
		r.put(rm)
		if err != nil {
			return fmt.Errorf("look at who holds a room back: %w", err)
		}
	}
	r.write.Lock()
	defer r.write.Unlock()
	if _, err := r.db.ExecContext(ctx, `DELETE FROM rooms WHERE gone_until > 0 AND gone_until < $1`, today); err != nil {
		return fmt.Errorf("forget dropped rooms: %w", err)
	}
	r.daily = today
	return nil
}

func (r *Rooms) due(ctx context.Context, today Day) ([]wire.RoomID, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT room FROM seats WHERE claim_by > 0 AND claim_by < $1
		UNION SELECT room FROM rooms WHERE due > 0 AND due <= $1
		UNION SELECT room FROM rooms WHERE gone_until = 0 AND opened < $2`, today, today-Day(wire.DropRoomAfter/dayLength))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []wire.RoomID
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, wire.RoomID(id))
	}
	return out, rows.Err()
}

// age makes the changes that the day brings to a room; rm.mu is held.
func (r *Rooms) age(rm *room, today Day) {
	nothing := func(wire.Appended, error) {}
	if rm.absent || rm.gone > 0 {
		return
	}
	if len(rm.watchers) > 0 {
		r.touch(rm)
	}
	if rm.opened < today-Day(wire.DropRoomAfter/dayLength) {
		r.change(rm, &record{Op: opDrop}, &dropChange{Until: today + goneDays}, wire.Appended{}, nothing)
		return
	}
	if out := rm.overdue(today); len(out) > 0 {
		r.change(rm, &record{Op: opLeave}, &leaveChange{Seats: out}, wire.Appended{}, nothing)
	}
	due := today - Day(wire.ClaimWithin/dayLength)
	if n := slices.IndexFunc(rm.marks, func(m mark) bool { return m.Day >= due }); n != 0 {
		if n < 0 {
			n = len(rm.marks)
		}
		rm.marks = slices.Delete(rm.marks, 0, n) // all seats left have passed them
		r.markDirty(rm)
	}
}

// overdue lists the seats that no longer have a place.
func (rm *room) overdue(today Day) []wire.SeatID {
	due := today - Day(wire.ClaimWithin/dayLength)
	var gen uint32 // of the newest removal that is 31 days old
	for _, m := range rm.marks {
		if m.Day < due {
			gen = m.Gen
		}
	}
	var out []wire.SeatID
	for _, s := range rm.seats {
		if s.gen < gen || (s.claimBy > 0 && s.claimBy < today) {
			out = append(out, s.id)
		}
	}
	return out
}

// unhoard ends the entries that one seat alone has held back for seven days, if
// they are more than half of the room's budget (protocol §10). They go as if
// their ttl had ended: the seat sees holes that say so, or that it has lapsed.
// rm.mu is held.
func (r *Rooms) unhoard(ctx context.Context, rm *room, today Day) error {
	through, err := r.heldAlone(ctx, rm)
	if err != nil {
		return err
	}
	was := rm.hoard
	switch {
	case through == 0:
		rm.hoard = 0
	case rm.hoard == 0:
		rm.hoard = today
	case rm.hoard+hoardDays <= today:
		rm.hoard = 0
		if err := r.endThrough(ctx, rm.id, through); err != nil {
			return err
		}
		rm.early = through
	}
	if rm.hoard != was || rm.overHalf(r.cfg.RoomBytes) {
		r.markDirty(rm) // with it, the day of the next look is written
	}
	return nil
}

// overHalf reports whether the room's entries take more than half its budget.
func (rm *room) overHalf(budget int64) bool { return rm.bytes() > budget/2 }

// heldAlone returns through which entry one seat holds more than half of the
// budget back that every other seat has acknowledged; 0 if none does.
func (r *Rooms) heldAlone(ctx context.Context, rm *room) (wire.Number, error) {
	if !rm.overHalf(r.cfg.RoomBytes) || len(rm.seats) < 2 {
		return 0, nil
	}
	lowest, second := rm.head, rm.head
	for i := range rm.seats {
		s := &rm.seats[i]
		if !rm.holds(s) {
			continue
		}
		if s.cursor < lowest {
			lowest, second = s.cursor, lowest
		} else {
			second = min(second, s.cursor)
		}
	}
	if second <= lowest {
		return 0, nil
	}
	var held int64
	err := r.db.QueryRowContext(ctx, `SELECT coalesce(sum(length(body) + $1), 0) FROM entries WHERE room = $2 AND number <= $3`, cost(0), rm.id[:], second).Scan(&held)
	if err != nil || held <= r.cfg.RoomBytes/2 {
		return 0, err
	}
	return second, nil
}

// endThrough lets stored entries end now; the next checkpoint sweeps them.
func (r *Rooms) endThrough(ctx context.Context, id wire.RoomID, through wire.Number) error {
	r.write.Lock()
	defer r.write.Unlock()
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// Together: a hole that does not say why it is there is a false one.
	if _, err := tx.ExecContext(ctx, `UPDATE rooms SET early = $2 WHERE room = $1`, id[:], through); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE entries SET expires = 0 WHERE room = $1 AND number <= $2`, id[:], through); err != nil {
		return err
	}
	return tx.Commit()
}
