package core

import (
	"crypto/sha256"

	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// A conversation is not its room (protocol §5). What a device knows of a room as
// one in a row of them is its lineage: by what a founding in its log is judged,
// and what has become of it.

// lineage is kept beside a room, and a while beyond it.
type lineage struct {
	_ struct{} `cbor:",toarray"`
	// Before is the epoch before the present one; nil if we were not there.
	Before *pastEpoch
	// Grown is the newest commit that let somebody in: who came then must not
	// be told again what was said earlier.
	Grown wire.Number
	// Later is the roster that a commit leads to which could not be entered, by
	// its proposals; empty if there was none, or if nothing of it could be read.
	Later []byte
	// LaterAt is that commit's number; 0: every commit so far was entered.
	LaterAt wire.Number
	// Beyond: the log has had commits behind that one.
	Beyond bool
	// OutOfStep lists who said since the newest commit or founding that they are
	// out of step.
	OutOfStep []wire.AccountID
	// Restored is the head of a log that was restored from a backup; 0: it was
	// not.
	Restored wire.Number
	// LostSince is since when the server has not answered, Unix seconds.
	LostSince int64
	// Unread says that the log cannot be read any more: the room is gone, or our
	// place in it.
	Unread bool
	// Shut is since when our place in it does not open, though the room is there,
	// Unix seconds; 0: it does.
	Shut int64

	// Due is when it is our turn to found a successor, Unix seconds; 0: nothing
	// calls for one. Why is the code of what does, To the server that somebody
	// wants it on.
	Due int64
	Why string
	To  string

	// Mine is the successor that this device has founded and not entered yet.
	Mine *ownSuccessor
	// Accepted is the founding that counts.
	Accepted *acceptedFounding
}

// pastEpoch is what is left of an epoch.
type pastEpoch struct {
	_          struct{} `cbor:",toarray"`
	Commit     wire.Number
	Transcript [sha256.Size]byte
}

// ownSuccessor is a successor of our own making, on its way.
type ownSuccessor struct {
	_        struct{} `cbor:",toarray"`
	Room     wire.RoomID
	Founding []byte
	Since    int64 // Unix seconds
	// Handed is when its Welcomes were handed over, Noted when the old room was
	// told; 0: not yet.
	Handed, Noted int64
	// Roster is the successor's as its Welcomes hold it (package roster): what
	// others judge, whatever we have changed in there since.
	Roster []byte
}

// acceptedFounding is a founding that was valid in the log, or, where no log can
// be read, the best one that was learned of.
type acceptedFounding struct {
	_        struct{} `cbor:",toarray"`
	Founding []byte
	Number   wire.Number // in the log; 0: there was none to read
	Rank     uint64      // of the founder
	At       int64       // Unix seconds
	// Entered: we are in the successor. Void: it does not hold what it must.
	Entered, Void bool
}

func lineageName(id wire.RoomID) string { return vault.Name("lineage", b64(id[:])) }

// lineage returns a room's lineage; never nil.
func (s *step) lineage(id wire.RoomID) (*lineage, error) {
	l := new(lineage)
	_, err := s.get(lineageName(id), l)
	return l, err
}

// lineageKept is how long the lineage of a room is kept that was left for a
// successor: as long as somebody may still be heard of.
const lineageKept = wire.MaxTTL

// putLineage saves a room's lineage, and the room.
func (s *step) putLineage(r *room, l *lineage) {
	r.Moving = l.Due != 0 || l.Mine != nil || l.Accepted != nil
	s.putRoom(r)
	if l.Accepted != nil && l.Accepted.Entered {
		s.putUntil(lineageName(r.ID), l, s.c.now().Add(lineageKept).Unix())
		return
	}
	s.put(lineageName(r.ID), l)
}

// entered notes that an epoch was entered: before is the group as it was.
func (s *step) entered(r *room, before pastEpoch, ch mls.Changes, number wire.Number) error {
	l, err := s.lineage(r.ID)
	if err != nil {
		return err
	}
	l.Before = &before
	if len(ch.Added) > len(roster.Rejoins(ch)) {
		l.Grown = number
	}
	l.Later, l.LaterAt, l.Beyond, l.OutOfStep = nil, 0, false, nil
	s.putLineage(r, l)
	return nil
}

// committed notes that the log has another commit, whether or not it can be
// entered: who was out of step before must say so again.
func (s *step) committed(r *room) error {
	l, err := s.lineage(r.ID)
	beyond := l.LaterAt != 0 && !l.Beyond
	if err != nil || len(l.OutOfStep) == 0 && !beyond {
		return err
	}
	l.OutOfStep, l.Beyond = nil, l.Beyond || beyond
	s.putLineage(r, l)
	return nil
}

// saidOutOfStep notes that somebody cannot follow the log's newest commit.
func (s *step) saidOutOfStep(r *room, account wire.AccountID) error {
	l, err := s.lineage(r.ID)
	if err != nil {
		return err
	}
	for _, a := range l.OutOfStep {
		if a == account {
			return nil
		}
	}
	if len(l.OutOfStep) >= roster.MaxLimit {
		return nil
	}
	l.OutOfStep = append(l.OutOfStep, account)
	s.putLineage(r, l)
	return nil
}

// newest returns who is in a room's conversation by the newest state that can be
// built.
func (s *step) newest(r *room, l *lineage) (*roster.Roster, error) {
	if len(l.Later) > 0 {
		return roster.Parse(l.Later)
	}
	return s.roster(r.ID)
}

// standing returns by what a founding in a room's log is judged.
func (s *step) standingOf(r *room, l *lineage) (st roster.Standing, err error) {
	if st.Newest, err = s.newest(r, l); err != nil {
		return st, err
	}
	g, err := s.group(r.ID)
	if err != nil {
		return st, err
	}
	if g == nil {
		return st, wire.Errorf(wire.Damaged, "a conversation's state is missing")
	}
	st.Epoch, st.Transcript = g.Epoch(), commitHash(g)
	if l.Before != nil {
		st.Before = &l.Before.Transcript
	}
	st.Accepted = st.Newest.State().Generation
	if l.Accepted != nil && l.Accepted.Number > 0 {
		if f, err := roster.ParseFounding(l.Accepted.Founding); err == nil {
			st.Accepted = f.Generation
		}
	}
	st.OutOfStep = l.OutOfStep
	return st, nil
}

// unentered notes a commit that could not be entered, and what its proposals
// would have changed.
func (s *step) unentered(r *room, g *mls.Group, e *wire.Entry) error {
	l, err := s.lineage(r.ID)
	if err != nil {
		return err
	}
	l.LaterAt = e.Number
	if ch, perr := g.Peek(e.Payload); perr == nil {
		ro, err := s.roster(r.ID)
		if err != nil {
			return err
		}
		if after := ro.After(ch); after != ro {
			l.Later = after.Marshal()
		}
	}
	return s.mayFound(r, l, NoticeOutOfStep, refreshWait)
}
