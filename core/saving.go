package core

import (
	"bytes"
	"context"
	"fmt"
	"hash"
	"io"
	"time"

	"hearth/core/archive"
	"hearth/core/backup"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// Backups: what a device that has lost everything begins with again. They hold
// the account without its keys, people, conversations and their members, and the
// messages that have not ended; no group state, for a restored device is a new
// one (design §3). Messages lie in segments by their end, which is not after
// theirs, and a segment opens only with its time key: a blob that the home
// server destroys at that end, so that a copy of the file that lies somewhere
// doesn't outlive what is in it (docs/decisions/0014-backups-end.md).

// savings is what a home keeps of its backups.
type savings struct {
	_       struct{} `cbor:",toarray"`
	Keys    backup.Keys
	Slots   []wire.Secret // where it is found at a server
	Counter uint64
	Made    int64 // Unix seconds
	To      string
	Beacon  *wire.BlobID
	Drop    wire.Secret // drops the beacon
	Tried   int64       // when the last trial restore was, Unix seconds
	Failed  string      // why it failed; "" if it did not
}

var savingsName = vault.Name("savings")

// savedSegment is what a home keeps of a segment, until it ends.
type savedSegment struct {
	_       struct{} `cbor:",toarray"`
	Hash    [32]byte // of its entries
	Segment backup.Segment
	Time    wire.Secret
}

func segmentName(name string) string { return vault.Name("segment", b64([]byte(name))) }

// backupRootName holds what opens backups from the recovery key's words, one way
// from them: it signs nothing.
var backupRootName = vault.Name("backup-root")

// The kinds of entries in a backup.
const (
	savedAccount = "account"
	savedPerson  = "person"
	savedHandle  = "handle"
	savedConv    = "conversation"
	savedRoom    = "room"
	savedLine    = "line"
	savedSetting = "setting"
	savedDevice  = "device"
)

type accountEntry struct {
	_      struct{} `cbor:",toarray"`
	ID     wire.AccountID
	Server string
	Domain string
	Name   string
	Chain  [][]byte
}

type handleEntry struct {
	_       struct{} `cbor:",toarray"`
	Handle  string
	Account wire.AccountID
}

type roomEntry struct {
	_      struct{} `cbor:",toarray"`
	ID     wire.RoomID
	Server string
	Conv   convID
	Epoch  wire.Epoch
	State  roomState
	Roster []byte
}

type lineEntry struct {
	_      struct{} `cbor:",toarray"`
	Conv   convID
	N      uint64
	Line   []byte // happening
	Signed []byte // signedBytes; empty if there are none
}

const (
	// beaconKept is how long the newest backup is known to be that.
	beaconKept = wire.MaxBlobTTL
	// shortLife: what lives no longer than this is in no backup.
	shortLife = 2 * time.Hour
	stateName = "state"
)

// segmentOf returns the segment that a line belongs to, and when that ends, which
// is not after the line: on the full hour for what lives less than two days, else
// at the beginning of a day. ok is false for what is in no backup.
func segmentOf(at time.Time, until int64) (name string, end int64, ok bool) {
	if until == 0 {
		return "kept " + at.UTC().Format("2006-01"), 0, true
	}
	grain := int64(24 * 3600)
	switch life := time.Unix(until, 0).Sub(at); {
	case life <= shortLife:
		return "", 0, false
	case life < 48*time.Hour:
		grain = 3600
	}
	end = until / grain * grain
	return fmt.Sprintf("until %d", end), end, true
}

// BackupOptions says what BackupCreate does.
type BackupOptions struct {
	To string // a place, or ServerPlace; "" for the last one's
}

// Backup answers BackupCreate.
type Backup struct {
	Items int    `json:"items"`
	To    string `json:"to"`
	// Phrase opens the backup; it is shown with the first one and kept nowhere.
	Phrase string    `json:"phrase,omitempty"`
	Made   time.Time `json:"made"`
	// Changed is how many of Segments were written anew.
	Changed  int `json:"changed"`
	Segments int `json:"segments"`
}

// errNoBackup says that this home has made none.
var errNoBackup = &wire.Error{Code: wire.NotFound, Message: "this home has made no backup", Next: "make one with: hearth backup create --to FILE"}

// segment is one segment while a backup is made.
type segment struct {
	name  string
	end   int64
	hash  hash.Hash
	items uint32
	lines []lineRef
}

type lineRef struct {
	conv uint32 // index in the list of conversations
	n    uint64
}

// BackupCreate writes a backup to a place. What has not changed since the last
// one there is taken over as it lies.
func (c *Client) BackupCreate(ctx context.Context, o BackupOptions) (Backup, error) {
	if err := c.saving.begin(ctx); err != nil {
		return Backup{}, err
	}
	defer c.saving.done()
	var me *account
	var d *door
	var sv *savings
	var root wire.Secret
	err := c.look(ctx, func(s *step) (err error) {
		if me, err = s.me(); err != nil {
			return err
		}
		if _, d, err = s.doors(); err != nil {
			return err
		}
		if sv, err = s.savings(); err != nil {
			return err
		}
		_, err = s.get(backupRootName, &root)
		return err
	})
	switch {
	case err != nil:
		return Backup{}, err
	case d == nil:
		return Backup{}, errNotRegistered
	}
	out := Backup{To: o.To, Made: c.now().Truncate(time.Second)}
	if out.To == "" && sv != nil {
		out.To = sv.To
	}
	if out.To == "" {
		return Backup{}, wire.Errorf(wire.BadInput, "where the backup goes is missing").WithNext("name a file with --to FILE, or --to server")
	}
	if sv == nil {
		phrase := identity.NewRecoveryKey()
		roots := []wire.Secret{phrase.BackupRoot()}
		if root.Reveal() != nil {
			roots = append(roots, root)
		}
		sv = &savings{}
		for _, r := range roots {
			sv.Slots = append(sv.Slots, slotOf(r))
		}
		if sv.Keys, err = backup.NewKeys(roots...); err != nil {
			return Backup{}, err
		}
		out.Phrase = phrase.Words()
	}
	places, err := c.places()
	if out.To == ServerPlace {
		places, err = &serverPlace{c: c, server: d.Server, region: d.ID.Region(), by: d.payment(), slots: sv.Slots}, nil
	}
	if err != nil {
		return Backup{}, err
	}
	segments, convs, err := c.segments(ctx)
	if err != nil {
		return Backup{}, err
	}
	// The newest backup is the one whose beacon is there; the last one's goes once
	// this one lies safe.
	beacon, drop, err := c.light(ctx, d)
	if err != nil {
		return Backup{}, fmt.Errorf("keep what ends a backup at the server: %w", err)
	}
	m := backup.Manifest{Account: me.ID, Counter: sv.Counter + 1, Made: out.Made.Unix(), Server: d.Server, Beacon: &beacon, Drop: drop}
	old, closeOld := c.lastChunks(ctx, places, sv, out.To)
	defer closeOld()
	var saved []savedSegment
	err = places.Write(ctx, out.To, func(w io.Writer) error {
		bw, err := sv.Keys.NewWriter(w)
		if err != nil {
			return err
		}
		for _, g := range segments {
			sg, changed, err := c.writeSegment(ctx, bw, sv, me, d, g, convs, old)
			if err != nil {
				return err
			}
			if sg == nil {
				continue // it ended meanwhile
			}
			if changed {
				out.Changed++
			}
			out.Items += int(sg.Segment.Items)
			m.Segments = append(m.Segments, sg.Segment)
			saved = append(saved, *sg)
		}
		out.Segments = len(m.Segments)
		return bw.Close(m)
	})
	if err != nil {
		return Backup{}, err
	}
	before, undrop := sv.Beacon, sv.Drop
	err = c.step(ctx, func(s *step) error {
		now, err := s.savings()
		if err != nil {
			return err
		}
		if now != nil {
			sv.Tried, sv.Failed = now.Tried, now.Failed
		}
		sv.Counter, sv.Made, sv.To, sv.Beacon, sv.Drop = m.Counter, m.Made, out.To, &beacon, drop
		s.put(savingsName, sv)
		for _, g := range saved {
			s.putUntil(segmentName(g.Segment.Name), g, g.Segment.End)
		}
		s.then(c.wakeSaving)
		return nil
	})
	if err != nil {
		return Backup{}, err
	}
	if before != nil {
		if err := c.cfg.Blobs.Drop(ctx, d.Server, *before, undrop); err != nil {
			c.debug("the last backup's beacon could not be dropped", err)
		}
	}
	return out, nil
}

func (s *step) savings() (*savings, error) {
	sv := new(savings)
	ok, err := s.get(savingsName, sv)
	if err != nil || !ok {
		return nil, err
	}
	return sv, nil
}

// light puts a new beacon.
func (c *Client) light(ctx context.Context, d *door) (wire.BlobID, wire.Secret, error) {
	b, drop := wire.NewSecret().Reveal(), wire.NewSecret()
	id := wire.BlobIDOf(d.ID.Region(), b)
	_, err := c.cfg.Blobs.Upload(ctx, d.Server, Upload{ID: wire.NewUploadID(), By: d.payment(), Last: &id, TTL: beaconKept, Drop: drop.Hash()}, bytes.NewReader(b))
	return id, drop, err
}

// payment is what the door's owner pays for uploads with.
func (d *door) payment() Payment { return Payment{Room: d.ID, Token: d.Seat.Secret} }

// lastChunks gives what the last backup at a place holds, if it is there and
// ours.
func (c *Client) lastChunks(ctx context.Context, places Places, sv *savings, place string) (func(backup.Chunk) ([]byte, bool), func()) {
	nothing := func(backup.Chunk) ([]byte, bool) { return nil, false }
	f, size, err := places.Open(ctx, place)
	if err != nil {
		return nothing, func() {}
	}
	b, err := sv.Keys.Open(f, size)
	if err != nil {
		return nothing, func() { f.Close() }
	}
	return b.Chunks(), func() { f.Close() }
}

// writeSegment takes a segment over from the last backup, or seals it anew; nil
// if it has ended.
func (c *Client) writeSegment(ctx context.Context, w *backup.Writer, sv *savings, me *account, d *door, g *segment, convs []convID, old func(backup.Chunk) ([]byte, bool)) (*savedSegment, bool, error) {
	var last savedSegment
	known := false
	err := c.look(ctx, func(s *step) (err error) {
		known, err = s.get(segmentName(g.name), &last)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	sum := [32]byte(g.hash.Sum(nil))
	if known && last.Hash == sum {
		var chunks [][]byte
		for _, ch := range last.Segment.Chunks {
			b, ok := old(ch)
			if !ok {
				break
			}
			chunks = append(chunks, b)
		}
		if len(chunks) == len(last.Segment.Chunks) {
			for _, b := range chunks {
				if err := w.Chunk(b); err != nil {
					return nil, false, err
				}
			}
			return &last, false, nil
		}
	}
	sg := &savedSegment{Hash: sum, Segment: backup.Segment{Name: g.name, End: g.end}, Time: last.Time}
	if g.end != 0 {
		ttl := time.Unix(g.end, 0).Sub(c.now())
		if ttl < time.Minute {
			return nil, false, nil
		}
		if !known {
			sg.Time = wire.NewSecret()
		}
		// Put again, a key that was lost at the server is there again.
		id, err := c.cfg.Blobs.Put(ctx, d.Server, d.ID, d.Seat.Secret, min(ttl, wire.MaxBlobTTL), sg.Time.Reveal())
		if err != nil {
			return nil, false, fmt.Errorf("keep what ends a backup at the server: %w", err)
		}
		sg.Segment.Key = &id
	}
	a := sv.Keys.Segment(me.ID, g.name, sg.Time, func(b []byte) error {
		sg.Segment.Chunks = append(sg.Segment.Chunks, backup.ChunkOf(b))
		return w.Chunk(b)
	})
	add := func(e archive.Entry) error {
		sg.Segment.Items++
		return a.Add(e)
	}
	if g.name == stateName {
		err = c.look(ctx, func(s *step) error { return s.writeState(me, add) })
	} else {
		err = c.writeLines(ctx, g, convs, add)
	}
	if err != nil {
		return nil, false, err
	}
	return sg, true, a.Close()
}
