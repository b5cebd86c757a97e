package rpc

import (
	"context"
	"errors"
	"io"
	"sync"
)

// Server answers the API for one home, over any number of connections.
type Server struct {
	home Home

	// receiving holds one token: who has it gives out events. Two at once
	// would each see the same ones.
	receiving chan struct{}

	mu      sync.Mutex
	leaving bool
	active  int           // requests not yet answered; mu
	idle    chan struct{} // closed when leaving and active is 0; mu
	left    chan struct{} // closed when leaving
}

// NewServer returns a server for a client that has no lock.
func NewServer(c Core) *Server { return NewHomeServer(Lockless(c)) }

// NewHomeServer returns a server for a home.
func NewHomeServer(h Home) *Server {
	s := &Server{home: h, receiving: make(chan struct{}, 1), idle: make(chan struct{}), left: make(chan struct{})}
	s.receiving <- struct{}{}
	return s
}

// Serve answers one connection. At the end of its input it finishes what is
// under way, answers, and returns nil, as it does when the server has left; it
// returns the context's error when that ends first. If rw is an io.Closer,
// Serve closes it.
func (s *Server) Serve(ctx context.Context, rw io.ReadWriter) error {
	return newConn(s, rw).serve(ctx)
}

// Leave stops beginning requests: each is answered with an error that says
// nothing was begun, subscriptions end likewise, and what is under way goes on.
// When all of it is answered, connections end and Leave returns; it returns
// the context's error when that ends first.
func (s *Server) Leave(ctx context.Context) error {
	s.mu.Lock()
	if !s.leaving {
		s.leaving = true
		close(s.left)
		if s.active == 0 {
			close(s.idle)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin counts a request in; it reports false when the server is leaving.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving {
		return false
	}
	s.active++
	return true
}

func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	if s.leaving && s.active == 0 {
		close(s.idle)
	}
}

// errLineTooLong says that a line was longer than it may be.
var errLineTooLong = errors.New("the message is longer than a line may be")
