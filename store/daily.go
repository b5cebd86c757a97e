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
		rm.mu.Unlock()
		r.put(rm)
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
	if hog, ok := rm.hoarder(0); ok && rm.hoard > 0 && rm.hoard+hoardDays <= today && !slices.Contains(out, hog) {
		out = append(out, hog)
	}
	return out
}

// hoarder will name the seat that alone holds back more than limit bytes.
func (rm *room) hoarder(limit int64) (wire.SeatID, bool) {
	return wire.SeatID{}, false
}
