package store

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hearth/wire"
)

// BenchmarkRestart opens a store of 30,000 entries of 1 KiB in 300 rooms that
// nobody has acknowledged, and reads one: s/restart is what a restarted server
// takes until it answers. settled has them in the database, killed in the journal
// alone, more than two seconds of posting ever leave there.
func BenchmarkRestart(b *testing.B) {
	for _, settled := range []bool{true, false} {
		name := "killed"
		if settled {
			name = "settled"
		}
		b.Run(name, func(b *testing.B) {
			const rooms, each = 300, 100
			ctx := context.Background()
			dir := b.TempDir()
			s, stop := benchStore(b, dir, settled)
			made := make([]*testRoom, rooms)
			for i := range made {
				rm, req := newRoom(2)
				if _, err := wait(func(d Done) { s.Create(ctx, req, d) }); err != nil {
					b.Fatal(err)
				}
				made[i] = rm
			}
			posted := make(chan error, rooms*each)
			for n := range each {
				for _, rm := range made {
					payload := make([]byte, 1024)
					payload[0], payload[1] = byte(n), byte(n>>8)
					s.Post(ctx, &wire.RoomPost{Room: rm.id, Epoch: 1, Token: rm.token, Payload: payload, TTL: 86400},
						func(_ wire.Appended, err error) { posted <- err })
				}
			}
			for range rooms * each {
				if err := <-posted; err != nil {
					b.Fatal(err)
				}
			}
			// A copy of the folder is what a killed server leaves.
			copied := b.TempDir()
			if settled {
				stop()
			}
			if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
				b.Fatal(err)
			}
			if !settled {
				stop()
			}
			var took time.Duration
			for b.Loop() {
				at := filepath.Join(b.TempDir(), "copy")
				if err := os.CopyFS(at, os.DirFS(copied)); err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				s, stop := benchStore(b, at, settled)
				last := made[rooms-1]
				o, opened, err := s.OpenSeat(ctx, &wire.SeatOpen{Room: last.id, Seat: last.seats[0], Secret: last.secrets[0], Token: last.token}, nil, func() {})
				if err != nil || opened.Head != 1+each {
					b.Fatalf("head %d, %v; want %d", opened.Head, err, 1+each)
				}
				if r, err := o.Read(ctx, each, 10, 1<<20); err != nil || len(r.Events) != 1 {
					b.Fatalf("%d entries, %v", len(r.Events), err)
				}
				took += time.Since(began)
				o.Close()
				stop()
			}
			b.ReportMetric(took.Seconds()/float64(b.N), "s/restart")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// benchStore opens a store and runs it; one that is not settled makes no
// checkpoint until it is stopped.
func benchStore(b *testing.B, dir string, settled bool) (*Rooms, func()) {
	b.Helper()
	cfg := testConfig(dir)
	if !settled {
		cfg.CheckpointEvery, cfg.JournalBytes = time.Hour, 1<<30
	}
	r, err := OpenRooms(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return r, func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		r.Close()
	}
}
