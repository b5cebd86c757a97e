package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core"
	"hearth/wire"
)

// talk gives a Server these lines as its whole input and returns its answers
// by id.
func talk(t *testing.T, c Core, lines ...string) map[string]map[string]any {
	t.Helper()
	rw := &both{in: strings.NewReader(strings.Join(lines, "\n"))}
	if err := NewServer(c).Serve(t.Context(), rw); err != nil {
		t.Fatalf("Serve: %v", err)
	}
	answers := map[string]map[string]any{}
	for line := range strings.Lines(rw.out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("answer %q is not one line of JSON: %v", line, err)
		}
		if m["jsonrpc"] != "2.0" {
			t.Errorf("answer %q lacks jsonrpc 2.0", line)
		}
		id, _ := json.Marshal(m["id"])
		answers[string(id)] = m
	}
	return answers
}

type both struct {
	in  *strings.Reader
	out bytes.Buffer
}

func (b *both) Read(p []byte) (int, error)  { return b.in.Read(p) }
func (b *both) Write(p []byte) (int, error) { return b.out.Write(p) }

func TestRequestsAreAnsweredByTheirID(t *testing.T) {
	got := talk(t, &fake{},
		`{"jsonrpc":"2.0","id":1,"method":"whoami"}`,
		``,
		`{"jsonrpc":"2.0","id":"two","method":"send","params":{"to":"bob","text":"hi"}}`)
	if r := got["1"]["result"].(map[string]any); r["account"] != "acc" || r["locked"] != false {
		t.Errorf("whoami answered %v", r)
	}
	if r := got[`"two"`]["result"].(map[string]any); r["id"] != "id-hi" || r["state"] != "sent" {
		t.Errorf("send answered %v", r)
	}
}

func TestWrongMessagesAreToldWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, line string
		code       float64
		says       string
	}{
		{"not JSON", `hello`, codeParse, "not JSON"},
		{"cut off", `{"jsonrpc":"2.0","id":1`, codeParse, "not JSON"},
		{"a batch", `[{"jsonrpc":"2.0","id":1,"method":"whoami"}]`, codeParse, "one JSON object"},
		{"two on a line", `{"jsonrpc":"2.0","id":1,"method":"whoami"} {}`, codeParse, "after the message"},
		{"a name twice", `{"jsonrpc":"2.0","id":1,"method":"whoami","method":"rooms"}`, codeParse, "twice"},
		{"not UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", codeParse, "UTF-8"},
		{"another version", `{"jsonrpc":"1.0","id":1,"method":"whoami"}`, codeInvalidRequest, "2.0"},
		{"an unknown member", `{"jsonrpc":"2.0","id":1,"method":"whoami","meta":1}`, codeInvalidRequest, "meta"},
		{"a capital letter", `{"jsonrpc":"2.0","id":1,"Method":"whoami"}`, codeInvalidRequest, "Method"},
		{"an id that is an object", `{"jsonrpc":"2.0","id":{},"method":"whoami"}`, codeInvalidRequest, "id"},
		{"an id that is null", `{"jsonrpc":"2.0","id":null,"method":"whoami"}`, codeInvalidRequest, "id"},
		{"nothing asked", `{"jsonrpc":"2.0","id":1}`, codeInvalidRequest, "method"},
		{"parameters by position", `{"jsonrpc":"2.0","id":1,"method":"accept","params":["x"]}`, codeInvalidParams, "object"},
		{"an unknown method", `{"jsonrpc":"2.0","id":1,"method":"sned"}`, codeMethodNotFound, "sned"},
		{"an unknown parameter", `{"jsonrpc":"2.0","id":1,"method":"send","params":{"to":"bob","txt":"hi"}}`, codeInvalidParams, "txt"},
		{"a parameter of another kind", `{"jsonrpc":"2.0","id":1,"method":"history","params":{"room":"r","limit":"2"}}`, codeInvalidParams, "limit must be a number"},
		{"a parameter with a capital", `{"jsonrpc":"2.0","id":1,"method":"send","params":{"To":"bob","text":"hi"}}`, codeInvalidParams, "To"},
		{"a parameter missing", `{"jsonrpc":"2.0","id":1,"method":"send","params":{"to":"bob"}}`, codeInvalidParams, "text is missing"},
		{"no such time span", `{"jsonrpc":"2.0","id":1,"method":"send","params":{"to":"bob","text":"x","expire":"soon"}}`, codeInvalidParams, "soon"},
		{"nothing to set", `{"jsonrpc":"2.0","id":1,"method":"group.set","params":{"room":"r"}}`, codeInvalidParams, "nothing to change"},
		{"an error without a code", `{"jsonrpc":"2.0","id":1,"method":"send","params":{"to":"bob","text":"boom"}}`, codeFailed, "something odd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, m := range talk(t, &fake{}, c.line) {
				e, ok := m["error"].(map[string]any)
				if !ok {
					t.Fatalf("answered %v, want an error", m)
				}
				if e["code"] != c.code || !strings.Contains(e["message"].(string), c.says) {
					t.Errorf("error %v, want code %v and a message with %q", e, c.code, c.says)
				}
				data := e["data"].(map[string]any)
				if data["code"] == "" || data["next"] == "" || data["message"] != e["message"] {
					t.Errorf("data %v lacks the contract's code, message or next step", data)
				}
				return
			}
			t.Error("no answer")
		})
	}
}

func TestAnErrorOfTheContractComesWhole(t *testing.T) {
	c := dial(t, NewServer(&fake{}))
	err := c.Call(t.Context(), "send", SendParams{To: "nobody", Text: "hi"}, nil)
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != wire.NotFound || e.Message != "nobody is called that" || e.Next != "check the name" {
		t.Errorf("got %#v", err)
	}
}

func TestALineThatIsTooLongIsReadPast(t *testing.T) {
	got := talk(t, &fake{},
		`{"jsonrpc":"2.0","id":1,"method":"send","params":{"to":"bob","text":"`+strings.Repeat("x", MaxLine)+`"}}`,
		`{"jsonrpc":"2.0","id":2,"method":"whoami"}`)
	if got["null"]["error"] == nil || got["2"]["result"] == nil || got["1"] != nil {
		t.Errorf("answers %v, want an error for nobody and a result for 2", got)
	}
}

func TestANotificationHasNoAnswer(t *testing.T) {
	got := talk(t, &fake{},
		`{"jsonrpc":"2.0","method":"whoami"}`,
		`{"jsonrpc":"2.0","method":"ack","params":{"subscription":1,"number":1}}`,
		`{"jsonrpc":"2.0","method":"cancel","params":{"id":7}}`)
	if len(got) != 0 {
		t.Errorf("answers %v, want none", got)
	}
}

// dial returns a client of s over a pipe.
func dial(t *testing.T, s *Server) *Client {
	t.Helper()
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	c := NewClient(near)
	done := make(chan struct{}, 2)
	go func() { s.Serve(ctx, far); done <- struct{}{} }()
	go func() { c.Run(ctx); done <- struct{}{} }()
	t.Cleanup(func() { cancel(); <-done; <-done })
	return c
}

func TestRequestsRunSideBySide(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	c := dial(t, NewServer(f))
	slow := make(chan error, 1)
	var sent core.Sent
	go func() { slow <- c.Call(t.Context(), "send", SendParams{To: "bob", Text: "hi"}, &sent) }()
	var me core.Identity
	if err := c.Call(t.Context(), "whoami", None{}, &me); err != nil || me.Account != "acc" {
		t.Fatalf("whoami beside a slow send: %v, %v", me, err)
	}
	close(f.hold)
	if err := <-slow; err != nil || sent.State != core.StateSent {
		t.Errorf("send: %v, %v", sent, err)
	}
}

func TestTooManyRequestsAtOnceAreRefused(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	c := dial(t, NewServer(f))
	failed := make(chan error, MaxRequests+1)
	for range MaxRequests + 1 {
		go func() { failed <- c.Call(t.Context(), "send", SendParams{To: "bob", Text: "hi"}, nil) }()
	}
	if err := <-failed; !errors.Is(err, wire.ErrFull) {
		t.Errorf("the first to be answered got %v, want full", err)
	}
	close(f.hold)
	for range MaxRequests {
		if err := <-failed; err != nil {
			t.Errorf("one that was under way got %v", err)
		}
	}
}

func TestSendWaitsTenSecondsThenSaysQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, NewServer(&fake{hold: make(chan struct{})}))
		start := time.Now()
		var sent core.Sent
		if err := c.Call(t.Context(), "send", SendParams{To: "bob", Text: "hi"}, &sent); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); sent.State != core.StateQueued || waited != SendWait {
			t.Errorf("state %q after %v, want queued after %v", sent.State, waited, SendWait)
		}
	})
}

func TestAMethodEndsWhenWhatItDidIsSent(t *testing.T) {
	for settling, want := range map[time.Duration]time.Duration{3 * time.Second: 3 * time.Second, time.Hour: SendWait} {
		synctest.Test(t, func(t *testing.T) {
			c := dial(t, NewServer(&fake{settling: settling}))
			start := time.Now()
			if err := c.Call(t.Context(), "invite", InviteParams{}, nil); err != nil || time.Since(start) != want {
				t.Errorf("%v after %v, want nil after %v", err, time.Since(start), want)
			}
		})
	}
}

func TestCancelEndsARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{hold: make(chan struct{})}
		s := NewServer(f)
		c := dial(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Call(ctx, "send", SendParams{To: "bob", Text: "hi"}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		start := time.Now()
		if err := s.Leave(t.Context()); err != nil { // waits for what is under way
			t.Fatal(err)
		}
		if left := time.Since(start); left != 0 {
			t.Errorf("the request went on for %v after it was cancelled", left)
		}
	})
}

func TestLeavingFinishesWhatIsUnderWayAndBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{hold: make(chan struct{})}
		s := NewServer(f)
		c := dial(t, s)
		under := make(chan error, 1)
		go func() { under <- c.Call(t.Context(), "send", SendParams{To: "bob", Text: "first"}, nil) }()
		synctest.Wait()
		left := make(chan error, 1)
		go func() { left <- s.Leave(t.Context()) }()
		synctest.Wait()
		if err := c.Call(t.Context(), "send", SendParams{To: "bob", Text: "second"}, nil); !errors.Is(err, ErrLeaving) {
			t.Errorf("a request while leaving got %v, want ErrLeaving", err)
		}
		if _, err := c.Receive(t.Context(), ReceiveParams{Follow: true}, nil); !errors.Is(err, ErrLeaving) {
			t.Errorf("a subscription while leaving got %v, want ErrLeaving", err)
		}
		select {
		case err := <-left:
			t.Fatalf("left with a request under way: %v", err)
		default:
		}
		close(f.hold)
		if err := <-under; err != nil {
			t.Errorf("the request under way got %v", err)
		}
		if err := <-left; err != nil {
			t.Errorf("Leave: %v", err)
		}
		if len(f.sent) != 1 {
			t.Errorf("%d sends reached the client, want 1", len(f.sent))
		}
	})
}

func TestAskingAServerThatHasLeftIsSafeToRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := NewServer(f)
		c := dial(t, s)
		synctest.Wait()
		if err := s.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 { // on its way out, and gone
			if err := c.Call(t.Context(), "send", SendParams{To: "bob", Text: "hi"}, nil); !errors.Is(err, ErrLeaving) {
				t.Errorf("got %v, want ErrLeaving", err)
			}
			synctest.Wait()
		}
		if len(f.sent) != 0 {
			t.Error("it was begun all the same")
		}
	})
}

func TestAnOwnerThatDiesIsNotSafeToRepeat(t *testing.T) {
	near, far := net.Pipe()
	c := NewClient(near)
	go c.Run(t.Context())
	go func() {
		newLines(far, MaxLine).next()
		far.Close()
	}()
	err := c.Call(t.Context(), "send", SendParams{To: "bob", Text: "hi"}, nil)
	var e *wire.Error
	if errors.Is(err, ErrLeaving) || !errors.As(err, &e) || e.Next == "" {
		t.Errorf("got %v, want an error that says to look first", err)
	}
}

func TestAListSaysWhetherItIsFresh(t *testing.T) {
	for _, offline := range []bool{false, true} {
		c := dial(t, NewServer(&fake{offline: offline}))
		var l List[core.Request]
		if err := c.Call(t.Context(), "requests", None{}, &l); err != nil {
			t.Fatal(err)
		}
		if l.Fresh == offline || l.Items == nil {
			t.Errorf("offline %v: got %+v, want an empty list that says so", offline, l)
		}
	}
}

func TestParametersReachTheClient(t *testing.T) {
	f := &fake{}
	limit := 12
	c := dial(t, NewServer(f))
	calls := []struct {
		method string
		params any
	}{
		{"send", SendParams{To: "bob", Text: "hi", Expire: "2w", Reply: "r"}},
		{"send", SendParams{To: "bob", File: "/f", Wait: "1m"}},
		{"save", SaveParams{Room: "r", ID: "m", Folder: "/d"}},
		{"invite", InviteParams{Uses: 3, Expire: "7d"}},
		{"group.set", GroupSetParams{Room: "r", Limit: &limit}},
		{"backup.verify", BackupReadParams{From: "f", Words: "w", Older: true}},
		{"backup.restore", BackupReadParams{From: "f", Words: "w", Recovery: "r", RevokeOthers: true}},
	}
	for _, k := range calls {
		if err := c.Call(t.Context(), k.method, k.params, nil); err != nil {
			t.Fatal(k.method, err)
		}
	}
	want := core.SendOptions{To: "bob", Text: "hi", Expire: 14 * 24 * time.Hour, Reply: "r"}
	file := core.SendOptions{To: "bob", File: "/f", Wait: time.Minute}
	if !slices.Equal(f.sent, []core.SendOptions{want, file}) {
		t.Errorf("send got %+v, want %+v", f.sent, want)
	}
	if want := (core.SaveOptions{Room: "r", ID: "m", Folder: "/d"}); f.saveAs != want {
		t.Errorf("save got %+v, want %+v", f.saveAs, want)
	}
	if !slices.Equal(f.invites, []time.Duration{7 * 24 * time.Hour}) {
		t.Errorf("invite got %v", f.invites)
	}
	if want := []core.RestoreOptions{{From: "f", Words: "w", Older: true}, {From: "f", Words: "w", Recovery: "r", RevokeOthers: true}}; !slices.Equal(f.restored, want) {
		t.Errorf("backups got %+v", f.restored)
	}
	if g := f.groupAs; g.Retention != nil || g.Name != nil || *g.Limit != 12 {
		t.Errorf("group.set got %+v", g)
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "90m": 90 * time.Minute, "1h30m": 90 * time.Minute,
		"7d": 168 * time.Hour, "2w": 336 * time.Hour, "1y": 8760 * time.Hour, "0s": 0,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "d", "7", "-1s", "-1d", "1.5d", "400y", "7d12h", "soon", "9999999999h"} {
		if got, err := ParseDuration(s); err == nil {
			t.Errorf("%q was taken as %v", s, got)
		}
	}
}

func TestALongHistoryIsOneAnswer(t *testing.T) {
	f := &fake{history: make([]core.Event, 5)}
	for i := range f.history {
		f.history[i].Text = strings.Repeat("x", MaxLine)
	}
	c := dial(t, NewServer(f))
	var l List[core.Event]
	if err := c.Call(t.Context(), "history", HistoryParams{Room: "r"}, &l); err != nil || len(l.Items) != 5 {
		t.Fatalf("got %d events, %v, want 5", len(l.Items), err)
	}
	// More than an answer may hold is refused, and the connection goes on.
	f.history = slices.Repeat(f.history, 13)
	err := c.Call(t.Context(), "history", HistoryParams{Room: "r"}, &l)
	if !errors.Is(err, wire.ErrFull) {
		t.Errorf("65 MiB: got %v, want full", err)
	}
	if err := c.Call(t.Context(), "whoami", None{}, nil); err != nil {
		t.Errorf("after it: %v", err)
	}
}
