package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"hearth/core"
	"hearth/core/lock"
	"hearth/core/vault"
	"hearth/wire"
)

// lockable is a Home whose lock is a switch.
type lockable struct {
	Home
	core    Core
	open    context.Context
	close   context.CancelCauseFunc
	mu      sync.Mutex
	changed chan struct{} // mu
	asked   []string
}

func newLockable(c Core) *lockable {
	l := &lockable{Home: Lockless(c), core: c, changed: make(chan struct{})}
	l.open, l.close = context.WithCancelCause(context.Background())
	return l
}

func (l *lockable) Enter(ctx context.Context) (Core, context.Context, func(), error) {
	if l.open.Err() != nil {
		return nil, nil, nil, lock.ErrLocked
	}
	inside, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.open, func() { cancel(lock.ErrLocked) })
	return l.core, inside, func() { stop(); cancel(nil) }, nil
}

func (l *lockable) Watch() (lock.Status, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return lock.Status{Locked: l.open.Err() != nil, Protection: "passphrase"}, l.changed
}

func (l *lockable) Lock(context.Context) (lock.Status, error) {
	l.close(lock.ErrLocked)
	l.mu.Lock()
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	s, _ := l.Watch()
	return s, nil
}

func (l *lockable) Unlock(_ context.Context, c vault.Credential) (lock.Status, error) {
	l.asked = append(l.asked, c.Kind().String())
	return lock.Status{}, nil
}

func (l *lockable) Protect(_ context.Context, current *vault.Credential, next vault.Credential, keyFile string) (lock.Status, error) {
	now := "nothing"
	if current != nil {
		now = current.Kind().String()
	}
	l.asked = append(l.asked, now+" > "+next.Kind().String()+" "+keyFile)
	return lock.Status{}, nil
}

func TestALockedHomeAnswersOnlyThatItIsLocked(t *testing.T) {
	l := newLockable(&fake{})
	l.close(lock.ErrLocked)
	var lines []string
	for _, m := range Methods() {
		if _, ok := homeMethods[m]; !ok {
			line, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": m, "method": m})
			lines = append(lines, string(line))
		}
	}
	rw := &both{in: strings.NewReader(strings.Join(lines, "\n"))}
	if err := NewHomeServer(l).Serve(t.Context(), rw); err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(rw.out.String()) {
		n++
		// Wrong parameters may be said before or after; content never.
		if !strings.Contains(line, `"data":{"code":"locked"`) || strings.Contains(line, "result") {
			t.Errorf("answered %s", line)
		}
	}
	if n != len(lines) || n < 20 {
		t.Errorf("%d answers to %d methods", n, len(lines))
	}
	rw = &both{in: strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"whoami"}`)}
	if err := NewHomeServer(l).Serve(t.Context(), rw); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(rw.out.String(), `"result":{"locked":true}`) {
		t.Errorf("whoami: %s", rw.out.String())
	}
}

func TestLockingEndsWhatWaitsAndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{hold: make(chan struct{}), live: make(chan core.Event)}
		l := newLockable(f)
		near, far := net.Pipe()
		heard := make(chan string, 10)
		tap := &tapped{Conn: near, heard: heard}
		c := NewClient(tap)
		go c.Run(t.Context())
		go NewHomeServer(l).Serve(t.Context(), far)
		received := make(chan error, 1)
		go func() {
			_, err := c.Receive(t.Context(), ReceiveParams{Follow: true}, func(core.Event) error { return nil })
			received <- err
		}()
		synctest.Wait()
		if err := c.Call(t.Context(), "lock", None{}, nil); err != nil {
			t.Fatal(err)
		}
		if err := <-received; !errors.Is(err, lock.ErrLocked) {
			t.Errorf("recv ended with %v", err)
		}
		synctest.Wait()
		told := false
		for len(heard) > 0 {
			line := <-heard
			told = told || strings.Contains(line, `"method":"lock","params":{"locked":true`)
		}
		if !told {
			t.Error("nobody was told")
		}
	})
}

// tapped shows what is read.
type tapped struct {
	net.Conn
	heard chan string
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard <- string(p[:n])
	}
	return n, err
}

func TestCredentialsAreReadStrictly(t *testing.T) {
	key, err := json.Marshal(string(vault.NewKeyFile()))
	if err != nil {
		t.Fatal(err)
	}
	for params, want := range map[string]string{
		`"unlock","params":{"passphrase":"correct horse"}`:                                                        "passphrase",
		`"unlock","params":{"key":` + string(key) + `}`:                                                           "key_file",
		`"passphrase.set","params":{"passphrase":"correct horse"}`:                                                "nothing > passphrase ",
		`"passphrase.set","params":{"key":` + string(key) + `,"key_file":"/s","current_passphrase":"an old one"}`: "passphrase > key_file /s",
		`"unlock"`: "bad_input",
		`"unlock","params":{"passphrase":"correct horse","key":"x"}`:                       "bad_input",
		`"unlock","params":{"key":"x"}`:                                                    "bad_input",
		`"unlock","params":{"password":"correct horse"}`:                                   "bad_input",
		`"passphrase.set","params":{"passphrase":"correct horse","key_file":"/s"}`:         "bad_input",
		`"passphrase.set","params":{"passphrase":"correct horse","current_key":"nothing"}`: "bad_input",
		`"lock.after","params":{}`:                                                         "bad_input",
		`"lock.after","params":{"after":"-15m"}`:                                           "bad_input",
	} {
		l := newLockable(&fake{})
		rw := &both{in: strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":` + params + `}`)}
		if err := NewHomeServer(l).Serve(t.Context(), rw); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(l.asked, ",")
		if want == string(wire.BadInput) {
			if got != "" || !strings.Contains(rw.out.String(), `"code":"bad_input"`) {
				t.Errorf("%s: asked %q, %s", params, got, rw.out.String())
			}
		} else if got != want {
			t.Errorf("%s: asked %q, want %q; %s", params, got, want, rw.out.String())
		}
	}
}
