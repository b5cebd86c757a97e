package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"hearth/core"
	"hearth/wire"
)

// Client asks a Server over one connection. Its methods may be called at the
// same time; Run must be running.
type Client struct {
	rw io.ReadWriteCloser

	writing sync.Mutex

	mu      sync.Mutex
	last    uint64             // the last id used; mu
	waiting map[string]*asking // by id; mu
	ended   error              // why no answer will come; mu
}

// asking is a request that waits for its answer.
type asking struct {
	answer chan message // gets one
	events chan EventParams
	done   chan struct{} // closed when nobody asks any more
}

// NewClient returns a client that asks over rw and closes it when Run ends.
func NewClient(rw io.ReadWriteCloser) *Client {
	return &Client{rw: rw, waiting: map[string]*asking{}}
}

// errClosed says that the connection ended before the answer.
var errClosed = wire.Errorf(wire.Internal, "the process that holds this account ended before it answered").WithNext("run the command again; look at hearth history first if it was to send something")

// Run reads what the server says until ctx or the connection ends.
func (c *Client) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.rw.Close() })
	defer stop()
	defer c.rw.Close()
	defer c.end(errClosed)
	in := newLines(c.rw, MaxAnswer)
	for {
		line, err := in.next()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
				return nil
			}
			return fmt.Errorf("read an answer: %w", err)
		}
		m, wrong := decodeMessage(line)
		if wrong != nil {
			return fmt.Errorf("read an answer: %w", wrong)
		}
		c.take(m)
	}
}

// end ends every request with err; the first call counts.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended = err
	}
	for id, a := range c.waiting {
		close(a.answer)
		delete(c.waiting, id)
	}
}

// take brings a message to whoever waits for it; others are passed over.
func (c *Client) take(m message) {
	if m.Method == "" {
		c.mu.Lock()
		a, ok := c.waiting[string(m.ID)]
		delete(c.waiting, string(m.ID))
		c.mu.Unlock()
		if ok {
			a.answer <- m
		}
		return
	}
	if m.Method == notifyLeft {
		c.end(ErrLeaving)
		return
	}
	if m.Method != notifyEvent || m.ID != nil {
		return
	}
	var p EventParams
	if strict(m.Params, &p) != nil {
		return
	}
	c.mu.Lock()
	a, ok := c.waiting[string(p.Subscription)]
	c.mu.Unlock()
	if !ok || a.events == nil {
		return
	}
	select {
	case a.events <- p:
	case <-a.done:
	}
}

// Call asks for a method and reads its result into result, nil for one that
// nobody wants. When ctx ends first, the request is cancelled.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	id, a, err := c.ask(method, params, false)
	if err != nil {
		return err
	}
	defer close(a.done)
	select {
	case m, ok := <-a.answer:
		return c.read(m, ok, result)
	case <-ctx.Done():
		c.cancel(id)
		return ctx.Err()
	}
}

// Receive asks for events and calls fn with each, one after another. An event
// is acknowledged when fn has returned nil. It returns when the subscription
// ends, when fn fails, or when ctx ends.
func (c *Client) Receive(ctx context.Context, p ReceiveParams, fn func(core.Event) error) (Received, error) {
	id, a, err := c.ask(methodReceive, p, true)
	if err != nil {
		return Received{}, err
	}
	defer close(a.done)
	for {
		select {
		case e := <-a.events:
			if err := fn(e.Event); err != nil {
				c.cancel(id)
				return Received{}, err
			}
			if err := c.notify(notifyAck, ackParams{Subscription: e.Subscription, Number: e.Number}); err != nil {
				return Received{}, err
			}
		case m, ok := <-a.answer:
			var r Received
			err := c.read(m, ok, &r)
			return r, err
		case <-ctx.Done():
			c.cancel(id)
			return Received{}, ctx.Err()
		}
	}
}

// read takes the result or the error out of an answer; ok is false when none
// came.
func (c *Client) read(m message, ok bool, result any) error {
	if !ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.ended
	}
	if m.Error != nil {
		return m.Error
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(m.Result, result); err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	return nil
}

// ask sends a request.
func (c *Client) ask(method string, params any, events bool) (json.RawMessage, *asking, error) {
	raw, err := json.Marshal(params)
	if err != nil {
		return nil, nil, fmt.Errorf("write the parameters: %w", err)
	}
	a := &asking{answer: make(chan message, 1), done: make(chan struct{})}
	if events {
		a.events = make(chan EventParams)
	}
	c.mu.Lock()
	if err := c.ended; err != nil {
		c.mu.Unlock()
		return nil, nil, err
	}
	c.last++
	id := json.RawMessage(strconv.FormatUint(c.last, 10))
	c.waiting[string(id)] = a
	c.mu.Unlock()
	// A write that fails means that the connection has ended; the reading end
	// knows whether the server had left by then.
	c.write(message{ID: id, Method: method, Params: raw})
	return id, a, nil
}

// cancel tells the server that nobody waits for this answer any more.
func (c *Client) cancel(id json.RawMessage) {
	c.mu.Lock()
	delete(c.waiting, string(id))
	c.mu.Unlock()
	c.notify(notifyCancel, cancelParams{ID: id}) // if it can't be told, it will notice
}

func (c *Client) notify(method string, params any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("write the parameters: %w", err)
	}
	if c.write(message{Method: method, Params: raw}) != nil {
		return errClosed
	}
	return nil
}

func (c *Client) write(m message) error {
	line, err := m.encode()
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err = c.rw.Write(line)
	return err
}
