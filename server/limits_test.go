package server

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"hearth/wire"
)

// synctestWorld runs f with a server of a changed configuration in a bubble.
func synctestWorld(t *testing.T, change func(*Config), f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newWorld(t, change)) })
}

// raw serves one end of a pipe and returns the other.
func (w *world) raw() wire.Conn {
	a, b := wire.Pipe()
	go w.s.ServeConn(context.Background(), b)
	return a
}

func TestNoiseEndsAConnectionAndNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for name, frames := range map[string][][]byte{
			"noise before hello":  {[]byte("\xff\x00noise")},
			"a post before hello": {wire.NewFrame(wire.OpRoomPost, 1, wire.RoomPost{})},
			"another version":     {wire.NewFrame(wire.OpHello, 1, wire.Hello{Version: 99})},
			"noise after hello":   {wire.NewFrame(wire.OpHello, 1, wire.Hello{Version: wire.Version}), {0x83}},
			"id 0":                {wire.NewFrame(wire.OpHello, 1, wire.Hello{Version: wire.Version}), wire.NewFrame(wire.OpPing, 0, wire.Nothing{})},
		} {
			c := w.raw()
			for _, b := range frames {
				c.Write(t.Context(), b)
			}
			var last []byte
			for {
				b, err := c.Read(t.Context())
				if err != nil {
					break
				}
				last = b
			}
			var f wire.Frame
			if err := wire.Decode(last, &f); err != nil || f.Op != wire.OpError {
				t.Errorf("%s: the last frame was op %d, %v; want an error, then the end", name, f.Op, err)
			}
		}
		c := w.client()
		c.refused(wire.Unsupported, wire.Op(999), wire.Nothing{})
		c.refused(wire.BadInput, wire.OpRoomPost, wire.Nothing{})
		c.refused(wire.BadInput, wire.OpHello, wire.Hello{Version: wire.Version})
		c.must(wire.OpPing, wire.Nothing{}, nil)
	})
}

func TestSilentConnectionsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.raw()
		start := time.Now()
		c.Read(t.Context())
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("without a hello it lasted %v", d)
		}
		idle, reading := w.client(), w.client()
		r := reading.room(1)
		reading.openLive(r, 0, 1)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if err := idle.call(wire.OpPing, wire.Nothing{}, nil); err != errEnded {
			t.Errorf("idle: got %v", err)
		}
		reading.must(wire.OpPing, wire.Nothing{}, nil)
	})
}

func TestSlowReaderIsCutOffAndHoldsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(1)
		slow := w.raw() // says hello and opens its seat, then reads nothing
		slow.Write(t.Context(), wire.NewFrame(wire.OpHello, 1, wire.Hello{Version: wire.Version}))
		slow.Write(t.Context(), wire.NewFrame(wire.OpSeatOpen, 2, r.open(0, 1)))
		for i := range 100 {
			c.send(r, fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		n := 0
		for {
			if _, err := slow.Read(t.Context()); err != nil {
				break
			}
			n++
		}
		if n > 30 {
			t.Errorf("the server had %d frames under way", n)
		}
		c.openLiveAgain(r)
	})
}

func (c *client) openLiveAgain(r *testRoom) {
	c.t.Helper()
	c.must(wire.OpSeatOpen, r.open(0, 50), &wire.SeatOpened{})
	for range 100 {
		c.entry()
	}
	c.live()
}

func TestRequestsAreSlowedToTheirBudget(t *testing.T) {
	synctestWorld(t, func(c *Config) { c.Limits.Frames = 10 }, func(w *world) {
		c := w.client()
		start := time.Now()
		for range 150 {
			c.must(wire.OpPing, wire.Nothing{}, nil)
		}
		if d := time.Since(start); d < 4*time.Second || d > 6*time.Second {
			t.Errorf("150 frames at 10 a second with a burst of 100 took %v", d)
		}
	})
}

func TestConnectionsAndSeatsAreBounded(t *testing.T) {
	synctestWorld(t, func(c *Config) { c.Limits.Conns, c.Limits.SeatsPerConn = 2, 1 }, func(w *world) {
		c := w.client()
		r := c.room(2)
		c.openLive(r, 0, 1)
		c.refused(wire.Full, wire.OpSeatOpen, r.open(1, 2))
		w.client()
		third := w.raw()
		if _, err := third.Read(w.t.Context()); err == nil {
			t.Error("a connection too many was served")
		}
	})
}

func TestRoomBudget(t *testing.T) {
	synctestWorld(t, func(c *Config) { c.Store.RoomBytes = 10000 }, func(w *world) {
		c := w.client()
		r := c.room(1)
		var err error
		n := 0
		for ; err == nil && n < 20; n++ {
			err = c.call(wire.OpRoomPost, r.post(fmt.Sprint(n, strings.Repeat("x", 1000))), &wire.Appended{})
			time.Sleep(time.Second)
		}
		if n != 9 {
			t.Errorf("%d posts of 1,000 bytes before %v", n-1, err)
		}
		c.refused(wire.Full, wire.OpRoomPost, r.post(strings.Repeat("y", 1000)))
		c.must(wire.OpSeatOpen, r.open(0, 1), &wire.SeatOpened{})
		for range n - 1 {
			c.entry()
		}
		c.ack(1, wire.Number(n))
		time.Sleep(5 * time.Second)
		c.must(wire.OpRoomPost, r.post(strings.Repeat("y", 1000)), &wire.Appended{})
	})
}

func TestHTTPSurface(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.s.Handler())
	defer srv.Close()
	get := func(path string, header ...string) (int, string) {
		req, _ := http.NewRequest("GET", srv.URL+path, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var b bytes.Buffer
		b.ReadFrom(res.Body)
		return res.StatusCode, b.String()
	}
	if code, body := get("/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %q", code, body)
	}
	if code, body := get("/"); code != 200 || !strings.Contains(body, "no web app yet") {
		t.Errorf("/: %d %q", code, body)
	}
	if code, _ := get("/other"); code != 404 {
		t.Errorf("/other: %d", code)
	}
	if _, _, err := websocket.Dial(t.Context(), srv.URL+"/v1/stream", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://evil.example"}}}); err == nil {
		t.Error("a page of another origin opened a stream")
	}
	ws, res, err := websocket.Dial(t.Context(), srv.URL+"/v1/stream", &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if e := res.Header.Get("Sec-WebSocket-Extensions"); e != "" {
		t.Errorf("compression was agreed: %q", e)
	}
	if err := ws.Write(t.Context(), websocket.MessageBinary, make([]byte, wire.MaxFrame+1)); err == nil {
		if _, _, err = ws.Read(t.Context()); err == nil {
			t.Error("an oversized frame was taken")
		}
	}
}

func TestServeDrains(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.s.Serve(ctx, l) }()
	ws, _, err := websocket.Dial(ctx, "ws://"+l.Addr().String()+"/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, wsClient{ws})
	r := c.room(1)
	c.openLive(r, 0, 1)
	cancel()
	w.stop()
	if err := <-ended; err != nil {
		t.Errorf("serve: %v", err)
	}
	<-c.done
}

func TestOneSeatCannotHoldBackHalfOfARoomForLong(t *testing.T) {
	for _, commit := range []bool{false, true} {
		synctestWorld(t, func(c *Config) { c.Store.RoomBytes = 10000 }, func(w *world) {
			c := w.client()
			r := c.room(2)
			c.openLive(r, 0, 1)
			for i := range 6 {
				p := r.post(fmt.Sprint(i, strings.Repeat("x", 1000)))
				p.TTL = 30 * 86400
				c.must(wire.OpRoomPost, p, &wire.Appended{})
				c.entry()
			}
			head := wire.Number(7)
			if commit {
				q, moved := r.commit(0, "commit")
				c.must(wire.OpRoomCommit, q, &wire.Appended{})
				moved()
				c.entry()
				head++
			}
			c.ack(1, head)
			time.Sleep(6 * day)
			synctest.Wait()
			if len(w.contains("xxxx")) == 0 {
				w.t.Fatal("the entries went too early")
			}
			time.Sleep(3 * day)
			synctest.Wait()
			w.mustNotContain("xxxx")
			var o wire.SeatOpened
			d := w.client()
			d.must(wire.OpSeatOpen, r.open(1, 1), &o)
			if o.Lapsed != commit || o.Cursor != 1 {
				w.t.Errorf("got %+v", o)
			}
			if commit {
				if x := d.closed(); x.Code != wire.Lapsed {
					w.t.Errorf("got %+v", x)
				}
			} else {
				var h wire.Hole
				d.event(wire.OpHole, &h)
				if h.From != 2 || h.To != head || !h.Early {
					w.t.Errorf("got %+v", h)
				}
			}
			c.must(wire.OpRoomPost, r.post(strings.Repeat("y", 5000)), &wire.Appended{})
		})
	}
}

func TestClosingRoomTakesNoPostsAndIsStillRead(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(2)
		if err := w.s.CloseRoom(t.Context(), r.id, 7*day); err != nil {
			t.Fatal(err)
		}
		c.send(r, "one")
		var o wire.SeatOpened
		c.must(wire.OpSeatOpen, r.open(0, 1), &o)
		if !o.Closing {
			t.Error("the seat is not told")
		}
		c.entry()
		c.live()
		time.Sleep(8 * day)
		synctest.Wait()
		c.refused(wire.Closing, wire.OpRoomPost, r.post("late"))
		q, _ := r.commit(0, "late")
		c.refused(wire.Closing, wire.OpRoomCommit, q)
		c.must(wire.OpRoomNotice, wire.RoomNotice{Room: r.id, Seat: r.seats[0].id, SeatSecret: r.seats[0].secret, Payload: []byte("founding")}, &wire.Appended{})
		if e := c.entry(); e.Kind != wire.KindNotice {
			t.Errorf("got %+v", e)
		}
		if err := w.s.CloseRoom(t.Context(), r.id, day); err == nil {
			t.Error("a room was closed at less than seven days' notice")
		}
	})
}

func TestLookupsAndRoomsHaveHourlyBudgets(t *testing.T) {
	synctestWorld(t, func(c *Config) { c.Limits.Lookups, c.Limits.Rooms = 3, 2 }, func(w *world) {
		c := w.client()
		for range 3 {
			c.refused(wire.NotFound, wire.OpAccountGet, wire.AccountGet{Name: "nobody"})
		}
		c.refused(wire.Full, wire.OpAccountGet, wire.AccountGet{Name: "nobody"})
		c.room(1)
		c.room(1)
		k := newKey()
		req := wire.RoomCreate{Room: wire.NewRoomID(1), TokenHash: k.secret.Hash(), Payload: []byte("p"), Seats: []wire.NewSeat{k.seat()}}
		c.refused(wire.Full, wire.OpRoomCreate, req)
		time.Sleep(61 * time.Minute)
		c = w.client()
		c.must(wire.OpRoomCreate, req, &wire.Appended{})
		c.refused(wire.NotFound, wire.OpAccountGet, wire.AccountGet{Name: "nobody"})
	})
}
