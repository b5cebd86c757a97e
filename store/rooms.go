package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hearth/wire"
)

const dayLength = 24 * time.Hour

// Config says where rooms lie and what they may hold. The zero value of every
// field but Dir means its default.
type Config struct {
	// Dir is the folder of the data; it is made if absent.
	Dir string
	// Now is the clock; time.Now by default.
	Now func() time.Time
	// CheckpointEvery bounds how long acknowledged or expired ciphertext stays
	// on disk, and how much a restart replays: 2 s by default.
	CheckpointEvery time.Duration
	// JournalBytes is the size at which a checkpoint comes early: 64 MiB by
	// default. At four times that, changes wait.
	JournalBytes int64
	// RoomBytes is the budget of one room: 64 MiB by default.
	RoomBytes int64
	// Keep is the longest that a post is kept: wire.MaxTTL by default, and at
	// most. What was accepted stays until its end, whatever Keep is later.
	Keep time.Duration
	// MinFree is how much must stay free on the disk for posts to be taken, so
	// that reading and forgetting still work on a full one: 64 MiB by default,
	// negative for none.
	MinFree int64
	// Step performs durable steps; for tests.
	Step Step
	// Log takes failures that no request can be answered with; slog's default
	// by default.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	or := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = 2 * time.Second
	}
	or(&c.JournalBytes, 64<<20)
	or(&c.RoomBytes, 64<<20)
	if c.Keep <= 0 || c.Keep > wire.MaxTTL {
		c.Keep = wire.MaxTTL
	}
	or(&c.MinFree, 64<<20)
	if c.Step == nil {
		c.Step = plainStep
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Rooms keeps rooms, doors and the index of blobs. Its methods may be called
// from any goroutine once Run runs.
//
// A change is judged and made in memory under its room's lock, queued in that
// order, written by one goroutine in batches with one sync each, and reported
// by another. After a failed write nothing in memory can be trusted: Run returns
// the error, every later change fails, and the owner opens the folder again.
type Rooms struct {
	cfg Config
	db  *sql.DB // one connection writes at a time: the checkpoint's
	j   *journal

	mu    sync.Mutex
	rooms map[wire.RoomID]*room
	dirty []*room
	fail  error // why changes are refused; nil while all is well

	stmtMu sync.Mutex
	stmts  map[string]*sql.Stmt

	queue   queue
	records atomic.Int64  // written
	wake    chan struct{} // there may be something for a checkpoint
	applied chan struct{} // a checkpoint is done, or all is over
	tight   bool          // the disk has less than MinFree; under mu
	soonest int64         // the first expiry that a sweep must see, Unix seconds; under mu
	daily   Day           // the day whose daily work is done; the checkpoint's own
	logKept bool          // SQLite's log could not be truncated; the checkpoint's own
	beside  atomic.Bool   // something beside the rooms was written since the last checkpoint
	write   gate          // held by who writes to db, so that no one waits inside SQLite
	budgets budgets
}

// ErrClosed says that the store is being closed.
var ErrClosed = wire.Errorf(wire.Internal, "the server is stopping").WithNext("try again in a moment")

// OpenRooms opens the rooms in cfg.Dir, replays the journal and checkpoints it.
// It starts no goroutine.
func OpenRooms(ctx context.Context, cfg Config) (*Rooms, error) {
	cfg = cfg.withDefaults()
	jdir := filepath.Join(cfg.Dir, "journal")
	if err := os.MkdirAll(jdir, 0o700); err != nil {
		return nil, asWire(fmt.Errorf("make the data folder: %w", err))
	}
	db, err := openSQLite(ctx, filepath.Join(cfg.Dir, "rooms.db"), 4, roomsSchema, roomsVersion)
	if err != nil {
		return nil, err
	}
	r := &Rooms{
		cfg: cfg, db: db, write: newGate(), rooms: map[wire.RoomID]*room{}, wake: make(chan struct{}, 1), applied: make(chan struct{}, 1),
		j: &journal{mu: newGate(), dir: jdir, step: cfg.Step, segment: 1}, budgets: newBudgets(),
	}
	r.queue.ready = make(chan struct{}, 1)
	if err := r.recover(ctx); err != nil {
		db.Close()
		return nil, asWire(err)
	}
	return r, nil
}

// recover brings what the journal holds into SQLite and begins a new journal.
func (r *Rooms) recover(ctx context.Context) error {
	segments, err := listSegments(r.j.dir)
	if err != nil {
		return err
	}
	touched := map[wire.RoomID]*room{}
	for i, n := range segments {
		b, err := readFile(segmentPath(r.j.dir, n))
		if err != nil {
			return err
		}
		r.j.waiting += max(1, int64(len(b)))
		err = readSegment(b, n, i == len(segments)-1, func(rec *record) error {
			rm := touched[rec.Room]
			if rm == nil {
				if rm, err = r.get(ctx, rec.Room, true); err != nil {
					return err
				}
				touched[rec.Room] = rm
				rm.mu.Lock()
				r.markDirty(rm)
				rm.mu.Unlock()
			}
			if rec.Rev <= rm.rev {
				return nil // a checkpoint has it already
			}
			if err := rm.apply(rec); err != nil {
				return err
			}
			rm.durable = rm.head
			return nil
		})
		if err != nil {
			return err
		}
		r.j.segment = n + 1
	}
	for _, rm := range touched {
		r.put(rm)
	}
	return r.checkpoint(ctx)
}

// Run writes changes and checkpoints until ctx ends, then writes what is
// queued, checkpoints once more and returns nil. It returns early with the error
// of a failed write.
func (r *Rooms) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	var failure error
	failed := make(chan struct{})
	published := make(chan batch, 4)
	wg.Go(func() { r.publish(published) })
	wg.Go(func() {
		defer close(published)
		failure = r.writeJournal(published, func() { close(failed) })
	})
	err := r.keep(ctx, failed)
	if err != nil {
		r.refuse(asWire(err))
	}
	r.refuse(ErrClosed)
	r.queue.close()
	wg.Wait()
	if err = errors.Join(err, failure); err != nil {
		return asWire(err)
	}
	return asWire(r.checkpoint(ctx))
}

// keep checkpoints when there is reason to, sweeps when something expires, and
// waits otherwise. failed is closed when a write of the journal has failed: from
// then on what memory holds is not brought to disk any more.
func (r *Rooms) keep(ctx context.Context, failed <-chan struct{}) error {
	for {
		timer := time.NewTimer(r.untilSweep())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-failed:
			timer.Stop()
			return nil
		case <-timer.C:
		case <-r.wake:
			timer.Stop()
			if !r.pause(ctx, failed) {
				return nil
			}
		}
		if err := r.everyDay(ctx); err != nil {
			return err
		}
		if err := r.checkpoint(ctx); err != nil {
			return err
		}
	}
}

// pause waits for the checkpoint interval, or less when the journal is long.
func (r *Rooms) pause(ctx context.Context, failed <-chan struct{}) bool {
	timer := time.NewTimer(r.cfg.CheckpointEvery)
	defer timer.Stop()
	for r.j.backlog() < r.cfg.JournalBytes {
		select {
		case <-timer.C:
			return true
		case <-r.wake:
		case <-failed:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Close releases the folder. Run must have returned.
func (r *Rooms) Close() error {
	r.refuse(ErrClosed)
	r.j.close()
	r.stmtMu.Lock()
	defer r.stmtMu.Unlock()
	for _, st := range r.stmts {
		st.Close()
	}
	return r.db.Close()
}

// refuse makes every later change fail with err.
func (r *Rooms) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail == nil {
		r.fail = err
	}
	signal(r.applied)
}

// signal leaves one token in c for whoever waits next.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (r *Rooms) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fail
}

// Err is why changes are refused; nil while all is well.
func (r *Rooms) Err() error { return r.failure() }

// query and queryRow prepare each text once: parsing it costs more than most of
// these queries.
func (r *Rooms) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	st, err := r.prepared(ctx, text)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

func (r *Rooms) queryRow(ctx context.Context, text string, args ...any) *sql.Row {
	st, err := r.prepared(ctx, text)
	if err != nil {
		return r.db.QueryRowContext(ctx, text, args...) // gives the error
	}
	return st.QueryRowContext(ctx, args...)
}

func (r *Rooms) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	r.stmtMu.Lock()
	defer r.stmtMu.Unlock()
	if st := r.stmts[text]; st != nil {
		return st, nil
	}
	st, err := r.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if r.stmts == nil {
		r.stmts = map[string]*sql.Stmt{}
	}
	r.stmts[text] = st
	return st, nil
}

func (r *Rooms) today() Day { return DayOf(r.cfg.Now()) }

// get pins the room and loads it if need be. Without make, an absent room is
// denied.
func (r *Rooms) get(ctx context.Context, id wire.RoomID, make bool) (*room, error) {
	for {
		r.mu.Lock()
		rm := r.rooms[id]
		if rm == nil {
			rm = &room{id: id, absent: true}
			r.rooms[id] = rm
		}
		rm.pins++
		r.mu.Unlock()

		rm.mu.Lock()
		err := error(nil)
		if !rm.loaded {
			if err = r.load(ctx, rm); err == nil {
				rm.loaded = true
			}
		}
		ok := err == nil && (make || !rm.absent)
		rm.mu.Unlock()
		if ok {
			return rm, nil
		}
		r.put(rm)
		if err == nil {
			err = wire.ErrDenied
		}
		return nil, err
	}
}

// enter is get for requests: once the store has failed, what memory and SQLite
// say no longer counts.
func (r *Rooms) enter(ctx context.Context, id wire.RoomID, make bool) (*room, error) {
	rm, err := r.get(ctx, id, make)
	if failed := r.failure(); failed != nil {
		if err == nil {
			r.put(rm)
		}
		return nil, failed
	}
	return rm, err
}

// put undoes get's pin; a room that nothing holds leaves memory.
func (r *Rooms) put(rm *room) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	rm.pins--
	if rm.pins == 0 && !rm.dirty && r.rooms[rm.id] == rm {
		delete(r.rooms, rm.id)
	}
}

// markDirty puts the room on the next checkpoint's list; rm.mu is held.
func (r *Rooms) markDirty(rm *room) {
	if rm.dirty {
		return
	}
	rm.dirty = true
	r.mu.Lock()
	r.dirty = append(r.dirty, rm)
	r.mu.Unlock()
	signal(r.wake)
}

// expects tells the sweep of an expiry; rm.mu may be held.
func (r *Rooms) expects(unix int64) {
	r.mu.Lock()
	sooner := r.soonest == 0 || unix < r.soonest
	if sooner {
		r.soonest = unix
	}
	r.mu.Unlock()
	if sooner {
		signal(r.wake) // so that keep sets its timer again
	}
}

// untilSweep is how long nothing expires, at most a quarter of a day.
func (r *Rooms) untilSweep() time.Duration {
	r.mu.Lock()
	soonest := r.soonest
	r.mu.Unlock()
	const often = dayLength / 4
	if soonest == 0 {
		return often
	}
	return max(time.Second, min(often, time.Unix(soonest, 0).Sub(r.cfg.Now())))
}

// load reads a room from SQLite; rm.mu is held.
func (r *Rooms) load(ctx context.Context, rm *room) error {
	var made, token, marks []byte
	err := r.queryRow(ctx, `SELECT rev, door, made, epoch, head, lapsed, early, token, traced, gen, marks, opened, hoard, closing, gone_until FROM rooms WHERE room = $1`, rm.id[:]).
		Scan(&rm.rev, &rm.door, &made, &rm.epoch, &rm.head, &rm.lapsed, &rm.early, &token, &rm.traced, &rm.gen, &marks, &rm.opened, &rm.hoard, &rm.closing, &rm.gone)
	if errors.Is(err, sql.ErrNoRows) {
		rm.absent = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("load a room: %w", err)
	}
	copy(rm.made[:], made)
	copy(rm.token[:], token)
	rm.absent, rm.durable, rm.tailFrom = false, rm.head, rm.head+1
	if rm.gone > 0 {
		return nil
	}
	if err := wire.Decode(marks, &rm.marks); err != nil {
		return fmt.Errorf("load a room: %w", err)
	}
	if err := r.loadSeats(ctx, rm); err != nil {
		return err
	}
	if err := r.queryRow(ctx, `SELECT count(*), coalesce(sum(length(body)), 0) FROM entries WHERE room = $1`, rm.id[:]).Scan(&rm.stored, &rm.storedB); err != nil {
		return fmt.Errorf("load a room's entries: %w", err)
	}
	rm.storedB += rm.stored * cost(0)
	if rm.door {
		if err := r.loadDoor(ctx, rm); err != nil {
			return err
		}
	}
	rm.refloor()
	rm.sweep = false
	return nil
}

func (r *Rooms) loadSeats(ctx context.Context, rm *room) error {
	rows, err := r.query(ctx, `SELECT seat_key, seat, hash, cursor, gen, claim_by FROM seats WHERE room = $1`, rm.id[:])
	if err != nil {
		return fmt.Errorf("load a room's seats: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s seat
		var id, hash []byte
		if err := rows.Scan(&s.key, &id, &hash, &s.cursor, &s.gen, &s.claimBy); err != nil {
			return fmt.Errorf("load a room's seats: %w", err)
		}
		copy(s.id[:], id)
		copy(s.hash[:], hash)
		rm.seats = append(rm.seats, s)
	}
	rm.seats = slices.Clip(rm.seats)
	return rows.Err()
}

func (r *Rooms) loadDoor(ctx context.Context, rm *room) error {
	rows, err := r.query(ctx, `SELECT class_key, class, hash, quota, uses, used, until,
		(SELECT count(*) FROM entries e WHERE e.room = c.room AND e.class = c.class) FROM classes c WHERE room = $1`, rm.id[:])
	if err != nil {
		return fmt.Errorf("load a door: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k class
		var id, hash []byte
		if err := rows.Scan(&k.key, &id, &hash, &k.Quota, &k.Uses, &k.used, &k.Until, &k.waiting); err != nil {
			return fmt.Errorf("load a door: %w", err)
		}
		copy(k.ID[:], id)
		copy(k.Hash[:], hash)
		rm.classes = append(rm.classes, k)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("load a door: %w", err)
	}
	packages, err := r.query(ctx, `SELECT package_key, package, last_resort, used FROM packages WHERE room = $1 ORDER BY package_key`, rm.id[:])
	if err != nil {
		return fmt.Errorf("load a door: %w", err)
	}
	defer packages.Close()
	for packages.Next() {
		var p pkg
		var id []byte
		if err := packages.Scan(&p.key, &id, &p.lastResort, &p.used); err != nil {
			return fmt.Errorf("load a door: %w", err)
		}
		copy(p.id[:], id)
		rm.packages = append(rm.packages, p)
	}
	return packages.Err()
}
