package core

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// The vault is the truth. What a client knows is read from it when it is
// needed; in memory there are only the groups that were used lately and what
// the connections are doing. So a failed write leaves nothing half done to
// repair: the caches are dropped and the next step reads again.

// step is one change of the client's state: it reads, decides, and gathers what
// it changes, which is then kept in one commit of the vault, whole or not at
// all. A step runs under the client's lock and never waits for the network.
type step struct {
	c     *Client
	ctx   context.Context
	batch *vault.Batch
	over  map[string]change // what the batch holds, to read one's own writes
	seen  map[string]change // records that were read: many are read several times
	// groups are those that the step changed in memory.
	groups map[wire.RoomID]bool
	// convs and rooms are those that were read: within a step there is one of
	// each, so that no part of it writes over what another has changed.
	convs map[convID]*conversation
	rooms map[wire.RoomID]*room
	// syncing: what a sibling has decided is applied, and not posted again.
	syncing bool
	failed  error // of a part that could not return it
	// after runs once the step is on disk: wake-ups, nothing that can fail.
	after []func()
}

type change struct {
	value   []byte
	removed bool
}

// step runs f and keeps what it changed. If f fails nothing is kept and its
// error is returned; if the disk fails nobody knows, and everything in memory
// is dropped.
func (c *Client) step(ctx context.Context, f func(*step) error) error {
	// A change that has begun is finished: half a step is no state, and the
	// person may go away while the disk is busy.
	ctx = context.WithoutCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &step{c: c, ctx: ctx, batch: c.vault.Batch(), over: make(map[string]change), groups: make(map[wire.RoomID]bool)}
	err := f(s)
	if err == nil {
		err = s.failed
	}
	if err == nil {
		err = c.vault.Commit(ctx, s.batch)
		if err != nil {
			clear(c.groups)
			clear(c.rosters)
			return fmt.Errorf("save: %w", err)
		}
	}
	if err != nil {
		c.forget(s)
		return err
	}
	s.searchable()
	for _, f := range s.after {
		f()
	}
	if s.batch.Len() > 0 {
		c.notify()
	}
	return nil
}

// look runs f, which only reads. It is short, and finished even if whoever asked
// has gone.
func (c *Client) look(ctx context.Context, f func(*step) error) error {
	ctx = context.WithoutCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &step{c: c, ctx: ctx, over: make(map[string]change), groups: make(map[wire.RoomID]bool)}
	err := f(s)
	c.forget(s)
	return err
}

// forget drops what a step changed in memory and did not keep.
func (c *Client) forget(s *step) {
	for id := range s.groups {
		delete(c.groups, id)
		delete(c.rosters, id)
	}
}

// then runs f after the step is on disk.
func (s *step) then(f func()) { s.after = append(s.after, f) }

// recordVersion opens every record, so that a later version can tell.
const recordVersion = 2

func encodeRecord(v any) []byte { return append([]byte{recordVersion}, wire.Encode(v)...) }

func decodeRecord(b []byte, v any) error {
	if len(b) == 0 || b[0] != recordVersion {
		return wire.Errorf(wire.Unsupported, "this home was written by another version of hearth").
			WithNext("use the version that last opened this home, or a newer one")
	}
	if err := wire.Decode(b[1:], v); err != nil {
		return wire.Errorf(wire.Damaged, "a record of this home cannot be read").
			WithNext("copy the home away, then restore a backup into a new home")
	}
	return nil
}

// get reads a record into v and reports whether there is one.
func (s *step) get(name string, v any) (bool, error) {
	b, ok, err := s.recall(name)
	if err != nil || !ok {
		return false, err
	}
	return true, decodeRecord(b, v)
}

// recall is bytes for what nobody changes in place.
func (s *step) recall(name string) ([]byte, bool, error) {
	if _, own := s.over[name]; own {
		return s.bytes(name)
	}
	if r, ok := s.seen[name]; ok {
		return r.value, !r.removed, nil
	}
	b, ok, err := s.bytes(name)
	if err == nil && len(s.seen) < seenMost {
		if s.seen == nil {
			s.seen = make(map[string]change)
		}
		s.seen[name] = change{b, !ok}
	}
	return b, ok, err
}

// seenMost bounds what a step remembers: some look through a whole history.
const seenMost = 64

// bytes reads a record that is not CBOR.
func (s *step) bytes(name string) ([]byte, bool, error) {
	if o, ok := s.over[name]; ok {
		return o.value, !o.removed, nil
	}
	return s.c.vault.Get(s.ctx, name)
}

// put keeps v under name.
func (s *step) put(name string, v any) { s.putBytes(name, encodeRecord(v)) }

func (s *step) putBytes(name string, b []byte) {
	s.over[name] = change{value: b}
	s.batch.Put(name, b)
}

// del removes name.
func (s *step) del(name string) {
	s.over[name] = change{removed: true}
	s.batch.Delete(name)
}

// scanPage is how many records a scan reads at a time; scanFirst, how many it
// begins with: many want the first alone.
const (
	scanPage  = 128
	scanFirst = 4
)

// scan calls f for each record under prefix, the step's own changes included,
// in order of their names for numbered ones. f returns false to stop.
func (s *step) scan(prefix string, f func(name string, value []byte) (bool, error)) error {
	var own []string
	for name, o := range s.over {
		if !o.removed && strings.HasPrefix(name, prefix+"/") {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	give := func(name string, value []byte) (bool, error) { return f(name, value) }
	after, page := "", scanFirst
	for {
		items, err := s.c.vault.Scan(s.ctx, prefix, after, page)
		if err != nil {
			return err
		}
		for _, it := range items {
			if _, changed := s.over[it.Name]; changed {
				continue
			}
			if n, ok := vault.Number(it.Name); ok {
				for len(own) > 0 {
					m, ok := vault.Number(own[0])
					if !ok || m > n {
						break
					}
					if more, err := give(own[0], s.over[own[0]].value); err != nil || !more {
						return err
					}
					own = own[1:]
				}
			}
			if more, err := give(it.Name, it.Value); err != nil || !more {
				return err
			}
		}
		if len(items) < page {
			break
		}
		after, page = items[len(items)-1].Name, min(4*page, scanPage)
	}
	for _, name := range own {
		if more, err := give(name, s.over[name].value); err != nil || !more {
			return err
		}
	}
	return nil
}

// b64 writes an id as a segment of a name.
func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Groups lie in two records, so that a message does not rewrite the tree.

func epochName(id wire.RoomID) string   { return vault.Name("epoch", b64(id[:])) }
func ratchetName(id wire.RoomID) string { return vault.Name("ratchet", b64(id[:])) }

// group returns a room's MLS group, to read.
func (s *step) group(id wire.RoomID) (*mls.Group, error) {
	if g := s.c.groups[id]; g != nil {
		return g, nil
	}
	epoch, ok, err := s.bytes(epochName(id))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, nil
	}
	ratchet, _, err := s.bytes(ratchetName(id))
	if err != nil {
		return nil, err
	}
	g, err := mls.ParseGroup(epoch, ratchet)
	if err != nil {
		return nil, wire.Errorf(wire.Damaged, "a conversation's state cannot be read").
			WithNext("copy the home away, then restore a backup into a new home")
	}
	s.c.groups[id] = g
	s.c.loaded[id] = true
	return g, nil
}

// skipReserved passes over the generations that were reserved when a group was
// last loaded: the client died, or a write failed, and any of them may have been
// used (protocol §3). It is done when one is needed and not before: what a copy of
// this home has sealed with them meanwhile can be told until then.
func (s *step) skipReserved(r *room, g *mls.Group) error {
	if !s.c.loaded[r.ID] {
		return nil
	}
	s.groups[r.ID] = true
	if r.Reserved > g.OwnGeneration() {
		if err := g.SkipTo(r.Reserved); err != nil {
			return err
		}
	}
	delete(s.c.loaded, r.ID)
	return nil
}

// putRatchets keeps a group after a message was sealed or opened.
func (s *step) putRatchets(id wire.RoomID, g *mls.Group) {
	s.groups[id] = true
	s.c.groups[id] = g
	s.putBytes(ratchetName(id), g.MarshalRatchets())
}

// putGroup keeps a group after a commit.
func (s *step) putGroup(id wire.RoomID, g *mls.Group) {
	s.putBytes(epochName(id), g.MarshalEpoch())
	s.putRatchets(id, g)
}

// dropGroup destroys a room's keys.
func (s *step) dropGroup(id wire.RoomID) {
	s.groups[id] = true
	delete(s.c.groups, id)
	delete(s.c.rosters, id)
	s.del(epochName(id))
	s.del(ratchetName(id))
}
