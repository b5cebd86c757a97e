package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// running is a store with its Run.
type running struct {
	*Rooms
	t    *testing.T
	stop func() error // ends Run and closes; the error of Run
}

func testConfig(dir string) Config {
	return Config{Dir: dir, MinFree: -1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func run(t *testing.T, cfg Config) *running {
	t.Helper()
	r, err := OpenRooms(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	s := &running{Rooms: r, t: t}
	s.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		r.Close()
		return err
	})
	t.Cleanup(func() { s.stop() })
	return s
}

// wait turns a Done into a call that waits.
func wait(f func(Done)) (wire.Appended, error) {
	type result struct {
		a   wire.Appended
		err error
	}
	ch := make(chan result, 1)
	f(func(a wire.Appended, err error) { ch <- result{a, err} })
	r := <-ch
	return r.a, r.err
}

// testRoom is a room as a client knows it.
type testRoom struct {
	id      wire.RoomID
	epoch   wire.Epoch
	token   wire.Secret
	seats   []wire.SeatID
	secrets []wire.Secret
}

func newRoom(n int) (*testRoom, *wire.RoomCreate) {
	rm := &testRoom{id: wire.NewRoomID(1), epoch: 1, token: wire.NewSecret()}
	req := &wire.RoomCreate{Room: rm.id, TokenHash: rm.token.Hash(), Payload: []byte("founding")}
	for range n {
		id, s := wire.NewSeatID(1), wire.NewSecret()
		rm.seats, rm.secrets = append(rm.seats, id), append(rm.secrets, s)
		req.Seats = append(req.Seats, wire.NewSeat{ID: id, Hash: s.Hash()})
	}
	return rm, req
}

func (s *running) room(n int) *testRoom {
	s.t.Helper()
	rm, req := newRoom(n)
	if _, err := wait(func(d Done) { s.Create(context.Background(), req, d) }); err != nil {
		s.t.Fatal(err)
	}
	return rm
}

func (rm *testRoom) post(text string) *wire.RoomPost {
	return &wire.RoomPost{Room: rm.id, Epoch: rm.epoch, Token: rm.token, Payload: []byte(text), TTL: 86400}
}

func (s *running) post(rm *testRoom, text string) (wire.Appended, error) {
	return wait(func(d Done) { s.Post(context.Background(), rm.post(text), d) })
}

func (s *running) open(rm *testRoom, i int) (*OpenSeat, wire.SeatOpened) {
	s.t.Helper()
	return s.openWoken(rm, i, func() {})
}

// openWoken is open with what is called when there may be something new.
func (s *running) openWoken(rm *testRoom, i int, wake func()) (*OpenSeat, wire.SeatOpened) {
	s.t.Helper()
	o, a, err := s.OpenSeat(context.Background(), &wire.SeatOpen{Room: rm.id, Seat: rm.seats[i], Secret: rm.secrets[i], Token: rm.token}, nil, wake)
	if err != nil {
		s.t.Fatal(err)
	}
	return o, a
}

// texts reads everything a seat has not acknowledged.
func (s *running) texts(rm *testRoom, i int) []string {
	s.t.Helper()
	o, a := s.open(rm, i)
	defer o.Close()
	var out []string
	for at := a.Cursor; ; {
		r, err := o.Read(context.Background(), at, 1000, 1<<20)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(r.Events) == 0 {
			return out
		}
		for _, e := range r.Events {
			at = e.To
			if e.Tail == nil {
				out = append(out, fmt.Sprintf("hole %d-%d", e.From, e.To))
				continue
			}
			x, err := wire.EntryOfTail(e.Tail)
			if err != nil {
				s.t.Fatal(err)
			}
			out = append(out, string(x.Payload))
		}
	}
}

func TestOtherVersionsAreRefused(t *testing.T) {
	for name, change := range map[string]func(dir string){
		"rooms.db": func(dir string) {
			db, err := openSQLite(t.Context(), filepath.Join(dir, "rooms.db"), 1, roomsSchema, roomsVersion)
			if err != nil {
				t.Fatal(err)
			}
			db.Exec("PRAGMA user_version = 99")
			db.Close()
		},
		"journal": func(dir string) {
			os.Mkdir(filepath.Join(dir, "journal"), 0o700)
			b := appendSegmentHeader(nil, 1)
			b[11] = 99
			os.WriteFile(segmentPath(filepath.Join(dir, "journal"), 1), b, 0o600)
		},
	} {
		dir := t.TempDir()
		change(dir)
		if _, err := OpenRooms(t.Context(), testConfig(dir)); !errors.Is(err, &wire.Error{Code: wire.Unsupported}) {
			t.Errorf("%s: got %v, want unsupported", name, err)
		}
	}
}

func TestSQLiteIsSetUpToForget(t *testing.T) {
	s := run(t, testConfig(t.TempDir()))
	for pragma, want := range map[string]string{"auto_vacuum": "2", "journal_mode": "wal", "secure_delete": "1", "synchronous": "2"} {
		var got string
		if err := s.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", pragma, got, err, want)
		}
	}
}

func TestRoomsOutOfUseLeaveMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t, testConfig(t.TempDir()))
		var rooms []*testRoom
		for i := range 50 {
			rm := s.room(1)
			s.post(rm, fmt.Sprint(i))
			rooms = append(rooms, rm)
		}
		o, _ := s.open(rooms[0], 0)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		n := len(s.Rooms.rooms)
		s.mu.Unlock()
		if n != 1 {
			t.Errorf("%d rooms are in memory, want the open one", n)
		}
		o.Close()
		if got := s.texts(rooms[7], 0); len(got) != 1 || got[0] != "7" {
			t.Errorf("got %q", got)
		}
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestNoBytesOfFetchedEntriesReachSQLite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t, testConfig(t.TempDir()))
		rm := s.room(1)
		o, _ := s.open(rm, 0)
		for i := range 100 {
			a, err := s.post(rm, fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			if err := o.Ack(a.Number, wire.Secret{}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		var n, top int
		s.db.QueryRow("SELECT count(*), coalesce(max(entry_key), 0) FROM entries").Scan(&n, &top)
		if n != 0 || top != 0 {
			t.Errorf("SQLite holds %d entries", n)
		}
		left, _ := listSegments(s.j.dir)
		if len(left) != 0 {
			t.Errorf("segments stay after their checkpoint: %v", left)
		}
		o.Close()
		s.stop()
	})
}

func TestNothingIsReportedBeforeItIsSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		synced, reported := make(chan struct{}), make(chan error, 1)
		hold := false
		cfg := testConfig(t.TempDir())
		cfg.Step = func(name string, do func() error) error {
			if hold && name == "journal sync" {
				<-synced
			}
			return do()
		}
		s := run(t, cfg)
		rm := s.room(1)
		o, _ := s.open(rm, 0)
		defer o.Close()
		hold = true
		s.Post(t.Context(), rm.post("x"), func(_ wire.Appended, err error) { reported <- err })
		synctest.Wait()
		if len(reported) != 0 {
			t.Error("a post was reported before its sync")
		}
		if r, err := o.Read(t.Context(), 1, 10, 1000); err != nil || len(r.Events) != 0 {
			t.Errorf("a seat was shown what is not on disk: %v, %v", r.Events, err)
		}
		close(synced)
		if err := <-reported; err != nil {
			t.Error(err)
		}
		if r, err := o.Read(t.Context(), 1, 10, 1000); err != nil || len(r.Events) != 1 {
			t.Errorf("got %v, %v", r.Events, err)
		}
	})
}

// A removed seat holds nothing back, and still reads through its removal: so that
// its device learns from the log that it was taken out, not from a closed door.
func TestRemovedSeatReadsItsRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t, testConfig(t.TempDir()))
		rm := s.room(2)
		stays, _ := s.open(rm, 0)
		defer stays.Close()
		goes, _ := s.open(rm, 1)
		defer goes.Close()
		if _, err := s.post(rm, "before"); err != nil {
			t.Fatal(err)
		}
		hash := wire.NewSecret().Hash()
		_, err := wait(func(d Done) {
			s.Commit(context.Background(), &wire.RoomCommit{Room: rm.id, Epoch: 1, Seat: rm.seats[0], SeatSecret: rm.secrets[0], Token: rm.token,
				Payload: []byte("removal"), NewHash: hash, Remove: rm.seats[1:]}, d)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := stays.Ack(3, wire.Secret{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // checkpoints forget what is acknowledged
		r, err := goes.Read(t.Context(), 1, 10, 10000)
		if err != nil || len(r.Events) != 2 || r.Events[0].Tail == nil || r.Events[1].Tail == nil || r.Ended != wire.Denied {
			t.Errorf("got %d events, ended %q, %v; want both entries, then denied", len(r.Events), r.Ended, err)
		}
	})
}
