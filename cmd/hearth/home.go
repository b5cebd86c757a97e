package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

// One process owns a home: it holds the lock, the ratchets and the
// connections. A command that finds the home free becomes the owner for its
// run and lets others join through a socket meanwhile; one that finds it owned
// joins. So two commands at once never see two truths.

// owned is a home behind its lock, as far as this program drives it.
type owned interface {
	rpc.Home
	Run(ctx context.Context) error
	Close() error
}

// opener takes a home, open or locked, until Close; left is what the process
// image before this one had of it, if any. It answers home_in_use when another
// process has it.
type opener func(ctx context.Context, dir string, left *hold) (owned, error)

// stay says how long an owner means to stay; others see it when they join.
type stay string

const (
	passing stay = "passing" // one command: it ends in a moment
	staying stay = "staying" // hearth daemon, hearth rpc
)

// Waits around the change of owners.
const (
	// joinWait is how long a command waits for a home whose owner neither ends
	// nor answers.
	joinWait = 10 * time.Second
	// joinRetry is the pause between two attempts.
	joinRetry = 25 * time.Millisecond
	// leaveWait bounds how long an owner waits for what others asked it.
	leaveWait = 15 * time.Second
)

// session is a command's connection to the client of its home.
type session struct {
	*rpc.Client
	// owner is nil when another process owns the home.
	owner *owner
	end   func()
}

// close leaves the home. What others are asking an owner is finished first.
func (s *session) close() error {
	var err error
	if s.owner != nil {
		err = s.owner.close()
	}
	s.end()
	return err
}

// connect returns a session of the home, as its owner if nobody else is.
func (a *app) connect(ctx context.Context, as stay) (*session, error) {
	dir, err := a.homeDir()
	if err != nil {
		return nil, err
	}
	giveUp := time.Now().Add(joinWait)
	for {
		o, err := a.own(ctx, dir, as)
		if err == nil {
			return o.session(ctx), nil
		}
		var e *wire.Error
		if !errors.As(err, &e) || e.Code != wire.HomeInUse {
			return nil, err
		}
		s, joinErr := join(ctx, dir, as)
		if joinErr == nil {
			return s, nil
		}
		// The owner is starting or ending: soon it answers, or the lock is free.
		if time.Now().After(giveUp) {
			return nil, e
		}
		select {
		case <-time.After(joinRetry):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// owner is this process as the owner of a home.
type owner struct {
	client owned
	server *rpc.Server
	socket net.Listener
	stop   context.CancelFunc
	ran    chan error // gets what Run returned
	joined sync.WaitGroup
	once   sync.Once
	err    error // what close found; once
}

// own makes this process the owner of a home, or answers home_in_use.
func (a *app) own(ctx context.Context, dir string, as stay) (*owner, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, homeFolder(err)
	}
	left := a.left
	a.left = nil
	client, err := a.open(ctx, dir, left)
	if err != nil {
		return nil, err
	}
	listen := left.listen
	if a.listen != nil {
		listen = a.listen
	}
	l, err := listen(dir)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	// The home outlives the command's context: what was begun is finished.
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	var served rpc.Home = client
	if a.renews {
		served = renewing{client}
	}
	o := &owner{client: client, server: rpc.NewHomeServer(served), socket: l, stop: stop, ran: make(chan error, 1)}
	go func() { o.ran <- client.Run(run) }()
	o.joined.Go(func() { o.accept(run, as) })
	return o, nil
}

// homeFolder says what is wrong with the home's folder.
func homeFolder(err error) error {
	return wire.Errorf(wire.BadInput, "the home folder can't be used: %w", err).WithNext("choose another with --home DIR")
}

// accept lets others join until the socket is closed.
func (o *owner) accept(ctx context.Context, as stay) {
	for {
		conn, err := o.socket.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of files: those who are waiting come again
			select {
			case <-time.After(joinRetry):
				continue
			case <-ctx.Done():
				return
			}
		}
		o.joined.Go(func() {
			if greet(conn, as) != nil {
				conn.Close()
				return
			}
			// Whoever joined sees it when the connection ends.
			o.server.Serve(ctx, conn)
		})
	}
}

// session returns a session with the client in this process.
func (o *owner) session(ctx context.Context) *session {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	near, far := net.Pipe()
	client := rpc.NewClient(near)
	var both sync.WaitGroup
	both.Go(func() { o.server.Serve(ctx, far) })
	both.Go(func() { client.Run(ctx) })
	return &session{Client: client, owner: o, end: func() { cancel(); both.Wait() }}
}

// close finishes what others are asking, then lets go of the home. It returns
// what went wrong in the background, if anything did.
func (o *owner) close() error {
	o.once.Do(func() {
		o.socket.Close()
		ctx, cancel := context.WithTimeout(context.Background(), leaveWait)
		defer cancel()
		served := make(chan struct{})
		go func() {
			o.server.Leave(ctx)
			o.joined.Wait()
			close(served)
		}()
		select {
		case <-served:
		case <-ctx.Done(): // those who are late are cut off
		}
		o.stop()
		<-served
		if err := <-o.ran; err != nil && !errors.Is(err, context.Canceled) {
			o.err = err
		}
		if err := o.client.Close(); o.err == nil && err != nil {
			o.err = fmt.Errorf("close the home: %w", err)
		}
	})
	return o.err
}

// call asks the home for one method. A request that an ending owner did not
// begin goes to the next.
func (a *app) call(ctx context.Context, method string, params, result any) error {
	return a.inSession(ctx, func(s *session) error {
		return a.inside(ctx, s, func() error { return s.Call(ctx, method, params, result) })
	})
}

// callAsIs is call for what is asked of a locked home too.
func (a *app) callAsIs(ctx context.Context, method string, params, result any) error {
	return a.inSession(ctx, func(s *session) error { return s.Call(ctx, method, params, result) })
}

// receive is call for recv; what was shown before the owner ended counts.
func (a *app) receive(ctx context.Context, p rpc.ReceiveParams, fn func(core.Event) error) (rpc.Received, error) {
	as := passing
	if p.Follow {
		as = staying
	}
	for {
		s, err := a.connect(ctx, as)
		if err != nil {
			return rpc.Received{}, err
		}
		var r rpc.Received
		err = a.inside(ctx, s, func() (err error) {
			r, err = s.Receive(ctx, p, fn)
			return err
		})
		closed := s.close()
		switch {
		case errors.Is(err, rpc.ErrLeaving):
			continue
		case err != nil:
			return r, err
		}
		return r, closed
	}
}
