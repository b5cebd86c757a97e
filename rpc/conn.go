package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"hearth/wire"
)

// conn is one connection to a Server.
type conn struct {
	server *Server
	rw     io.ReadWriter

	writing sync.Mutex // one line at a time; held while a slow reader reads

	mu      sync.Mutex
	running map[string]*running // by the request's id as written; mu

	unheard chan struct{} // closed when nothing more can be read

	telling    sync.Mutex
	toldLocked bool // what the other side was told of the home's lock; telling
}

// running is a request under way.
type running struct {
	cancel context.CancelFunc
	// acks takes the numbers that a subscriber has acknowledged; nil for
	// other requests.
	acks chan uint64
}

func newConn(s *Server, rw io.ReadWriter) *conn {
	now, _ := s.home.Watch()
	return &conn{server: s, rw: rw, running: map[string]*running{}, unheard: make(chan struct{}), toldLocked: now.Locked}
}

func (c *conn) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if closer, ok := c.rw.(io.Closer); ok {
		// A read may wait for ever; only closing ends it.
		stop := context.AfterFunc(ctx, func() { closer.Close() })
		defer func() {
			if stop() {
				closer.Close()
			}
		}()
	}
	go c.tellLocks(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.read(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-c.server.idle:
		c.tellLock() // first: nothing is said after the last word
		c.write(message{Method: notifyLeft})
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read takes in messages until the input ends, then waits for what it started.
func (c *conn) read(ctx context.Context) error {
	var requests sync.WaitGroup
	defer requests.Wait()
	in := newLines(c.rw, MaxLine)
	for {
		line, err := in.next()
		switch {
		case errors.Is(err, errLineTooLong):
			c.answer(nil, nil, parseError(fmt.Sprintf("the message is longer than %d bytes", MaxLine)))
			continue
		case err != nil:
			close(c.unheard) // nobody is left to acknowledge an event
			requests.Wait()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
				return nil
			}
			return fmt.Errorf("read a message: %w", err)
		}
		m, wrong := decodeMessage(line)
		if wrong != nil {
			c.answer(m.ID, nil, wrong)
			continue
		}
		c.take(ctx, m, &requests)
	}
}

// take starts a request or carries out a notification.
func (c *conn) take(ctx context.Context, m message, requests *sync.WaitGroup) {
	switch {
	case m.Method == "":
		return // an answer; this side asks nothing
	case m.ID == nil:
		c.notified(m)
		return
	}
	id := string(m.ID)
	ctx, cancel := context.WithCancel(ctx)
	r := &running{cancel: cancel}
	if m.Method == methodReceive {
		r.acks = make(chan uint64, 1)
	}
	if wrong := c.start(id, r); wrong != nil {
		cancel()
		c.answer(m.ID, nil, wrong)
		return
	}
	begun := c.server.begin()
	requests.Go(func() {
		defer cancel()
		if !begun {
			c.finish(id)
			c.answer(m.ID, nil, leaving())
			return
		}
		defer c.server.end() // when the answer is on its way
		result, err := c.carryOut(ctx, m, r)
		c.finish(id)
		if err != nil {
			c.answer(m.ID, nil, failed(err))
			return
		}
		c.answer(m.ID, result, nil)
	})
}

// start enters a request among those under way.
func (c *conn) start(id string, r *running) *Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, used := c.running[id]; used {
		return invalidRequest("a request with this id is under way")
	}
	if len(c.running) >= MaxRequests {
		return newError(codeFailed, wire.Full, "too many requests are under way", "wait for an answer, then ask again")
	}
	c.running[id] = r
	return nil
}

func (c *conn) finish(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, id)
}

func (c *conn) carryOut(ctx context.Context, m message, r *running) (any, error) {
	if m.Method == methodReceive {
		return c.entered(ctx, func(ctx context.Context, core Core) (any, error) { return c.receive(ctx, core, m, r) })
	}
	if m.Method == methodWatch {
		return c.entered(ctx, func(ctx context.Context, core Core) (any, error) { return c.watch(ctx, core, m) })
	}
	if f, ok := homeMethods[m.Method]; ok {
		return f.do(ctx, c.server.home, m.Params)
	}
	f, ok := methods[m.Method]
	if !ok {
		return nil, newError(codeMethodNotFound, wire.BadInput, fmt.Sprintf("there is no method %q", m.Method), "there are "+strings.Join(Methods(), ", "))
	}
	return c.entered(ctx, func(ctx context.Context, core Core) (any, error) { return f.do(ctx, core, m.Params) })
}

// Methods lists the names of all methods, sorted.
func Methods() []string {
	names := slices.Concat(slices.Collect(maps.Keys(methods)), slices.Collect(maps.Keys(homeMethods)), []string{methodReceive, methodWatch})
	slices.Sort(names)
	return names
}

// notifyLeft is the last thing that a leaving server says: what it has not
// answered by now was never begun.
const notifyLeft = "left"

// Notifications that a client sends.
const (
	// notifyCancel ends a request: {"id": the request's id}.
	notifyCancel = "cancel"
	// notifyAck acknowledges an event: {"subscription": the id of recv,
	// "number": the event's}.
	notifyAck = "ack"
)

type cancelParams struct {
	ID json.RawMessage `json:"id"`
}

type ackParams struct {
	Subscription json.RawMessage `json:"subscription"`
	Number       uint64          `json:"number"`
}

// notified carries out a notification. A wrong one has no answer (JSON-RPC 2.0
// §4.1) and no effect.
func (c *conn) notified(m message) {
	switch m.Method {
	case notifyCancel:
		var p cancelParams
		if readParams(m.Params, &p) != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if r, ok := c.running[string(p.ID)]; ok {
			r.cancel()
		}
	case notifyAck:
		var p ackParams
		if readParams(m.Params, &p) != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if r, ok := c.running[string(p.Subscription)]; ok && r.acks != nil {
			select {
			case r.acks <- p.Number:
			default: // nothing waits for a second one
			}
		}
	}
}

// answer writes the answer to a request; id nil is written as null.
func (c *conn) answer(id json.RawMessage, result any, wrong *Error) {
	m := message{ID: id, Error: wrong}
	if id == nil {
		m.ID = json.RawMessage("null")
	}
	if wrong == nil {
		raw, err := json.Marshal(result)
		if err != nil {
			m.Error = failed(fmt.Errorf("write the result: %w", err))
		}
		if len(raw) > maxResult {
			m.Error, raw = newError(codeFailed, wire.Full, "that is more than one answer may hold", "ask for less of it, as with a limit"), nil
		}
		m.Result = raw
	}
	c.write(m)
}

// write sends one line. An error means that the other side is gone, which the
// reading end notices too.
func (c *conn) write(m message) error {
	line, err := m.encode()
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err = c.rw.Write(line)
	return err
}
