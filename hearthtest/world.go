// Package hearthtest is a whole world in one process: servers with real SQLite
// files, people with real clients, and the network between them, in a
// testing/synctest bubble where a month passes in milliseconds.
//
// Start with Run and World; net.go is where an evil server or network lives,
// deviation.go plays attacks; the evil member is in the tests of package core,
// which know what a client holds.
package hearthtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/httpblobs"
	"hearth/server"
	"hearth/wire"
)

const day = 24 * time.Hour

// World holds servers and people. Its methods are for the test's goroutine.
type World struct {
	T   *testing.T
	Net *Net

	ctx     context.Context
	dir     string
	servers map[string]*Server // by URL
	people  map[string]*Person
	tasks   sync.WaitGroup
}

// Run runs a story in a bubble of its own, with one server, "home".
func Run(t *testing.T, story func(w *World)) {
	t.Helper()
	dir := t.TempDir() // outside of the bubble: its removal must come last
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		w := &World{T: t, Net: &Net{}, ctx: ctx, dir: dir, servers: map[string]*Server{}, people: map[string]*Person{}}
		defer func() {
			for _, p := range w.people {
				p.Stop()
			}
			for _, s := range w.servers {
				s.Stop()
			}
			cancel()
			w.tasks.Wait()
		}()
		w.Server("home")
		story(w)
	})
}

// Sleep lets time pass for everybody.
func (w *World) Sleep(d time.Duration) { time.Sleep(d) }

// Server is one server of the world and its folder.
type Server struct {
	URL string
	Dir string

	w    *World
	cfg  server.Config
	srv  *server.Server
	stop context.CancelFunc
	done chan struct{}
}

// Server returns the server of that name, started if it is new. Its domain is
// NAME.example.
func (w *World) Server(name string) *Server {
	url := "https://" + name + ".example"
	if s := w.servers[url]; s != nil {
		return s
	}
	dir := filepath.Join(w.dir, "server-"+name)
	s := &Server{URL: url, Dir: dir, w: w, cfg: server.Config{
		Dir: dir, Domain: name + ".example", Log: slog.New(slog.NewTextHandler(testWriter{w.T}, nil)),
	}}
	w.servers[url] = s
	s.Start()
	return s
}

// testWriter sends what a server or a client logs to the test's log.
type testWriter struct{ t *testing.T }

func (l testWriter) Write(b []byte) (int, error) {
	l.t.Logf("log: %s", bytes.TrimSpace(b))
	return len(b), nil
}

// Start starts a server that is stopped, on the folder it has.
func (s *Server) Start() {
	s.w.T.Helper()
	srv, err := server.New(s.cfg)
	if err != nil {
		s.w.T.Fatalf("start the server: %v", err)
	}
	ctx, cancel := context.WithCancel(s.w.ctx)
	s.srv, s.stop, s.done = srv, cancel, make(chan struct{})
	go func() {
		defer close(s.done)
		if err := srv.Run(ctx); err != nil {
			s.w.T.Errorf("the server stopped: %v", err)
		}
	}()
}

// Stop drains the server, as SIGTERM does.
func (s *Server) Stop() {
	if s.srv == nil {
		return
	}
	s.stop()
	<-s.done
	s.srv = nil
}

// Config changes how the server runs from its next Start on.
func (s *Server) Config(change func(*server.Config)) { change(&s.cfg) }

// MustNotContain fails the test if the folder holds these bytes anywhere, as
// they are or as hex or base64.
func (s *Server) MustNotContain(what string, values ...[]byte) {
	s.w.T.Helper()
	if file, ok := s.Finds(values...); ok {
		s.w.T.Errorf("%s: found in the server's %s", what, file)
	}
}

// Finds looks for any of these bytes in the folder and names the first file that
// holds some.
func (s *Server) Finds(values ...[]byte) (file string, found bool) {
	s.w.T.Helper()
	err := filepath.WalkDir(s.Dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || found {
			return err
		}
		b, err := os.ReadFile(p)
		if errors.Is(err, os.ErrNotExist) {
			return nil // a journal that was just removed
		}
		if err != nil {
			return err
		}
		for _, v := range values {
			if len(v) > 0 && holds(b, v) {
				file, found = filepath.Base(p), true
			}
		}
		return nil
	})
	if err != nil {
		s.w.T.Fatal(err)
	}
	return file, found
}

// holds looks for v in its usual spellings.
func holds(b, v []byte) bool {
	if bytes.Contains(b, v) {
		return true
	}
	const hexDigits = "0123456789abcdef"
	var hexed []byte
	for _, c := range v {
		hexed = append(hexed, hexDigits[c>>4], hexDigits[c&15])
	}
	return bytes.Contains(bytes.ToLower(b), hexed) ||
		len(v) >= 12 && bytes.Contains(b, []byte(base64.RawURLEncoding.EncodeToString(v)))
}

// dial gives a person a connection to a server, through the net.
func (w *World) dial(person string) func(ctx context.Context, url string) (wire.Conn, error) {
	return func(ctx context.Context, url string) (wire.Conn, error) {
		s := w.servers[strings.TrimSuffix(url, "/")]
		if s == nil || s.srv == nil || w.Net.isOffline(person) {
			return nil, wire.Errorf(wire.Unreachable, "the server does not answer")
		}
		srv := s.srv
		mine, clientEnd := wire.Pipe()
		serverEnd, theirs := wire.Pipe()
		if err := w.Net.connect(w.ctx, person, url, clientEnd, serverEnd); err != nil {
			return nil, wire.Errorf(wire.Unreachable, "the server does not answer")
		}
		go srv.ServeConn(w.ctx, theirs)
		return mine, nil
	}
}

// blobs moves blobs for a person by calling the server's handler, through
// tampering if set.
func (w *World) blobs(person string) *httpblobs.Client {
	return &httpblobs.Client{Do: func(url string, r *http.Request) (*http.Response, error) {
		s := w.servers[strings.TrimSuffix(url, "/")]
		if s == nil || s.srv == nil || w.Net.isOffline(person) {
			return nil, wire.Errorf(wire.Unreachable, "the server does not answer")
		}
		if r.Body == nil {
			r.Body = http.NoBody
		}
		r.RemoteAddr = "127.0.0.1:1"
		rec := httptest.NewRecorder()
		s.srv.Handler().ServeHTTP(rec, r)
		answer := rec.Result()
		if rec.Code == http.StatusOK {
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				return nil, err
			}
			answer.Body = io.NopCloser(bytes.NewReader(w.Net.blob(r.Method, body)))
		}
		return answer, nil
	}}
}

// CloseRoom has the operator close a room at so many days' notice.
func (s *Server) CloseRoom(room wire.RoomID, notice time.Duration) {
	s.w.T.Helper()
	if err := s.srv.CloseRoom(s.w.ctx, room, notice); err != nil {
		s.w.T.Fatalf("close a room: %v", err)
	}
}
