package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"hearth/server"
	"hearth/wire"
)

// raw serves one TCP connection after another with f.
func raw(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); f(conn) }()
		}
	}()
	return "http://" + l.Addr().String()
}

func site(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

func TestDialingWhatIsNoHearth(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	shop := site(t, func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	for name, c := range map[string]struct {
		server string
		code   wire.Code
	}{
		"nobody listens":     {"http://" + gone.Addr().String(), wire.Unreachable},
		"no such name":       {"http://nobody.invalid", wire.Unreachable},
		"another web site":   {shop, wire.WrongServer},
		"a page for all":     {site(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "welcome") }), wire.WrongServer},
		"sent elsewhere":     {site(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, shop, http.StatusFound) }), wire.WrongServer},
		"no TLS":             {strings.Replace(shop, "http:", "https:", 1), wire.WrongServer},
		"another protocol":   {raw(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n") }), wire.WrongServer},
		"hangs up":           {raw(t, func(net.Conn) {}), wire.Unreachable},
		"busy":               {site(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusServiceUnavailable) }), wire.Unreachable},
		"no scheme":          {"localhost:8420", wire.BadInput},
		"another scheme":     {"ftp://localhost", wire.BadInput},
		"a path":             {"http://localhost/hearth", wire.BadInput},
		"a query":            {"http://localhost?x=1", wire.BadInput},
		"a name in front":    {"http://bob@localhost", wire.BadInput},
		"nothing":            {"", wire.BadInput},
		"control characters": {"http://local\x00host", wire.BadInput},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dial(t.Context(), c.server)
			if !isCode(err, c.code) {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			e := asError(err)
			if e.Next == "" {
				t.Error("no next step")
			}
			if host := strings.TrimPrefix(c.server, "http://"); host != "" && strings.Contains(e.Message, host) {
				t.Errorf("the message holds the address: %q", e.Message)
			}
		})
	}
}

// house runs a real server until the test ends.
func house(t *testing.T) string {
	t.Helper()
	s, err := server.New(server.Config{Dir: t.TempDir(), Domain: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	web := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		web.Close()
	})
	return web.URL
}

func TestFramesReachAHouse(t *testing.T) {
	conn, err := dial(t.Context(), house(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Write(t.Context(), wire.NewFrame(wire.OpHello, 1, wire.Hello{Version: wire.Version})); err != nil {
		t.Fatal(err)
	}
	b, err := conn.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var f wire.Frame
	var w wire.Welcome
	if err := errors.Join(wire.Decode(b, &f), wire.Decode(f.Body, &w)); err != nil || w.Domain != "test" {
		t.Errorf("welcome %+v, %v", w, err)
	}
}

func TestABlobThatIsNotThere(t *testing.T) {
	at := house(t)
	if _, err := blobs.Get(t.Context(), at, wire.BlobIDOf(1, []byte("x"))); !errors.Is(err, wire.ErrDenied) {
		t.Errorf("get: %v, want denied", err)
	}
	if _, err := blobs.Put(t.Context(), at, wire.NewRoomID(1), wire.NewSecret(), wire.MaxTTL, []byte("x")); err == nil {
		t.Error("put without a room was taken")
	}
}

func TestABlobWithOtherBytesIsRefused(t *testing.T) {
	at := site(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "other") })
	if _, err := blobs.Get(t.Context(), at, wire.BlobIDOf(1, []byte("mine"))); !isCode(err, wire.WrongServer) {
		t.Errorf("got %v, want wrong_server", err)
	}
	if b, err := blobs.Get(t.Context(), at, wire.BlobIDOf(1, []byte("other"))); err != nil || string(b) != "other" {
		t.Errorf("the right bytes: %q, %v", b, err)
	}
}

func TestAFrameThatIsTooLargeEndsTheConnection(t *testing.T) {
	at := site(t, func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		ws.Write(r.Context(), websocket.MessageBinary, bytes.Repeat([]byte("x"), wire.MaxFrame))
		ws.Write(r.Context(), websocket.MessageBinary, bytes.Repeat([]byte("x"), wire.MaxFrame+1))
		ws.Read(r.Context())
	})
	conn, err := dial(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if b, err := conn.Read(t.Context()); err != nil || len(b) != wire.MaxFrame {
		t.Errorf("the largest frame: %d bytes, %v", len(b), err)
	}
	if b, err := conn.Read(t.Context()); err == nil {
		t.Errorf("a larger one was read: %d bytes", len(b))
	}
}
