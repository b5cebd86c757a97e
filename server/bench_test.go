package server

import (
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"testing"

	"hearth/wire"
)

// BenchmarkPost posts 1 KiB from 16 connections over so many rooms, over
// connections in memory: it shows the server without sockets. records/post must
// be 1 at any number of seats.
func BenchmarkPost(b *testing.B) {
	for _, rooms := range []int{1, 64} {
		b.Run(fmt.Sprintf("rooms=%d", rooms), func(b *testing.B) { benchPosts(b, rooms, 2, 0) })
	}
	for _, seats := range []int{2, 200} {
		b.Run(fmt.Sprintf("seats=%d", seats), func(b *testing.B) { benchPosts(b, 1, seats, seats) })
	}
}

// benchPosts posts with one poster a room; open seats of each room are read.
func benchPosts(b *testing.B, rooms, seats, open int) {
	w := benchWorld(b)
	var made []*testRoom
	var posters []*client
	for range rooms {
		c := w.client()
		made = append(made, c.room(seats))
		posters = append(posters, c)
	}
	var readers sync.WaitGroup
	each := b.N/rooms + 1
	for i := range open {
		c := w.client()
		q := made[0].open(i, 1)
		q.Credit = 1 << 31
		c.must(wire.OpSeatOpen, q, &wire.SeatOpened{})
		c.live()
		readers.Go(func() {
			for n := range each {
				e := c.entry()
				if n%64 == 63 {
					c.ack(1, e.Number)
				}
			}
		})
	}
	before := w.s.Counters()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, r := range made {
		wg.Go(func() {
			payload := make([]byte, 1024)
			for range each {
				rand.Read(payload[:16])
				if err := posters[i].call(wire.OpRoomPost, r.post(string(payload)), &wire.Appended{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	readers.Wait()
	b.StopTimer()
	n := float64(each * rooms)
	b.ReportMetric(n/b.Elapsed().Seconds(), "posts/s")
	b.ReportMetric(float64(w.s.Counters().Records-before.Records)/n, "records/post")
}

func benchWorld(b *testing.B) *world {
	w := &world{t: b, cfg: Config{Dir: b.TempDir()}}
	w.cfg.Store.RoomBytes = 1 << 40
	w.cfg.Limits.Frames, w.cfg.Limits.Bytes = 1e9, 1e12
	w.start()
	b.Cleanup(func() { w.stop() })
	return w
}

func BenchmarkRestartAfterKill(b *testing.B) {
	// 30,000 records that no checkpoint has taken, as a killed server leaves
	// them after a busy second.
	for b.Loop() {
		b.StopTimer()
		w := benchWorld(b)
		w.stop()
		w.cfg.Store.CheckpointEvery = 1 << 40
		w.cfg.Store.JournalBytes = 1 << 40
		w.start()
		posts(b, w, 30000)
		killed := w.cfg
		killed.Dir = copyDir(b, w.cfg.Dir)
		w.stop()
		b.StartTimer()
		s, err := New(killed)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		s.Close()
		b.StartTimer()
	}
}

// copyDir copies a server's folder, as SIGKILL would leave it.
func copyDir(b *testing.B, from string) string {
	to := b.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		b.Fatal(err)
	}
	return to
}

func posts(b *testing.B, w *world, n int) {
	c := w.client()
	r := c.room(1)
	slots := make(chan struct{}, 200)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		ch := c.begin(wire.OpRoomPost, r.post(fmt.Sprintf("%d %01000d", i, 0)))
		wg.Go(func() {
			if err := finish(<-ch, wire.OpRoomPost, &wire.Appended{}); err != nil {
				b.Error(err)
			}
			<-slots
		})
	}
	wg.Wait()
}
