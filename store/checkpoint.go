package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"

	"hearth/wire"
)

// snapshot is what a checkpoint writes of one room, taken under its lock.
// Rooms are visited one after another, so a checkpoint as a whole is no single
// moment; each room's rev says which records it already holds.
type snapshot struct {
	rm        *room
	row       []any // the columns of rooms
	seats     []seat
	seatsGone []int64
	entries   []*entry
	forget    wire.Number // delete stored entries through it; 0: none
	door      bool        // write classes and packages
	classes   []class
	packages  []pkg

	removed  int64 // entries taken out of SQLite, and their cost
	removedB int64
	released []wire.ClassID // of removed entries
}

// checkpoint brings the changes since the last one into SQLite, in one
// transaction, and removes the journal's segments that it covers. What every
// seat acknowledged meanwhile never reaches SQLite; what was acknowledged or has
// expired in it is overwritten, and the log that held it is truncated.
//
// It is called by one goroutine at a time. It does not stop half way: a change
// taken from memory must reach the disk.
func (r *Rooms) checkpoint(ctx context.Context) (err error) {
	ctx = context.WithoutCancel(ctx)
	now := r.cfg.Now().Unix()
	last, bytes := r.j.rotate()
	if err := r.expire(ctx, now); err != nil {
		return err
	}
	list := r.takeDirty()
	defer func() {
		if err != nil {
			r.refuse(asWire(err)) // before a room whose changes were not written leaves memory
		}
		for _, rm := range list {
			r.put(rm)
		}
		signal(r.applied)
	}()
	if beside := r.beside.Swap(false); len(list) > 0 || r.logKept || beside {
		snaps := make([]*snapshot, 0, len(list))
		for _, rm := range list {
			snaps = append(snaps, rm.snapshot(now, r.cfg.RoomBytes))
		}
		if err := r.writeSnapshots(ctx, snaps, now); err != nil {
			return fmt.Errorf("checkpoint the rooms: %w", err)
		}
		for _, s := range snaps {
			s.rm.written(s)
		}
	}
	if bytes > 0 {
		if err := r.j.remove(last, bytes); err != nil {
			return err
		}
	}
	r.lookAtDisk()
	return r.nextExpiry(ctx)
}

func (r *Rooms) takeDirty() []*room {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.dirty
	r.dirty = nil
	for _, rm := range list {
		rm.pins++ // so that it cannot leave memory while SQLite is behind it
	}
	return list
}

// expire finds the rooms with entries in SQLite that have ended, so that they
// remember dropped commits, and puts them on the checkpoint's list.
func (r *Rooms) expire(ctx context.Context, now int64) error {
	rows, err := r.db.QueryContext(ctx, `SELECT room, max(CASE kind WHEN $1 THEN number ELSE 0 END) FROM entries WHERE expires <= $2 GROUP BY room`, wire.KindCommit, now)
	if err != nil {
		return fmt.Errorf("find expired entries: %w", err)
	}
	lapsed := map[wire.RoomID]wire.Number{}
	for rows.Next() {
		var id []byte
		var n wire.Number
		if err := rows.Scan(&id, &n); err != nil {
			rows.Close()
			return fmt.Errorf("find expired entries: %w", err)
		}
		lapsed[wire.RoomID(id)] = n
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return fmt.Errorf("find expired entries: %w", err)
	}
	for id, n := range lapsed {
		rm, err := r.get(ctx, id, true)
		if err != nil {
			return err
		}
		rm.mu.Lock()
		rm.lapse(n)
		rm.sweep = true
		r.markDirty(rm)
		rm.mu.Unlock()
		r.put(rm)
	}
	return nil
}

// lapse remembers that commit n was dropped by ttl. A seat before it holds
// nothing back any more (protocol §1).
func (rm *room) lapse(n wire.Number) {
	if n <= rm.lapsed {
		return
	}
	rm.lapsed = n
	for _, w := range rm.watchers {
		if s := rm.seat(w.seat); s != nil && !rm.holds(s) {
			w.end(0, wire.Lapsed)
		}
	}
	rm.refloor()
}

// snapshot takes what differs from SQLite; from here on the room is clean.
func (rm *room) snapshot(now, budget int64) *snapshot {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.dirty = false
	rm.dropExpired(now)
	s := &snapshot{rm: rm, seatsGone: rm.seatsGone, row: []any{
		rm.id[:], rm.rev, rm.door, slices.Clone(rm.made[:]), rm.epoch, rm.head, rm.lapsed, rm.early, slices.Clone(rm.token[:]),
		rm.traced, rm.gen, wire.Encode(rm.marks), rm.opened, rm.hoard, rm.closing, rm.due(budget, Day(now/86400)), rm.gone,
	}}
	rm.seatsGone = nil
	for i := range rm.seats {
		if rm.seats[i].dirty {
			rm.seats[i].dirty = false
			s.seats = append(s.seats, rm.seats[i])
		}
	}
	for _, e := range rm.after(rm.floor) {
		if !e.stored { // it counts as stored from here: a failed checkpoint ends the store
			s.entries = append(s.entries, e)
			e.stored = true
			rm.tailB -= cost(len(e.tail))
			rm.storedB += cost(len(e.tail))
			rm.stored++
			if rm.ids != nil {
				rm.ids[short(e.id)] = true
			}
		}
	}
	if rm.gone > 0 {
		s.forget = 1<<63 - 1
	} else if rm.sweep {
		s.forget = rm.floor
	}
	rm.sweep = false
	if rm.setDoor {
		rm.setDoor = false
		s.door, s.classes, s.packages = true, slices.Clone(rm.classes), slices.Clone(rm.packages)
	}
	return s
}

// dropExpired takes ended entries out of the tail.
func (rm *room) dropExpired(now int64) {
	var lapsed wire.Number
	rm.tail = slices.DeleteFunc(rm.tail, func(e *entry) bool {
		if e.expires > now {
			return false
		}
		if e.kind == wire.KindCommit {
			lapsed = max(lapsed, e.number)
		}
		if !e.stored {
			rm.tailB -= cost(len(e.tail))
			rm.release(e.class)
		}
		rm.unindex(e)
		return true
	})
	rm.cut(0)
	rm.lapse(lapsed)
}

// due is the next day on which the room needs daily work; 0 for none.
func (rm *room) due(budget int64, today Day) Day {
	var due Day
	if len(rm.marks) > 0 {
		due = rm.marks[0].Day + Day(wire.ClaimWithin/dayLength) + 1
	}
	if (rm.hoard > 0 || rm.overHalf(budget)) && (due == 0 || today+1 < due) {
		due = today + 1
	}
	return due
}

func (r *Rooms) writeSnapshots(ctx context.Context, snaps []*snapshot, now int64) error {
	r.write.Lock()
	defer r.write.Unlock()
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	w := &snapWriter{ctx: ctx, tx: tx}
	defer w.close()
	if err := w.all(snaps, now); err != nil {
		return err
	}
	if err := r.cfg.Step("checkpoint commit", tx.Commit); err != nil {
		return err
	}
	return r.cfg.Step("checkpoint truncate", func() error { return r.truncateWAL(ctx, conn) })
}

// truncateWAL empties SQLite's log, which may still hold what was deleted, and
// gives free pages back. A reader may be in the way: then the next checkpoint
// does it.
func (r *Rooms) truncateWAL(ctx context.Context, conn *sql.Conn) error {
	var free int
	if err := conn.QueryRowContext(ctx, `PRAGMA freelist_count`).Scan(&free); err != nil {
		return err
	}
	if free > 0 {
		rows, err := conn.QueryContext(ctx, `PRAGMA incremental_vacuum(4096)`)
		if err != nil {
			return err
		}
		for rows.Next() { // each step frees one page
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
	}
	// Waiting for readers here would keep the next checkpoint waiting, and all
	// who write.
	if _, err := conn.ExecContext(ctx, `PRAGMA busy_timeout = 50`); err != nil {
		return err
	}
	var busy, log, done int
	err := conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &done)
	if _, back := conn.ExecContext(ctx, `PRAGMA busy_timeout = 10000`); err == nil {
		err = back
	}
	if err != nil {
		return err
	}
	if r.logKept = busy != 0; r.logKept {
		signal(r.wake)
	}
	return nil
}

// snapWriter writes snapshots with statements prepared once.
type snapWriter struct {
	ctx   context.Context
	tx    *sql.Tx
	stmts map[string]*sql.Stmt
}

func (w *snapWriter) close() {
	for _, s := range w.stmts {
		s.Close()
	}
}

func (w *snapWriter) stmt(q string) (*sql.Stmt, error) {
	if s := w.stmts[q]; s != nil {
		return s, nil
	}
	s, err := w.tx.PrepareContext(w.ctx, q)
	if err != nil {
		return nil, err
	}
	if w.stmts == nil {
		w.stmts = map[string]*sql.Stmt{}
	}
	w.stmts[q] = s
	return s, nil
}

func (w *snapWriter) exec(q string, args ...any) error {
	s, err := w.stmt(q)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(w.ctx, args...)
	return err
}

// del deletes entries and counts them for their room.
func (w *snapWriter) del(byRoom func([]byte) *snapshot, q string, args ...any) error {
	st, err := w.stmt(q)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(w.ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var room, class []byte
		var n int
		if err := rows.Scan(&room, &n, &class); err != nil {
			return err
		}
		s := byRoom(room)
		if s == nil {
			continue
		}
		s.removed++
		s.removedB += cost(n)
		if len(class) == len(wire.ClassID{}) {
			s.released = append(s.released, wire.ClassID(class))
		}
	}
	return rows.Err()
}

func (w *snapWriter) all(snaps []*snapshot, now int64) error {
	byRoom := make(map[wire.RoomID]*snapshot, len(snaps))
	for _, s := range snaps {
		byRoom[s.rm.id] = s
	}
	find := func(id []byte) *snapshot { return byRoom[wire.RoomID(id)] }
	if err := w.del(find, `DELETE FROM entries WHERE expires <= $1 RETURNING room, length(body), class`, now); err != nil {
		return err
	}
	type seatRow struct {
		room wire.RoomID
		seat
	}
	var seats []seatRow
	for _, s := range snaps {
		if err := w.room(s, find); err != nil {
			return err
		}
		for _, st := range s.seats {
			seats = append(seats, seatRow{s.rm.id, st})
		}
	}
	// Shuffled, so that the order of writing ties no two seats (protocol §2).
	rand.Shuffle(len(seats), func(i, j int) { seats[i], seats[j] = seats[j], seats[i] })
	for _, st := range seats {
		if err := w.exec(`INSERT INTO seats (seat_key, room, seat, hash, cursor, gen, claim_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (seat_key) DO UPDATE SET seat = excluded.seat, hash = excluded.hash, cursor = excluded.cursor, gen = excluded.gen, claim_by = excluded.claim_by`,
			st.key, st.room[:], st.id[:], st.hash[:], st.cursor, st.gen, st.claimBy); err != nil {
			return err
		}
	}
	return nil
}

func (w *snapWriter) room(s *snapshot, find func([]byte) *snapshot) error {
	id := s.rm.id[:]
	if err := w.exec(`INSERT INTO rooms (room, rev, door, made, epoch, head, lapsed, early, token, traced, gen, marks, opened, hoard, closing, due, gone_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (room) DO UPDATE SET rev = excluded.rev, made = excluded.made, epoch = excluded.epoch, head = excluded.head, lapsed = excluded.lapsed,
		early = excluded.early, token = excluded.token, traced = excluded.traced, gen = excluded.gen, marks = excluded.marks, opened = excluded.opened, hoard = excluded.hoard,
		closing = excluded.closing, due = excluded.due, gone_until = excluded.gone_until`, s.row...); err != nil {
		return err
	}
	if s.forget > 0 {
		if err := w.del(find, `DELETE FROM entries WHERE room = $1 AND number <= $2 RETURNING room, length(body), class`, id, s.forget); err != nil {
			return err
		}
	}
	for _, e := range s.entries {
		var class []byte
		if e.class != nil {
			class = e.class[:]
		}
		if err := w.exec(`INSERT INTO entries (room, number, entry, kind, expires, class, body) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			id, e.number, e.id[:], e.kind, e.expires, class, e.tail); err != nil {
			return err
		}
	}
	for _, k := range s.seatsGone {
		if err := w.exec(`DELETE FROM seats WHERE seat_key = $1`, k); err != nil {
			return err
		}
	}
	if s.door {
		return w.door(s)
	}
	return nil
}

// door writes a door's classes and packages and deletes those that are gone.
func (w *snapWriter) door(s *snapshot) error {
	id := s.rm.id[:]
	if err := w.exec(`DELETE FROM classes WHERE room = $1`, id); err != nil {
		return err
	}
	for _, k := range s.classes {
		if err := w.exec(`INSERT INTO classes (class_key, room, class, hash, quota, uses, used, until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			k.key, id, k.ID[:], k.Hash[:], k.Quota, k.Uses, k.used, k.Until); err != nil {
			return err
		}
	}
	keep := make(map[int64]bool, len(s.packages))
	for _, p := range s.packages {
		keep[p.key] = true
		if p.sealed == nil {
			if err := w.exec(`UPDATE packages SET used = $1 WHERE package_key = $2`, p.used, p.key); err != nil {
				return err
			}
			continue
		}
		if err := w.exec(`INSERT INTO packages (package_key, room, package, sealed, last_resort, used) VALUES ($1, $2, $3, $4, $5, $6)`,
			p.key, id, p.id[:], p.sealed, p.lastResort, p.used); err != nil {
			return err
		}
	}
	st, err := w.stmt(`SELECT package_key FROM packages WHERE room = $1`)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(w.ctx, id)
	if err != nil {
		return err
	}
	var gone []int64
	for rows.Next() {
		var k int64
		if err := rows.Scan(&k); err != nil {
			rows.Close()
			return err
		}
		if !keep[k] {
			gone = append(gone, k)
		}
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return err
	}
	for _, k := range gone {
		if err := w.exec(`DELETE FROM packages WHERE package_key = $1`, k); err != nil {
			return err
		}
	}
	return nil
}

// written notes in memory what the checkpoint put on disk.
func (rm *room) written(s *snapshot) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.stored -= s.removed
	rm.storedB -= s.removedB
	if rm.stored == 0 {
		rm.ids = nil
	}
	for _, id := range s.released {
		rm.release(&id)
	}
	n := 0
	for n < len(rm.tail) && rm.tail[n].stored {
		n++
	}
	if n > 0 {
		rm.tailFrom = rm.tail[n-1].number + 1
		rm.cut(n)
	}
	for i, p := range rm.packages {
		if slices.ContainsFunc(s.packages, func(q pkg) bool { return q.key == p.key }) {
			rm.packages[i].sealed = nil
		}
	}
}

// lookAtDisk notes whether the disk is nearly full.
func (r *Rooms) lookAtDisk() {
	free, known := freeBytes(r.cfg.Dir)
	r.mu.Lock()
	r.tight = known && r.cfg.MinFree > 0 && free < r.cfg.MinFree
	r.mu.Unlock()
}

// nextExpiry sets when the next sweep is due.
func (r *Rooms) nextExpiry(ctx context.Context) error {
	var soonest sql.NullInt64
	if err := r.db.QueryRowContext(ctx, `SELECT min(expires) FROM entries`).Scan(&soonest); err != nil {
		return fmt.Errorf("find the next expiry: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.cfg.Now().Unix()
	if r.soonest > now && (!soonest.Valid || r.soonest < soonest.Int64) {
		return nil // of an entry that is only in memory
	}
	r.soonest = soonest.Int64
	return nil
}
