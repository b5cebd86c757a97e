package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"hearth/rpc"
	"hearth/wire"
)

// maxSocketPath is what every system we run on takes as a socket's path:
// macOS ends at 103 bytes, Linux at 107.
const maxSocketPath = 100

// homeSocket is the name of the socket through which commands join a home's
// owner.
const homeSocket = "socket"

// socketPath returns where a folder's socket lies: in it, or, when that path is
// too long, in the person's own folder for such things, under a name that only
// this one has.
func socketPath(dir, name string) (string, error) {
	if p := filepath.Join(dir, name); len(p) <= maxSocketPath {
		return p, nil
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", homeFolder(err)
	}
	if real, err = filepath.Abs(real); err != nil {
		return "", homeFolder(err)
	}
	sum := sha256.Sum256([]byte("hearth " + name + "\x00" + real))
	name = hex.EncodeToString(sum[:16])
	base := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "hearth")
	if base == "hearth" || len(filepath.Join(base, name)) > maxSocketPath {
		base = fmt.Sprintf("/tmp/hearth-%d", os.Getuid())
	}
	if err := os.Mkdir(base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", homeFolder(err)
	}
	// Anybody may have made a folder of that name in /tmp: it must be ours.
	info, err := os.Lstat(base)
	if err != nil {
		return "", homeFolder(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(owner.Uid) != os.Getuid() {
		return "", wire.Errorf(wire.Denied, "%s belongs to someone else, or is open to others", base).WithNext("take it away, or choose a home with a shorter path")
	}
	return filepath.Join(base, name), nil
}

// listenSocket opens a folder's socket. The caller owns the folder, so a socket
// that lies there is a dead owner's.
func listenSocket(dir, name string) (net.Listener, error) {
	path, err := socketPath(dir, name)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, homeFolder(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, homeFolder(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(homeFolder(err), l.Close())
	}
	return l, nil
}

// greeting is what an owner says first to whoever joins: the version of this
// conversation, and how long it means to stay. A connection that ends before it
// was never taken up.
const greeting = "hearth-home 1 "

// greetWait bounds how long a joining command waits for the greeting.
const greetWait = 2 * time.Second

func greet(conn net.Conn, as stay) error {
	_, err := fmt.Fprintf(conn, "%s%s\n", greeting, as)
	return err
}

// join connects to the home's owner. One that means to stay doesn't join an
// owner that is passing: it waits to become the next.
func join(ctx context.Context, dir string, as stay) (*session, error) {
	conn, err := dialHome(ctx, dir, as)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	client := rpc.NewClient(conn)
	var running sync.WaitGroup
	running.Go(func() { client.Run(ctx) })
	return &session{Client: client, end: func() { cancel(); running.Wait() }}, nil
}

// errPassing says that the owner ends in a moment.
var errPassing = errors.New("the owner of this home is passing")

// dialHome returns a connection to the home's owner, past its greeting.
func dialHome(ctx context.Context, dir string, as stay) (net.Conn, error) {
	path, err := socketPath(dir, homeSocket)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	conn.SetReadDeadline(time.Now().Add(greetWait))
	// Byte by byte: what follows the greeting is not ours to read.
	line, err := bufio.NewReaderSize(oneByte{conn}, 16).ReadString('\n')
	owner, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), greeting)
	switch {
	case err != nil:
	case !ok:
		err = wire.Errorf(wire.HomeInUse, "another version of hearth is using this home").WithNext("stop it, then run the command again")
	case as == staying && stay(owner) != staying:
		err = errPassing
	default:
		conn.SetReadDeadline(time.Time{})
		return conn, nil
	}
	conn.Close()
	return nil, err
}

// oneByte reads one byte at a time.
type oneByte struct{ net.Conn }

func (o oneByte) Read(p []byte) (int, error) { return o.Conn.Read(p[:1]) }
