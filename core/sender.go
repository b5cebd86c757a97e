package core

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"hearth/wire"
)

// A sender works off what waits for one room or one foreign door. It runs while
// there is something to do: it is started by a wake-up and ends when it finds
// nothing.
type sender struct {
	c    *Client
	wake chan struct{} // capacity 1
	// next says what to do now, and saves what must be saved before it leaves.
	next func(ctx context.Context) (action, error)
}

// action is one thing to do without the lock. It returns how long to wait
// before the next look: 0 for at once.
type action func(ctx context.Context) (wait time.Duration, err error)

const (
	retryFirst = time.Second
	retryMax   = 5 * time.Minute
	// lookAgain is how long a sender waits for something that comes with a
	// wake-up anyway: the backlog's end, a commit of its own.
	lookAgain = time.Minute
)

// queueID names what a sender works off.
type queueID struct {
	what queueKind
	id   wire.RoomID
}

type queueKind uint8

const (
	roomQueue     queueKind = iota // a room's commits and posts
	doorQueue                      // what waits for somebody's door
	treeQueue                      // ratchet trees to upload, with the Welcomes that point to them
	ownDoor                        // one of our doors: its packages and classes
	joinQueue                      // invitations that were asked for
	reinviteQueue                  // people to invite later
	deviceQueue                    // our devices that a room lacks
	readQueue                      // read marks, on their way to our other devices
	linkQueue                      // a device of ours that is being linked
	handQueue                      // history for another device
	arrivalQueue                   // history from another device
	fileQueue                      // files on their way to a room's server
	dropQueue                      // blobs to take off their servers
	tidyQueue                      // sealed files that no message needs
)

// poke wakes the sender of a queue, or starts it.
func (c *Client) poke(id queueID, next func(ctx context.Context) (action, error)) {
	c.sendersMu.Lock()
	defer c.sendersMu.Unlock()
	s := c.senders[id]
	if s == nil {
		s = &sender{c: c, wake: make(chan struct{}, 1), next: next}
		c.senders[id] = s
		c.crew.spawn(func(ctx context.Context) { s.run(ctx, id) })
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sender) run(ctx context.Context, id queueID) {
	retry := retryFirst
	for ctx.Err() == nil {
		select {
		case <-s.wake:
		default:
		}
		act, err := s.next(ctx)
		var wait time.Duration
		switch {
		case err != nil:
			wait = retry
		case act == nil:
			if s.rest(id) {
				return
			}
			continue
		default:
			wait, err = act(ctx)
		}
		if err != nil {
			s.c.debug("sending waits", err)
			wait = max(wait, retry/2+rand.N(retry))
			retry = min(2*retry, retryMax)
		} else {
			retry = retryFirst
		}
		if wait == 0 {
			continue
		}
		woken := s.wake
		if err != nil {
			woken = nil // a failure is not undone by more work
		}
		select {
		case <-time.After(wait):
		case <-woken:
		case <-ctx.Done():
		}
	}
}

// rest ends the sender unless it was woken meanwhile.
func (s *sender) rest(id queueID) bool {
	s.c.sendersMu.Lock()
	defer s.c.sendersMu.Unlock()
	select {
	case <-s.wake:
		return false
	default:
	}
	delete(s.c.senders, id)
	return true
}

// code returns the code that a server answered with, "" if it did not answer.
func code(err error) wire.Code {
	var we *wire.Error
	if errors.As(err, &we) {
		return we.Code
	}
	return ""
}
