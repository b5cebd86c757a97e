package core

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/vault"
	"hearth/core/vault/vaulttest"
	"hearth/server"
	"hearth/wire"
)

func init() { stockOf = 4 } // most of a registration is making KeyPackages

const testServer = "http://home.example"

// world is one real server and its people, over connections in memory.
type world struct {
	t     testing.TB
	srv   *server.Server
	stop  context.CancelFunc
	ended chan error
	blobs *memoryBlobs
	// places is one file system for all.
	places memoryPlaces

	mu    sync.Mutex
	down  bool
	conns []wire.Conn
	// onFrame, if not nil, may change or drop what goes between a client and
	// the server.
	wrap   func(wire.Conn) wire.Conn
	sealed func(keyUse, []byte)
	// steady: random moments are none, so that a story goes the same way twice.
	steady bool
}

func newWorld(t testing.TB) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("HEARTH_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	srv, err := server.New(server.Config{Dir: t.TempDir(), Domain: "home.example", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &world{t: t, srv: srv, stop: stop, ended: make(chan error, 1), blobs: &memoryBlobs{m: map[wire.BlobID]memoryBlob{}}, places: memoryPlaces{}}
	go func() { w.ended <- srv.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-w.ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) dial(ctx context.Context, url string) (wire.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if url != testServer || w.down {
		return nil, errors.New("no route")
	}
	a, b := wire.Pipe()
	w.conns = append(w.conns, a)
	go w.srv.ServeConn(context.Background(), b)
	if w.wrap != nil {
		return w.wrap(a), nil
	}
	return a, nil
}

// cut ends all connections and lets none in until mend.
func (w *world) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *world) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

func shortly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Second)
}

// person is one home with its client running.
type home struct {
	t      testing.TB
	w      *world
	name   string
	disk   vault.Disk
	files  *vaulttest.Files
	key    vault.KeyFile
	c      *Client
	cancel context.CancelFunc
	ended  chan error
	events chan Event
	// wrap, if not nil, stands between this home and the server.
	wrap func(wire.Conn) wire.Conn
}

func (w *world) home(name string) *home {
	h := &home{t: w.t, w: w, name: name, disk: &vaulttest.Memory{}, files: &vaulttest.Files{}, key: &vaulttest.Key{}}
	return h
}

// person makes a home and registers it.
func (w *world) person(name string) *home {
	w.t.Helper()
	h := w.home(name)
	h.start()
	if _, err := h.c.Register(h.ctx(), RegisterOptions{Name: name, Server: testServer}); err != nil {
		w.t.Fatalf("register %s: %v", name, err)
	}
	return h
}

func (h *home) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	h.t.Cleanup(cancel)
	return ctx
}

func (h *home) open() (*Client, error) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("HEARTH_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("home", h.name)
	}
	return Open(context.Background(), Config{Disk: h.disk, Key: h.key, Dial: h.dial, Blobs: h.w.blobs, Files: h.files, Places: h.w.places, Log: log})
}

func (h *home) dial(ctx context.Context, url string) (wire.Conn, error) {
	c, err := h.w.dial(ctx, url)
	if err == nil && h.wrap != nil {
		c = h.wrap(c)
	}
	return c, err
}

// start opens the home and runs its client until the test ends or stop.
func (h *home) start() {
	h.t.Helper()
	c, err := h.open()
	if err != nil {
		h.t.Fatalf("open %s: %v", h.name, err)
	}
	h.run(c)
}

// run runs a client until the test ends, stop or kill.
func (h *home) run(c *Client) {
	h.c = c
	c.sealed = h.w.sealed
	if h.w.steady {
		c.jitter = func(d time.Duration) time.Duration { return d / 2 }
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.ended = cancel, make(chan error, 1)
	go func() { h.ended <- c.Run(ctx) }()
	h.t.Cleanup(h.stop)
}

func (h *home) stop() {
	if h.cancel == nil {
		return
	}
	h.cancel()
	<-h.ended
	h.c.Close()
	h.cancel = nil
}

// kill stops the client as a crash would: nothing is settled.
func (h *home) kill() {
	h.cancel()
	<-h.ended
	h.c.vault.Close()
	h.cancel = nil
}

// got returns all events that wait, after catching up.
func (h *home) got() []Event {
	h.t.Helper()
	synctest.Wait()
	if err := h.c.CatchUp(h.ctx()); err != nil {
		h.t.Fatalf("%s: catch up: %v", h.name, err)
	}
	var out []Event
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := h.c.Receive(ctx, func(e Event) error {
		out = append(out, e)
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		h.t.Fatalf("%s: receive: %v", h.name, err)
	}
	return out
}

func (h *home) send(to, text string) Sent {
	h.t.Helper()
	s, err := h.c.Send(h.ctx(), SendOptions{To: to, Text: text})
	if err != nil {
		h.t.Fatalf("%s: send: %v", h.name, err)
	}
	return s
}

// texts returns the texts of messages among events.
func texts(events []Event) []string {
	var out []string
	for _, e := range events {
		if e.Type == EventMessage {
			out = append(out, e.Text)
		}
	}
	return out
}

// request returns the one request that waits.
func (h *home) request() Request {
	h.t.Helper()
	synctest.Wait()
	rs, err := h.c.Requests(h.ctx())
	if err != nil || len(rs) != 1 {
		h.t.Fatalf("%s: requests: got %d, %v, want 1", h.name, len(rs), err)
	}
	return rs[0]
}

func (h *home) accept() string {
	h.t.Helper()
	q := h.request()
	a, err := h.c.Accept(h.ctx(), q.ID)
	if err != nil {
		h.t.Fatalf("%s: accept: %v", h.name, err)
	}
	return a.Room
}

// bubble runs a test in a bubble of fake time.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// full says that the long tests run whole, as make test and CI have them; go
// test alone takes slices of them.
func full() bool { return os.Getenv("CI") == "true" || os.Getenv("HEARTH_FULL") != "" }
