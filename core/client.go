package core

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"hearth/core/lane"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// Config is what a client is handed: everything that touches the outside.
type Config struct {
	// Disk and Key are where the vault lies (core/vault).
	Disk vault.Disk
	Key  vault.KeyFile
	// Dial opens a connection for frames to a server, named by its URL, such
	// as http://localhost:8420.
	Dial func(ctx context.Context, server string) (wire.Conn, error)
	// Blobs moves blobs.
	Blobs Blobs
	// Files is where the home keeps sealed files; nil: it keeps none.
	Files Files
	// Places are where a person's own files lie; nil: there are none.
	Places Places
	// Now tells the time; nil: time.Now.
	Now func() time.Time
	// Log takes what an operator of this client may read: never ids, names or
	// content. nil: nothing is logged.
	Log *slog.Logger
}

// Client is one home: an account's device, its conversations, and everything
// that waits to be sent. All methods may be called at the same time; those that
// need the network need Run to be running.
type Client struct {
	cfg   Config
	vault *vault.Vault
	crew  *crew
	net   *lane.Network
	// opened is when the home was opened, by the clock that connections use.
	opened time.Time

	registering oneAtATime // Register, LinkJoin or BackupRestore
	receiving   sync.Mutex // one Receive at a time
	saving      oneAtATime // BackupCreate
	saved       chan struct{}
	ending      oneAtATime // AccountDelete
	searching   oneAtATime // the first Search

	// mu is held by every step and every look; never while waiting for the
	// network. It guards what follows.
	mu sync.Mutex
	// groups caches what the vault holds; a step that fails drops its own.
	groups  map[wire.RoomID]*mls.Group
	rosters map[wire.RoomID]*roster.Roster
	// loaded are the groups that were read from the vault and not sealed with
	// since.
	loaded map[wire.RoomID]bool
	// readers are the seats that are read, of rooms and doors.
	readers map[wire.RoomID]*reader
	// posted are the rows of each room that its server has acknowledged, by the
	// number of their entries, until the entries come back. Only a hint: a row
	// that is posted twice is one entry.
	posted map[wire.RoomID]map[uint64]post
	// texts is what Search looks through; nil until somebody searches.
	texts *searchTexts
	// dead are the chains of accounts with revoked devices, and noticed when what
	// a room is owed is this device's to do (owing.go).
	dead    map[wire.AccountID]*identity.Chain
	noticed map[noticedKey]time.Time
	// failed holds why plans were given up, until whoever waits for them has
	// read it.
	failed map[planID]error
	// staged are sealed files of the home that no record names yet, moving how far
	// one is on its way up or down, and fetching whose turn it is to fetch one.
	staged   map[string]bool
	moving   map[string]int64
	fetching map[string]chan struct{}
	// drafted is when a draft was last told to the other devices at once.
	drafted time.Time
	// typing is until when others are writing, typed when it was last told that
	// this person is.
	typing map[typist]time.Time
	typed  map[convID]time.Time
	// hurried: what was read is told at once, for whoever opened the home may be
	// about to go.
	hurried bool

	sendersMu sync.Mutex
	senders   map[queueID]*sender

	changedMu sync.Mutex
	changed   chan struct{} // closed and replaced with every change

	// jitter picks a moment below its argument for what is not to be told from
	// other things by its time; tests take the dice away.
	jitter func(time.Duration) time.Duration
	// sealed, if not nil, sees everything that a group has sealed, and under
	// which key: tests look for one that is used twice.
	sealed func(use keyUse, payload []byte)
}

// keyUse is what must never be the same for two ciphertexts.
type keyUse struct {
	room       wire.RoomID
	epoch      wire.Epoch
	leaf       mls.LeafIndex
	generation uint32
}

// planID names a plan while its client runs.
type planID struct {
	room wire.RoomID
	n    uint64
}

// Open reads a home. A fresh disk gives a client that is not registered yet.
// What is due is destroyed before anything can be shown. Close it after use.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	v, err := vault.Open(ctx, cfg.Disk, cfg.Key)
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, vault: v, crew: &crew{}, opened: time.Now(), jitter: rand.N[time.Duration],
		groups:      make(map[wire.RoomID]*mls.Group),
		rosters:     make(map[wire.RoomID]*roster.Roster),
		loaded:      make(map[wire.RoomID]bool),
		readers:     make(map[wire.RoomID]*reader),
		posted:      make(map[wire.RoomID]map[uint64]post),
		dead:        make(map[wire.AccountID]*identity.Chain),
		noticed:     make(map[noticedKey]time.Time),
		failed:      make(map[planID]error),
		typing:      make(map[typist]time.Time),
		typed:       make(map[convID]time.Time),
		staged:      make(map[string]bool),
		moving:      make(map[string]int64),
		fetching:    make(map[string]chan struct{}),
		senders:     make(map[queueID]*sender),
		changed:     make(chan struct{}),
		saved:       make(chan struct{}, 1),
		saving:      make(oneAtATime, 1),
		ending:      make(oneAtATime, 1),
		searching:   make(oneAtATime, 1),
		registering: make(oneAtATime, 1),
	}
	c.net = lane.New(cfg.Dial, c.crew.spawn, c.now)
	if err := c.sweep(ctx); err != nil {
		v.Close()
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		v.Close()
		return nil, err
	}
	c.crew.spawn(c.sweeper)
	c.crew.spawn(c.trials)
	c.crew.spawn(c.resumeEnding)
	c.crew.spawn(c.watchServers)
	return c, nil
}

// start sets up readers and senders for what the home holds: O(rooms).
func (c *Client) start(ctx context.Context) error {
	if err := c.startDoors(ctx); err != nil {
		return err
	}
	if err := c.startLinkee(ctx); err != nil {
		return err
	}
	c.wakeRequests()
	c.wakeCopied()
	c.wakeDoors()
	c.wakeHandBack()
	if err := c.findLost(ctx); err != nil {
		return err
	}
	c.wakeReinvite()
	c.wakeSuccessors()
	c.wakeReads()
	c.wakeHandover()
	c.wakeArrival()
	c.wakeRevoking()
	return c.look(ctx, func(s *step) error {
		if err := c.startDead(s); err != nil {
			return err
		}
		if err := c.startLinking(s); err != nil {
			return err
		}
		if err := c.startFiles(s); err != nil {
			return err
		}
		// What waits for doors, and trees to upload.
		err := s.scan("parcel", func(_ string, b []byte) (bool, error) {
			var p parcel
			err := decodeRecord(b, &p)
			if err == nil {
				c.wakeParcels(p.To.ID)
			}
			return true, err
		})
		if err != nil {
			return err
		}
		err = s.scan("delivery", func(_ string, b []byte) (bool, error) {
			var d delivery
			err := decodeRecord(b, &d)
			if err == nil {
				c.wakeDelivery(d.Room)
			}
			return true, err
		})
		if err != nil {
			return err
		}
		return s.scan("room", func(_ string, b []byte) (bool, error) {
			r := new(room)
			if err := decodeRecord(b, r); err != nil {
				return false, err
			}
			c.resume(r)
			if r.Moving {
				l, err := s.lineage(r.ID)
				if err != nil {
					return false, err
				}
				c.wakeAt(r.ID, l.Due)
			}
			return true, nil
		})
	})
}

// resume starts the reader and the sender of a room; the lock is held.
func (c *Client) resume(r *room) {
	if r.Old == nil && (r.State == roomOK || r.State == roomOutOfStep || r.State == roomSucceeded) {
		c.readLocked(r.ID, r.Server, &roomLog{c: c, id: r.ID})
	}
	c.wakeRoom(r.ID)
	c.wakeNotices(r.ID)
	c.wakeHealing(r.ID)
	c.wakeAt(r.ID, r.RenewAt)
	c.wakeAt(r.ID, r.InvitedUntil)
}

// readLocked starts a reader unless there is one; the lock is held.
func (c *Client) readLocked(id wire.RoomID, server string, l log) {
	if old := c.readers[id]; old != nil && !old.ended {
		return
	}
	r := &reader{c: c, id: id, server: server, log: l}
	c.readers[id] = r
	c.crew.spawn(func(ctx context.Context) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		c.mu.Lock()
		r.stop = stop
		c.mu.Unlock()
		r.run(ctx)
	})
}

// stopReading ends the reader of a room; the lock is held.
func (c *Client) stopReading(id wire.RoomID) {
	if r := c.readers[id]; r != nil && r.stop != nil {
		r.stop()
	}
	delete(c.readers, id)
}

// Run owns every goroutine of the client: connections, outbox, sweeping. It
// returns when ctx ends. A client runs once.
func (c *Client) Run(ctx context.Context) error { return c.crew.run(ctx) }

// Close releases the home and wipes its keys; Run must have returned.
func (c *Client) Close() error {
	err := c.giveBack()
	c.vault.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range c.groups {
		g.Wipe()
	}
	clear(c.groups)
	clear(c.rosters)
	return err
}

// giveBack gives back the generations that were reserved and not used: only a
// client that died skips them.
func (c *Client) giveBack() error {
	return c.step(context.Background(), func(s *step) error {
		for id, g := range c.groups {
			r, err := s.room(id)
			if err != nil {
				return err
			}
			if r != nil && r.Reserved > g.OwnGeneration() && !c.loaded[id] {
				r.Reserved = g.OwnGeneration()
				s.putRoom(r)
			}
		}
		return nil
	})
}

// notify wakes everyone who waits for a change.
func (c *Client) notify() {
	c.changedMu.Lock()
	defer c.changedMu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// changes returns a channel that is closed at the next change.
func (c *Client) changes() <-chan struct{} {
	c.changedMu.Lock()
	defer c.changedMu.Unlock()
	return c.changed
}

// debug logs what went on by itself and will be tried again. The error's text
// holds no id, name or content.
func (c *Client) debug(what string, err error) {
	if c.cfg.Log != nil {
		c.cfg.Log.Debug(what, "error", err)
	}
}

// RegisterOptions says which account Register makes.
type RegisterOptions struct {
	Name   string // the public name; "" for none
	Server string // the home server's URL
	Invite string // the operator's invitation, where registration asks for one
}

// SendOptions says what Send sends.
type SendOptions struct {
	To     string // handle, bare name, account id, link or room
	Text   string
	Expire time.Duration // 0: the conversation's timer
	// FromReading lets Expire begin when somebody reads the message, for each
	// reader; on the sender's devices when it is sent.
	FromReading bool
	Reply       string // the id of the message that this one answers
	// Poll or Place is what is sent instead of a text.
	Poll  *NewPoll
	Place *NewPlace
	// Format reads the signs of content.Markup in the text.
	Format bool
	// File is a place of the person's own (Places), from where a file goes along. Wait
	// is how long to wait until that is sent, once it was read; 0: 10 seconds.
	File string
	Wait time.Duration
	// Once: the file is gone when it was opened. Lasts is how long a recording is;
	// Voice, that it was spoken for this message.
	Once, Voice bool
	// AsIs sends a picture with all that is hidden in it.
	AsIs  bool
	Lasts time.Duration
}

// GroupSettings says what GroupSet changes; nil fields stay.
type GroupSettings struct {
	Retention *string // 1d, 7d, 30d, 1y, keep
	Limit     *int    // the most members
	Name      *string
	Traced    *bool // posts show the seat that they come from
}
