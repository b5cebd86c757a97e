package hearthtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/wire"
)

// overheard is all that went over a world's connections: what a server was
// given, and so what its disk could hold.
type overheard struct {
	mu       sync.Mutex
	payloads [][]byte          // of posts, commits, knocks
	secrets  map[string][]byte // what opens something, by kind
	rooms    [][]byte          // ids of rooms and private doors
	seats    [][]byte
	public   []byte // ids and keys that stand behind a handle, by design
}

// overhear listens to everybody from here on.
func (w *World) overhear() *overheard {
	o := &overheard{secrets: map[string][]byte{}}
	w.Net.Tamper(func(_ *Link, d Direction, f wire.Frame) []wire.Frame {
		if d == ToServer {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.hear(f)
		}
		return []wire.Frame{f}
	})
	return o
}

func (o *overheard) secret(kind string, s wire.Secret) {
	if b := s.Reveal(); b != nil {
		o.secrets[kind+string(b)] = b
	}
}

func (o *overheard) seat(room wire.RoomID, id wire.SeatID) {
	o.rooms = append(o.rooms, bytes.Clone(room[:]))
	o.seats = append(o.seats, bytes.Clone(id[:]))
}

func (o *overheard) hear(f wire.Frame) {
	switch f.Op {
	case wire.OpRoomCreate:
		var r wire.RoomCreate
		if wire.Decode(f.Body, &r) == nil {
			o.payloads = append(o.payloads, r.Payload)
			for _, s := range r.Seats {
				o.seat(r.Room, s.ID)
			}
		}
	case wire.OpRoomPost:
		var r wire.RoomPost
		if wire.Decode(f.Body, &r) == nil {
			o.payloads = append(o.payloads, r.Payload)
			o.secret("a post token", r.Token)
		}
	case wire.OpRoomCommit:
		var r wire.RoomCommit
		if wire.Decode(f.Body, &r) == nil {
			o.payloads = append(o.payloads, r.Payload)
			o.secret("a post token", r.Token)
			o.secret("a seat's secret", r.SeatSecret)
		}
	case wire.OpSeatOpen:
		var r wire.SeatOpen
		if wire.Decode(f.Body, &r) == nil {
			o.seat(r.Room, r.Seat)
			o.secret("a seat's secret", r.Secret)
		}
	case wire.OpSeatRename:
		var r wire.SeatRename
		if wire.Decode(f.Body, &r) == nil {
			o.seat(r.Room, r.Seat)
			o.seat(r.Room, r.New.ID)
			o.secret("a seat's secret", r.Secret)
		}
	case wire.OpDoorPost:
		var r wire.DoorPost
		if wire.Decode(f.Body, &r) == nil {
			o.payloads = append(o.payloads, r.Payload)
			o.secret("a door's key", r.Key)
		}
	case wire.OpAccountKnock:
		var r wire.AccountKnock
		if wire.Decode(f.Body, &r) == nil && r.Knock != nil {
			o.public = append(o.public, r.Knock.Door[:]...)
			o.public = append(o.public, r.Knock.Key.Reveal()...)
		}
	}
}

// TestSeizedDisk searches every byte of a server's folder, while it runs and
// when it has stopped (design §1, "a seized disk").
func TestSeizedDisk(t *testing.T) {
	Run(t, func(w *World) {
		o := w.overhear()
		st := newStage(w)
		for _, text := range []string{"the text of one", "the text of two", "the text of three"} {
			st.Alice.Send(st.Group, text)
			st.Bob.Send(st.Pair, text)
		}
		for _, p := range []*Person{st.Alice, st.Bob, st.Carol} {
			p.Expect("the text of three")
		}
		w.Sleep(30 * time.Second) // acknowledged, and a few checkpoints on
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.payloads) < 10 || len(o.secrets) < 10 || len(o.seats) < 10 {
			t.Fatalf("overheard only %d payloads, %d secrets, %d seats", len(o.payloads), len(o.secrets), len(o.seats))
		}
		home := w.Server("home")
		search := func(when string) {
			home.MustNotContain(when+": a text or a group's name", []byte("the text of"), []byte("kitchen"))
			home.MustNotContain(when+": acknowledged ciphertext", middles(o.payloads)...)
			for key, b := range o.secrets {
				if !bytes.Contains(o.public, b) {
					home.MustNotContain(when+": "+strings.TrimSuffix(key, string(b)), b)
				}
			}
			accountsAndRoomsApart(t, when, home.Dir, st, o)
		}
		search("running")
		// And it does find what is there: carol has not fetched the last one.
		st.Carol.Stop()
		o.mu.Unlock()
		st.Alice.Send(st.Group, "not fetched yet")
		w.Sleep(30 * time.Second)
		o.mu.Lock()
		if _, found := home.Finds(middles(o.payloads)...); !found {
			t.Error("an entry that a member has not fetched is nowhere on the disk: the search is blind")
		}
		o.mu.Unlock()
		if err := st.Carol.Start(); err != nil {
			t.Fatal(err)
		}
		st.Carol.Expect("not fetched yet")
		w.Sleep(30 * time.Second)
		o.mu.Lock()
		home.Stop()
		search("stopped")
	})
}

// middles takes a piece from inside each payload, so that a copy is found even
// where it is cut.
func middles(payloads [][]byte) (pieces [][]byte) {
	for _, p := range payloads {
		if len(p) >= 64 {
			pieces = append(pieces, p[len(p)/2:len(p)/2+24])
		}
	}
	return pieces
}

// accountsAndRoomsApart checks that no file holds an account beside a room: the
// ids of rooms and seats are not where accounts are, and the other way round.
func accountsAndRoomsApart(t *testing.T, when, dir string, st *Stage, o *overheard) {
	t.Helper()
	var accounts [][]byte
	for _, p := range []*Person{st.Alice, st.Bob, st.Carol} {
		me, err := p.Client.Whoami()
		if err != nil {
			t.Fatal(err)
		}
		id, err := wire.ParseAccountID(me.Account)
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, id[:], []byte(me.Handle))
	}
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		holdsAny := func(list [][]byte) bool {
			for _, v := range list {
				if !bytes.Contains(o.public, v) && holds(b, v) {
					return true
				}
			}
			return false
		}
		if holdsAny(accounts) && holdsAny(append(o.rooms, o.seats...)) {
			t.Errorf("%s: %s holds an account and a room", when, filepath.Base(path))
		}
		return nil
	})
}
