package core

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"hearth/content"
)

// BenchmarkLink links a device and hands 10,000 messages of history over, over
// connections in memory, by the machine's own clock. go test -bench Link -run '^$'
func BenchmarkLink(b *testing.B) {
	const messages = 10_000
	for range b.N {
		b.StopTimer()
		w := newWorld(b)
		alice, bob := w.person("alice"), w.person("bob")
		alice.send("bob", "hello bob")
		if err := bob.c.wait(bob.ctx(), func(s *step) (bool, error) { return s.any("request") }); err != nil {
			b.Fatal(err)
		}
		rs, err := bob.c.Requests(bob.ctx())
		if err != nil || len(rs) != 1 {
			b.Fatal(rs, err)
		}
		a, err := bob.c.Accept(bob.ctx(), rs[0].ID)
		if err != nil {
			b.Fatal(err)
		}
		fill(b, alice, a.Room, messages)
		phone := w.home("phone")
		phone.start()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		linkTo(b, alice, phone, "phone")
		phone.ready()
		b.StopTimer()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/messages, "B_allocated/message")
		events, err := phone.c.History(phone.ctx(), a.Room, 0)
		if got := len(texts(events)); err != nil || got != messages+1 {
			b.Fatalf("%d messages arrived, %v", got, err)
		}
		alice.stop()
		bob.stop()
		phone.stop()
		b.StartTimer()
	}
}

// fill writes messages into a history, as if they had been received.
func fill(b testing.TB, h *home, room string, n int) {
	b.Helper()
	id, _ := parseConv(room)
	for i := 0; i < n; {
		err := h.c.step(b.Context(), func(s *step) error {
			cv, err := s.conv(id)
			if err != nil {
				return err
			}
			ro, err := s.roster(cv.Room)
			if err != nil {
				return err
			}
			for range 250 {
				m, err := content.NewText(fmt.Sprint(i, " ", strings.Repeat("words ", 20)), content.Options{Sent: h.c.now()})
				if err != nil {
					return err
				}
				body, err := m.Encode()
				if err != nil {
					return err
				}
				mid, err := content.ID(cv.Peer, id, body)
				if err != nil {
					return err
				}
				line, err := s.keepMessage(cv, ro.State(), cv.Peer, mid, m, body, false)
				if err != nil {
					return err
				}
				h, err := s.line(id, line)
				if err != nil {
					return err
				}
				s.putUntil(signedName(id, line), signedBytes{Content: body, Signature: make([]byte, 64), Leaf: make([]byte, 1700)}, h.Until)
				i++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
