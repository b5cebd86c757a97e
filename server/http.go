package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/coder/websocket"

	"hearth/wire"
)

// Handler serves /v1/stream (WebSocket, one frame a message), /v1/blob,
// /healthz, and a plain page at /. It writes no access log.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/stream", s.stream)
	mux.HandleFunc("PUT /v1/blob", s.putBlob)
	mux.HandleFunc("GET /v1/blob", s.getBlob)
	mux.HandleFunc("POST /v1/blob", s.keepBlob)
	mux.HandleFunc("DELETE /v1/blob", s.endBlob)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if s.isDraining() || s.rooms.Load().Err() != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'")
		io.WriteString(w, "<!doctype html>\n<title>Hearth</title>\n<p>This is a Hearth server. It has no web app yet: use the command line, <code>hearth register</code>.</p>\n")
	})
	return mux
}

func (s *Server) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Serve serves HTTP on l until ctx ends, and closes it. Run must run beside it
// with the same context, and ends the streams.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: s.cfg.Limits.HelloWithin,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          nil,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	srv.ErrorLog = quietLog // its lines name addresses
	stop := context.AfterFunc(ctx, func() {
		shut, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if srv.Shutdown(shut) != nil {
			srv.Close()
		}
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// stream takes a WebSocket over. The stream is served by a goroutine of its own,
// so that what HTTP holds for a connection is given back.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	addr, ok := s.addrs.enter(r.RemoteAddr, s.cfg.Limits.ConnsPerAddr)
	if !ok || s.isDraining() {
		http.Error(w, "too many connections", http.StatusServiceUnavailable)
		return
	}
	hw := &hijackWriter{ResponseWriter: w, within: s.cfg.Limits.WriteWithin}
	// Capabilities travel in frames and there are no cookies, so another
	// origin could do nothing; it is refused all the same (attacks A65).
	// Compression is off: it would expand without bound (A67) and tell lengths.
	ws, err := websocket.Accept(hw, r, &websocket.AcceptOptions{OriginPatterns: s.cfg.Origins, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		s.addrs.leave(addr)
		return // Accept has answered
	}
	ws.SetReadLimit(wire.MaxFrame)
	wc := &wsConn{ws: ws, gather: hw.conn, s: s}
	go func() {
		defer s.addrs.leave(addr)
		s.ServeConn(context.Background(), wc)
	}()
}

// hijackWriter hands the WebSocket a connection with small buffers that gathers
// writes.
type hijackWriter struct {
	http.ResponseWriter
	within time.Duration
	conn   *gatherConn
}

// Hijack takes the connection over.
func (h *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hj, ok := h.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("this HTTP connection cannot be taken over")
	}
	conn, brw, err := hj.Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = &gatherConn{Conn: conn, within: h.within}
	// What the client sent early must stand in the new reader's buffer, where
	// the WebSocket looks for it.
	early, _ := brw.Reader.Peek(brw.Reader.Buffered())
	r := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn), max(512, len(early)))
	if _, err := r.Peek(len(early)); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return h.conn, bufio.NewReadWriter(r, bufio.NewWriterSize(h.conn, 512)), nil
}

// Unwrap lets http.ResponseController through.
func (h *hijackWriter) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// gatherConn gathers small writes into one system call while it is corked.
type gatherConn struct {
	net.Conn
	within time.Duration

	mu     sync.Mutex
	corked bool
	buf    *[]byte // from gatherPool, while it holds something
}

const gatherSize = 32 << 10

var gatherPool = sync.Pool{New: func() any { b := make([]byte, 0, gatherSize); return &b }}

func (g *gatherConn) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.corked {
		return g.out(p)
	}
	if g.buf == nil {
		g.buf = gatherPool.Get().(*[]byte)
	}
	if len(*g.buf)+len(p) > gatherSize {
		if err := g.flush(); err != nil {
			return 0, err
		}
		if len(p) >= gatherSize {
			return g.out(p)
		}
		g.buf = gatherPool.Get().(*[]byte)
	}
	*g.buf = append(*g.buf, p...)
	return len(p), nil
}

// out writes to the socket, within a deadline: a slow reader is cut off.
func (g *gatherConn) out(p []byte) (int, error) {
	g.Conn.SetWriteDeadline(time.Now().Add(g.within))
	return g.Conn.Write(p)
}

func (g *gatherConn) flush() error {
	if g.buf == nil {
		return nil
	}
	_, err := g.out(*g.buf)
	*g.buf = (*g.buf)[:0]
	gatherPool.Put(g.buf)
	g.buf = nil
	return err
}

func (g *gatherConn) cork() {
	g.mu.Lock()
	g.corked = true
	g.mu.Unlock()
}

func (g *gatherConn) uncork() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.corked = false
	return g.flush()
}

// wsConn is a wire.Conn over a WebSocket.
type wsConn struct {
	ws     *websocket.Conn
	gather *gatherConn
	s      *Server
	buf    *[]byte // the frame last read, until the next Read
	held   int64   // of Server.memory, for buf
}

const smallFrame = 4 << 10

var framePool = sync.Pool{New: func() any { b := make([]byte, 0, smallFrame); return &b }}

// Read returns the next frame; it is valid until the next Read. Nothing is held
// while it waits, and what a frame takes beyond 4 KiB is taken from the server's
// memory for frames before it is allocated.
func (c *wsConn) Read(ctx context.Context) ([]byte, error) {
	c.release()
	kind, r, err := c.ws.Reader(ctx)
	if err != nil {
		return nil, err
	}
	if kind != websocket.MessageBinary {
		c.ws.Close(websocket.StatusUnsupportedData, "frames are binary")
		return nil, errInput("a text message on a stream")
	}
	late := time.AfterFunc(c.s.cfg.Limits.FrameWithin, func() { c.ws.CloseNow() })
	defer late.Stop()
	c.buf = framePool.Get().(*[]byte)
	b := (*c.buf)[:0]
	for {
		if len(b) == cap(b) {
			if b, err = c.grow(ctx, b); err != nil {
				return nil, err
			}
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		*c.buf = b
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (c *wsConn) grow(ctx context.Context, b []byte) ([]byte, error) {
	n := min(4*cap(b), wire.MaxFrame+1)
	if err := c.s.memory.Acquire(ctx, int64(n-cap(b))); err != nil {
		return nil, err
	}
	c.held += int64(n - cap(b))
	return append(make([]byte, 0, n), b...), nil
}

func (c *wsConn) release() {
	if c.buf == nil {
		return
	}
	if c.held > 0 {
		c.s.memory.Release(c.held)
		c.held = 0
	} else {
		*c.buf = (*c.buf)[:0]
		framePool.Put(c.buf)
	}
	c.buf = nil
}

// Write gathers a frame; Flush sends it.
func (c *wsConn) Write(ctx context.Context, frame []byte) error {
	c.gather.cork()
	return c.ws.Write(ctx, websocket.MessageBinary, frame)
}

// Flush sends what was gathered.
func (c *wsConn) Flush() error { return c.gather.uncork() }

// Close ends the connection at once.
func (c *wsConn) Close() error {
	c.release()
	return c.ws.CloseNow()
}

// addrCount counts the connections of each address, in memory only.
type addrCount struct {
	mu sync.Mutex
	n  map[netip.Addr]int
}

// enter counts a connection in, or reports false when its address has too many.
// Loopback is not counted: it is a proxy, an onion service, or a test.
func (a *addrCount) enter(remote string, limit int) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil || ap.Addr().Unmap().IsLoopback() {
		return netip.Addr{}, true
	}
	addr := ap.Addr().Unmap()
	if addr.Is6() { // a subscriber has a whole /64
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			addr = p.Addr()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n[addr] >= limit {
		return netip.Addr{}, false
	}
	if a.n == nil {
		a.n = map[netip.Addr]int{}
	}
	a.n[addr]++
	return addr, true
}

func (a *addrCount) leave(addr netip.Addr) {
	if !addr.IsValid() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n[addr]--; a.n[addr] <= 0 {
		delete(a.n, addr)
	}
}
