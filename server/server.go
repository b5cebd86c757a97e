// Package server is the other side of the protocol: frames in, rooms, doors,
// chains and blobs behind them.
//
// It promises the rules of docs/protocol.cddl's page: nothing is acknowledged
// before it is on disk, what all seats acknowledged is forgotten, and what a
// stranger may not learn gives one answer. It must never learn content, and
// keeps nothing that joins an account to a room or two seats to a device: what a
// connection shows lives as long as the connection, and no log line names a
// room, a seat, an account or an address.
//
// Start with Config and Server here, then conn.go for one connection, dispatch.go
// for what each frame does, push.go for what seats are sent, http.go for the
// way in.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"hearth/blob"
	"hearth/store"
	"hearth/wire"
)

// Config is how a server behaves. Only Dir must be set.
type Config struct {
	// Dir is the folder of the data; it is made if absent. One process at a
	// time may use it.
	Dir string
	// Domain is the server's name, as in handles: a host, or host:port.
	Domain string
	// Region is the storage region in which things are created here; 1 by
	// default.
	Region wire.Region
	// Registration says who may create an account; open by default.
	Registration Registration
	// Keep is the longest that a post is kept for seats that have not fetched
	// it: wire.MaxTTL by default, and at most. Clients are told, and ask for no
	// more. Commits, notices and what lies at doors are kept for MaxTTL: without
	// them a device that comes back late finds its way into nothing.
	Keep time.Duration
	// Now is the clock; time.Now by default.
	Now func() time.Time
	// Log takes failures of the server itself, without ids or addresses; slog's
	// default by default.
	Log *slog.Logger
	// Origins are the hosts from which pages may open a stream, beside the
	// server's own.
	Origins []string
	// Limits bound what strangers may use.
	Limits Limits
	// Store tunes the rooms; its Dir, Keep, Now and Log are set from here.
	Store store.Config
}

// Registration is an operator's policy; the zero value is open.
type Registration uint8

// The policies.
const (
	Open Registration = iota
	ByInvitation
	Closed
)

func (r Registration) wire() wire.Registration {
	switch r {
	case ByInvitation:
		return wire.RegistrationInvite
	case Closed:
		return wire.RegistrationClosed
	}
	return wire.RegistrationOpen
}

// Limits bound memory, time and work. A zero field means its default; the
// defaults suit one machine.
type Limits struct {
	// Conns is how many connections are served at once; more are turned away.
	// 20,000 by default.
	Conns int
	// ConnsPerAddr bounds connections from one address, loopback excepted: 256
	// by default. Addresses are counted in memory and never kept.
	ConnsPerAddr int
	// SeatsPerConn is how many seats one connection may open: 4,096.
	SeatsPerConn int
	// Pending is how many requests of one connection may wait for their answer;
	// reading stops meanwhile: 256.
	Pending int
	// FrameMemory is what all frames being received may take beyond 4 KiB each:
	// 128 MiB.
	FrameMemory int64
	// Bytes and Frames are what one connection may send a second, with a burst
	// of ten times that; reading slows down beyond: 4 MiB and 5,000.
	Bytes, Frames float64
	// Accounts is how many accounts may be created here in an hour: 1,000. Rooms
	// is the same for rooms and doors: 100,000.
	Accounts, Rooms int
	// Lookups is how many accounts one connection may ask for in an hour, so
	// that names are not enumerated (attacks A45): 600.
	Lookups int
	// BlobBytes bounds all blobs and uploads together: 16 GiB. BlobRoomBytes is
	// what one room may upload in a day: 8 GiB.
	BlobBytes, BlobRoomBytes int64
	// Transfers is how many requests about blobs are served at once: 1,024.
	Transfers int
	// HelloWithin is how long a connection may stay silent before its Hello:
	// 10 s. FrameWithin is how long a frame may take once begun, WriteWithin how
	// long a reader may take for what it is sent: 30 s each. IdleWithin ends a
	// connection that has no seat open and sends nothing: 1 h.
	HelloWithin, FrameWithin, WriteWithin, IdleWithin time.Duration
}

func (l Limits) withDefaults() Limits {
	def(&l.Conns, 20000)
	def(&l.ConnsPerAddr, 256)
	def(&l.SeatsPerConn, 4096)
	def(&l.Pending, 256)
	def(&l.FrameMemory, 128<<20)
	def(&l.Bytes, 4<<20)
	def(&l.Frames, 5000)
	def(&l.Accounts, 1000)
	def(&l.Rooms, 100000)
	def(&l.Lookups, 600)
	def(&l.BlobBytes, 16<<30)
	def(&l.BlobRoomBytes, 8<<30)
	def(&l.Transfers, 1024)
	def(&l.HelloWithin, 10*time.Second)
	def(&l.FrameWithin, 30*time.Second)
	def(&l.WriteWithin, 30*time.Second)
	def(&l.IdleWithin, time.Hour)
	return l
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Server serves one folder. Make one with New, let Run run, then hand it
// connections by ServeConn, Handler or Serve.
type Server struct {
	cfg      Config
	accounts *store.Accounts
	blobs    blob.Store
	rooms    atomic.Pointer[store.Rooms] // replaced after a failed write
	memory   *semaphore.Weighted         // of frames being received

	created hourly // accounts
	made    hourly // rooms and doors

	blobAdded chan struct{}       // the sweep must look again
	blobGate  *semaphore.Weighted // see blobGateAll
	blobTotal atomic.Int64        // bytes of all blobs
	uploaded  dayBytes            // by room
	transfers atomic.Int64        // requests about blobs under way

	mu       sync.Mutex
	conns    map[*conn]struct{}
	draining bool
	idle     chan struct{} // closed when draining and no connection is left
	addrs    addrCount
}

// New opens the folder and brings it up to date. It starts no goroutine.
func New(cfg Config) (*Server, error) {
	if cfg.Dir == "" {
		return nil, wire.Errorf(wire.BadInput, "no data folder was named")
	}
	def(&cfg.Region, 1)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Keep <= 0 || cfg.Keep > wire.MaxTTL {
		cfg.Keep = wire.MaxTTL
	}
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.Store.Dir, cfg.Store.Keep, cfg.Store.Now, cfg.Store.Log = cfg.Dir, cfg.Keep, cfg.Now, cfg.Log
	ctx := context.Background()
	s := &Server{cfg: cfg, conns: map[*conn]struct{}{}, idle: make(chan struct{}), blobAdded: make(chan struct{}, 1),
		blobGate: semaphore.NewWeighted(blobGateAll), memory: semaphore.NewWeighted(cfg.Limits.FrameMemory)}
	var err error
	if s.accounts, err = store.OpenAccounts(ctx, cfg.Dir, cfg.Store.Step); err != nil {
		return nil, err
	}
	if s.blobs, err = blob.OpenFiles(filepath.Join(cfg.Dir, "blobs"), cfg.Now); err != nil {
		s.accounts.Close()
		return nil, err
	}
	rooms, err := store.OpenRooms(ctx, cfg.Store)
	if err != nil {
		s.accounts.Close()
		return nil, err
	}
	s.rooms.Store(rooms)
	total, err := rooms.BlobBytes(ctx)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.blobTotal.Store(total)
	return s, nil
}

// Run keeps the server until ctx ends: then it takes no more connections, ends
// those it has, brings all that was acknowledged from the journal into the
// database, closes the folder and returns nil. It returns early only if the
// folder cannot be used at all.
func (s *Server) Run(ctx context.Context) error {
	storeCtx, stopStore := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStore()
	var wg sync.WaitGroup
	failed := make(chan error, 1)
	wg.Go(func() { failed <- s.runRooms(ctx, storeCtx) })
	wg.Go(func() { s.sweepBlobs(ctx) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.drain()
	stopStore()
	wg.Wait()
	if err == nil {
		err = <-failed
	}
	return errors.Join(err, s.rooms.Load().Close(), s.accounts.Close())
}

// runRooms runs the rooms; after a failed write it opens the folder again, which
// tells what the disk really holds, and goes on.
func (s *Server) runRooms(ctx, storeCtx context.Context) error {
	for {
		rooms := s.rooms.Load()
		err := rooms.Run(storeCtx)
		if err == nil {
			return nil
		}
		s.cfg.Log.Error("a write failed; opening the folder again", "err", err)
		s.endConns() // what they were told of seats no longer holds
		rooms.Close()
		for wait := time.Second; ; wait = min(2*wait, time.Minute) {
			if !sleep(ctx, wait) {
				return nil // what is acknowledged is in the journal
			}
			if rooms, err = store.OpenRooms(storeCtx, s.cfg.Store); err == nil {
				s.rooms.Store(rooms)
				break
			}
			s.cfg.Log.Error("the folder cannot be opened", "err", err)
		}
	}
}

// sleep waits for d, or reports false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Close releases the folder of a server that never ran.
func (s *Server) Close() error {
	s.drain()
	return errors.Join(s.rooms.Load().Close(), s.accounts.Close())
}

// drain turns new connections away and ends those there are.
func (s *Server) drain() {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		if len(s.conns) == 0 {
			close(s.idle)
		}
	}
	s.mu.Unlock()
	s.endConns()
	<-s.idle
}

func (s *Server) endConns() {
	s.mu.Lock()
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		c.cancel()
	}
}

// admit counts a connection in, or reports false.
func (s *Server) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining || len(s.conns) >= s.cfg.Limits.Conns {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.draining && len(s.conns) == 0 {
		close(s.idle)
	}
}

// NewInvitation makes an operator's invitation for uses accounts, valid for a
// time of whole days, and returns what to hand out.
func (s *Server) NewInvitation(ctx context.Context, uses int, valid time.Duration) (string, error) {
	code := newInviteCode()
	until := store.DayOf(s.cfg.Now().Add(valid))
	if err := s.accounts.Invite(ctx, inviteHash(code), uses, until); err != nil {
		return "", fmt.Errorf("make an invitation: %w", err)
	}
	return code, nil
}

// Counters is what the rooms have done since they were opened.
func (s *Server) Counters() store.Counters { return s.rooms.Load().Counters() }

// CloseRooms closes every room at notice, and returns how many: for a server that
// ends, or moves. The clients found successors elsewhere.
func (s *Server) CloseRooms(ctx context.Context, notice time.Duration) (int, error) {
	ids, err := s.rooms.Load().OpenRooms(ctx)
	if err != nil {
		return 0, err
	}
	for i, id := range ids {
		if err := s.CloseRoom(ctx, id, notice); err != nil {
			return i, err
		}
	}
	return len(ids), nil
}

// CloseRoom lets a room take no posts after notice, which is at least seven
// days (protocol §10); reading and notices stay.
func (s *Server) CloseRoom(ctx context.Context, room wire.RoomID, notice time.Duration) error {
	if notice < 7*24*time.Hour {
		return errInput("a room is closed at seven days' notice at least")
	}
	return s.rooms.Load().CloseRoom(ctx, room, store.DayOf(s.cfg.Now().Add(notice+24*time.Hour-time.Second)))
}
