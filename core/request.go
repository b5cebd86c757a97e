package core

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"hearth/core/roster"
	"hearth/wire"
)

var errNoRequest = &wire.Error{Code: wire.NotFound, Message: "there is no such request", Next: "list them with: hearth requests"}

// errExpired says that an invitation was accepted too late.
var errExpired = errors.New("the invitation has expired")

// over reports whether a request can no longer be accepted.
func (q *request) over(now time.Time) bool { return now.Unix() >= q.Until }

// requestID reads a request's id as people type it.
func requestID(text string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != 16 {
		return nil, errNoRequest
	}
	return b, nil
}

// request returns a request with its invitation; nil if there is none.
func (s *step) request(id []byte) (*request, error) {
	rq := new(request)
	ok, err := s.get(requestName(id), rq)
	if err != nil || !ok {
		return nil, err
	}
	return rq, nil
}

// Requests lists the first contacts that wait for an answer, the oldest first.
func (c *Client) Requests(ctx context.Context) ([]Request, error) {
	var out []Request
	err := c.look(ctx, func(s *step) error {
		if _, err := s.me(); err != nil {
			return err
		}
		return s.scan("request", func(_ string, b []byte) (bool, error) {
			rq := new(request)
			if err := decodeRecord(b, rq); err != nil {
				return false, err
			}
			if rq.Decided || rq.Beaten || rq.over(c.now()) {
				return true, nil
			}
			inv := &rq.Wrapper
			st, err := roster.ParseState(inv.State)
			if err != nil {
				return false, err
			}
			from, err := s.show(inv.Account)
			if err != nil {
				return false, err
			}
			q := Request{ID: b64(rq.ID), Kind: kindName(st.Kind), From: from, Account: inv.Account.String(),
				Room: convID(st.ID).String(), Name: st.Name, Text: firstText(inv), Sent: time.UnixMilli(rq.At).UTC()}
			if q.Nickname, err = s.nickname(inv.Account); err != nil {
				return false, err
			}
			if t := end(rq.Until); !t.IsZero() {
				q.Expires = &t
			}
			out = append(out, q)
			return true, nil
		})
	})
	if err == nil {
		err = c.look(ctx, func(s *step) (err error) {
			out, err = s.joinRequests(out)
			return err
		})
	}
	slices.SortFunc(out, func(a, b Request) int { return a.Sent.Compare(b.Sent) })
	return out, err
}

// Accept accepts a request: this device joins. It returns once the others have
// been told, or when ctx ends: then that goes on by itself.
func (c *Client) Accept(ctx context.Context, text string) (Answered, error) {
	id, err := requestID(text)
	if err != nil {
		return Answered{}, err
	}
	if a, err := c.joinRequest(ctx, id); err != nil {
		return Answered{}, err
	} else if a != nil {
		return c.letIn(ctx, a, true)
	}
	asked, accepted, err := c.ask(ctx, id, true)
	switch {
	case err != nil:
		return Answered{}, err
	case asked && !accepted:
		return Answered{ID: text, State: "declined"}, nil // another device was faster
	}
	conv, err := c.join(ctx, id)
	if asked && errors.Is(err, errNoRequest) {
		return Answered{ID: text, State: "accepted"}, nil // it has joined by itself
	}
	if errors.Is(err, errExpired) {
		return Answered{ID: text, State: "expired"}, nil
	}
	if err != nil {
		return Answered{}, err
	}
	out := Answered{ID: text, Room: conv.String(), State: "accepted"}
	err = c.wait(ctx, func(s *step) (bool, error) {
		cv, err := s.conv(conv)
		if err != nil || cv == nil {
			return true, err
		}
		return s.idle(cv.Room)
	})
	if err != nil && ctx.Err() == nil {
		return out, err
	}
	return out, nil
}

// idle reports whether nothing of ours waits in a room.
func (s *step) idle(id wire.RoomID) (bool, error) {
	waiting := false
	err := s.rows(id, func(*row) (bool, error) {
		waiting = true
		return false, nil
	})
	return !waiting, err
}

// Decline declines a request: the inviter is sent a signed leave, with which any
// member takes the invitation back.
func (c *Client) Decline(ctx context.Context, text string) (Answered, error) {
	id, err := requestID(text)
	if err != nil {
		return Answered{}, err
	}
	if a, err := c.joinRequest(ctx, id); err != nil {
		return Answered{}, err
	} else if a != nil {
		return c.letIn(ctx, a, false)
	}
	asked, accepted, err := c.ask(ctx, id, false)
	switch {
	case err != nil:
		return Answered{}, err
	case asked && accepted:
		return Answered{ID: text, State: "accepted"}, nil // another device was faster
	case asked:
		return Answered{ID: text, State: "declined"}, nil // the leave goes by itself
	}
	err = c.step(ctx, func(s *step) error {
		rq, err := s.request(id)
		if err != nil {
			return err
		}
		if rq == nil {
			return errNoRequest
		}
		return s.decline(rq, nil)
	})
	if err != nil {
		return Answered{}, err
	}
	return Answered{ID: text, State: "declined"}, nil
}

// acceptFrom accepts a direct request of an account that waits, if there is one.
func (c *Client) acceptFrom(ctx context.Context, from wire.AccountID) (bool, error) {
	var id []byte
	err := c.look(ctx, func(s *step) error {
		return s.scan("request", func(_ string, b []byte) (bool, error) {
			rq := new(request)
			if err := decodeRecord(b, rq); err != nil {
				return false, err
			}
			st, err := roster.ParseState(rq.Wrapper.State)
			if err == nil && rq.Wrapper.Account == from && st.Kind == roster.Direct {
				id = rq.ID
			}
			return id == nil, nil
		})
	})
	if err != nil || id == nil {
		return false, err
	}
	asked, accepted, err := c.ask(ctx, id, true)
	switch {
	case errors.Is(err, errNoRequest), err == nil && asked && !accepted:
		return false, nil
	case err != nil:
		return false, err
	}
	_, err = c.join(ctx, id)
	if asked && errors.Is(err, errNoRequest) {
		return true, nil // it has joined by itself
	}
	if errors.Is(err, errNoRequest) || errors.Is(err, errExpired) {
		return false, nil
	}
	return err == nil, err
}

// wakeRequests carries out the requests that were decided beforehand.
func (c *Client) wakeRequests() {
	c.poke(queueID{what: joinQueue}, func(ctx context.Context) (act action, err error) {
		var look time.Duration
		err = c.step(ctx, func(s *step) error {
			return s.scan("request", func(_ string, b []byte) (bool, error) {
				rq := new(request)
				if err := decodeRecord(b, rq); err != nil {
					return false, err
				}
				if rq.Beaten {
					left, err := s.giveWay(rq)
					if err != nil {
						return false, err
					}
					if left > 0 && (look == 0 || left < look) {
						look = left
					}
				}
				if !rq.Decided {
					return true, nil
				}
				act = func(ctx context.Context) (time.Duration, error) {
					if rq.Declined {
						return 0, c.declineAll(ctx, rq)
					}
					_, err := c.join(ctx, rq.ID)
					if errors.Is(err, errNoRequest) || errors.Is(err, errExpired) || code(err) == wire.Denied {
						err = nil
					}
					return 0, err
				}
				return false, nil
			})
		})
		if act == nil && look > 0 {
			act = waitFor(look)
		}
		return act, err
	})
}
