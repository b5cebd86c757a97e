package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"hearth/core/lock"
	"hearth/rpc"
	"hearth/wire"
)

// A daemon that is locked begins again: it ends in order, then becomes a new
// process image in its own place (execve), which starts locked. Go can move and
// copy what is in memory, and no program written in it can promise that all of
// a secret is cleared. The system can: the old image's pages are gone
// (docs/decisions/0027-locked-daemon.md).

// renewedEnv names the descriptors that the new image takes over.
const renewedEnv = "HEARTH_RENEWED"

// hold is what an image leaves to the next, so that the home is never without an
// owner: its lock, and the socket at which others wait.
type hold struct{ lock, socket *os.File }

// holder is a home whose lock can be handed on.
type holder interface{ Hold() (*os.File, error) }

// hold takes a second hold on what the owner has.
func (o *owner) hold() (hold, error) {
	h, ok := o.client.(holder)
	l, ok2 := o.socket.(*net.UnixListener)
	if !ok || !ok2 {
		return hold{}, errors.New("this home can't be handed on")
	}
	lock, err := h.Hold()
	if err != nil {
		return hold{}, err
	}
	socket, err := l.File()
	if err != nil {
		return hold{}, errors.Join(err, lock.Close())
	}
	l.SetUnlinkOnClose(false) // those who come now wait in the queue
	return hold{lock, socket}, nil
}

// renew makes this process a new one that starts locked.
func renew(h hold) error {
	self := selfPath
	if self == "" {
		var err error
		if self, err = os.Executable(); err != nil {
			return err
		}
	}
	args := os.Args
	if !slices.Contains(args, "--"+lockedFlag) {
		args = append(slices.Clone(args), "--"+lockedFlag)
	}
	for _, f := range []*os.File{h.lock, h.socket} {
		if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
			return err
		}
	}
	env := append(os.Environ(), fmt.Sprintf("%s=%d,%d", renewedEnv, h.lock.Fd(), h.socket.Fd()))
	return syscall.Exec(self, args, env)
}

// inherit returns what the image before this one left; nil if there was none.
func inherit() (*hold, error) {
	said, ok := os.LookupEnv(renewedEnv)
	if !ok {
		return nil, nil
	}
	os.Unsetenv(renewedEnv)
	var fds [2]int
	if _, err := fmt.Sscanf(said, "%d,%d", &fds[0], &fds[1]); err != nil {
		return nil, wire.Errorf(wire.BadInput, "%s is not for people to set", renewedEnv).WithNext("unset it")
	}
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return nil, wire.Errorf(wire.BadInput, "%s is not for people to set", renewedEnv).WithNext("unset it")
		}
	}
	return &hold{os.NewFile(uintptr(fds[0]), "lock"), os.NewFile(uintptr(fds[1]), "socket")}, nil
}

// listen is listenSocket, or the socket that was left.
func (h *hold) listen(dir string) (net.Listener, error) {
	if h == nil {
		return listenSocket(dir, homeSocket)
	}
	l, err := net.FileListener(h.socket)
	if err != nil {
		return nil, homeFolder(err)
	}
	h.socket.Close() // l has its own
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(true)
	}
	return l, nil
}

// renewing is the home of a daemon that begins again once locked. The answer to
// lock comes from the new image: only then is nothing left. Until then who asks
// is told to ask again.
type renewing struct{ rpc.Home }

// Lock locks, and has the caller ask again.
func (r renewing) Lock(ctx context.Context) (lock.Status, error) {
	before, _ := r.Watch()
	s, err := r.Home.Lock(ctx)
	if err == nil && !before.Locked {
		err = rpc.ErrLeaving
	}
	return s, err
}

// harden turns core dumps off for a process that holds a home's keys.
func harden() {
	syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) // it can only be refused by a limit already lower
	shutMemory()
}
