package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hearth/core"
	"hearth/core/lock"
	"hearth/wire"
)

// methodReceive gives out events. Each is pushed as a notification "event" with
// EventParams, and the next one only when that one was acknowledged (a
// notification "ack"); only then is it marked as given out in this home. The
// answer comes when the subscription ends.
const methodReceive = "recv"

// notifyEvent is the notification that carries an event.
const notifyEvent = "event"

// ReceiveParams are those of recv.
type ReceiveParams struct {
	// Wait is how long to stay once the home is up to date; absent: not at all.
	Wait string `json:"wait,omitempty"`
	// Follow stays until the request is cancelled.
	Follow bool `json:"follow,omitempty"`
}

// EventParams are those of the notification "event".
type EventParams struct {
	Subscription json.RawMessage `json:"subscription"` // the id of the recv request
	Number       uint64          `json:"number"`       // counts from 1 in this subscription
	Event        core.Event      `json:"event"`
}

// Received answers recv. Fresh is false when the home could not be brought up
// to date: there may be more.
type Received struct {
	Count uint64 `json:"count"`
	Fresh bool   `json:"fresh"`
}

// receive carries out recv.
func (c *conn) receive(ctx context.Context, client Core, m message, r *running) (Received, error) {
	var p ReceiveParams
	if err := readParams(m.Params, &p); err != nil {
		return Received{}, err
	}
	stay, err := optionalSpan("wait", p.Wait)
	if err != nil {
		return Received{}, err
	}
	release, err := c.server.receiver(ctx)
	if err != nil {
		return Received{}, err
	}
	defer release()

	// life ends with whoever listens; enough ends when no more is to be waited
	// for, and then what has arrived is still given out.
	life, end := c.listened(ctx)
	defer end(nil)
	enough, stop := context.WithCancelCause(life)
	defer stop(nil)

	settle := client.Begin()
	var result Received
	caughtUp := make(chan error, 1)
	go func() {
		err := fresh(life, client)
		caughtUp <- err
		if p.Follow {
			return
		}
		if err == nil && stay > 0 {
			t := time.NewTimer(stay)
			defer t.Stop()
			select {
			case <-t.C:
			case <-life.Done():
			}
		}
		stop(errStayed)
	}()

	err = client.Receive(enough, func(e core.Event) error {
		if err := c.push(life, m.ID, r, result.Count+1, e); err != nil {
			return err
		}
		result.Count++
		return nil
	})
	switch {
	case errors.Is(context.Cause(life), ErrLeaving):
		return result, leaving()
	case lock.Cut(ctx):
		return result, lock.ErrLocked
	case life.Err() == nil && errors.Is(context.Cause(enough), errStayed) && (err == nil || errors.Is(err, context.Canceled)):
		result.Fresh = <-caughtUp == nil
		if result.Fresh {
			// What came may have to be answered: an invitation by a link, say.
			settled, cancel := context.WithTimeout(ctx, SendWait)
			defer cancel()
			settle(settled)
		}
		return result, nil
	}
	return result, err
}

// errStayed is the cause with which a subscription ends by itself.
var errStayed = errors.New("stayed long enough")

// push gives out one event and returns nil when it was acknowledged. That ctx
// ends meanwhile doesn't end the wait at once: the receiver may have shown the
// event already.
func (c *conn) push(ctx context.Context, id json.RawMessage, r *running, number uint64, e core.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	params, err := json.Marshal(EventParams{Subscription: id, Number: number, Event: e})
	if err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	if err := c.write(message{Method: notifyEvent, Params: params}); err != nil {
		return err
	}
	done := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case n := <-r.acks:
			if n == number {
				return nil
			}
		case <-done:
			t := time.NewTimer(ackGrace)
			defer t.Stop()
			done, late = nil, t.C
		case <-c.unheard:
			return context.Canceled
		case <-late:
			return ctx.Err()
		}
	}
}

// ackGrace is how long an event's acknowledgement is waited for after its
// subscription has ended.
const ackGrace = 2 * time.Second

// receiver makes the caller the only one that gives out events, waiting a
// moment for another to end.
func (s *Server) receiver(ctx context.Context) (release func(), err error) {
	t := time.NewTimer(CatchUpWait)
	defer t.Stop()
	select {
	case <-s.receiving:
		return func() { s.receiving <- struct{}{} }, nil
	case <-s.left:
		return nil, leaving()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.C:
		return nil, wire.Errorf(wire.HomeInUse, "another recv is giving out what arrives here").WithNext("stop that one, or read hearth history")
	}
}

// listened returns a context that ends when nobody listens any more, or with
// ErrLeaving when the server leaves. The caller ends it.
func (c *conn) listened(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	life, end := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-c.server.left:
			end(ErrLeaving)
		case <-c.unheard:
			end(nil)
		case <-life.Done():
		}
	}()
	return life, end
}
