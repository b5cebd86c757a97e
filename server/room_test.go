package server

import (
	"bytes"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"hearth/wire"
)

func TestPostReachesEverySeatAndIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.client(), w.client()
		r := a.room(2)
		a.openLive(r, 0, 7)
		b.openLive(r, 1, 9)
		marker := "MARKER-live-7f3a9c"
		if n := a.send(r, marker); n != 2 {
			t.Fatalf("got number %d, want 2", n)
		}
		for _, c := range []struct {
			*client
			handle uint32
		}{{a, 7}, {b, 9}} {
			e := c.entry()
			if e.Handle != c.handle || e.Number != 2 || e.Kind != wire.KindPost || e.Epoch != 1 || string(e.Payload) != marker || e.Seat != nil {
				t.Errorf("got %+v", e)
			}
			c.ack(c.handle, 2)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		w.mustNotContain(marker)
	})
}

// contains counts the files of the server's folder that hold the bytes.
func (w *world) contains(marker string) (files []string) {
	w.t.Helper()
	filepath.WalkDir(w.cfg.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(marker)) {
			files = append(files, filepath.Base(path))
		}
		return nil
	})
	return files
}

func (w *world) mustNotContain(marker string) {
	w.t.Helper()
	if f := w.contains(marker); len(f) > 0 {
		w.t.Errorf("the marker is still in %v", f)
	}
}

func TestStreamOverWebSocket(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.s.Handler())
	defer srv.Close()
	dial := func() *client {
		ws, _, err := websocket.Dial(t.Context(), strings.Replace(srv.URL, "http", "ws", 1)+"/v1/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		ws.SetReadLimit(wire.MaxFrame)
		return newClient(t, wsClient{ws})
	}
	a, b := dial(), dial()
	r := a.room(2)
	a.openLive(r, 0, 1)
	b.openLive(r, 1, 1)
	big := strings.Repeat("x", wire.MaxPost)
	a.send(r, big)
	a.send(r, "small")
	for _, c := range []*client{a, b} {
		if e := c.entry(); string(e.Payload) != big {
			t.Errorf("got %d bytes", len(e.Payload))
		}
		if e := c.entry(); string(e.Payload) != "small" || e.Number != 3 {
			t.Errorf("got %+v", e)
		}
		c.ack(1, 3)
	}
}
