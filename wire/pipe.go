package wire

import (
	"context"
	"io"
	"sync"
)

// pipeDepth is how many frames one direction of a Pipe holds before Write
// waits, as a socket's buffer would make it wait.
const pipeDepth = 16

// Pipe returns the two ends of a connection in memory, for tests and for a
// client that lives in its server's process. Frames are copied on Write, so an
// end may reuse its buffer. It works in a synctest bubble: both waits are
// channel operations.
func Pipe() (a, b Conn) {
	ab, ba := make(chan []byte, pipeDepth), make(chan []byte, pipeDepth)
	shared := &pipeEnd{done: make(chan struct{})}
	return &pipeConn{in: ba, out: ab, end: shared}, &pipeConn{in: ab, out: ba, end: shared}
}

// pipeEnd is what both ends share: a pipe ends as a whole.
type pipeEnd struct {
	once sync.Once
	done chan struct{}
}

type pipeConn struct {
	in  <-chan []byte
	out chan<- []byte
	end *pipeEnd
}

// Read returns the next frame. Frames that were written before the end are
// still read, as from a socket.
func (c *pipeConn) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-c.in:
		return b, nil
	default:
	}
	select {
	case b := <-c.in:
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.end.done:
		select {
		case b := <-c.in:
			return b, nil
		default:
			return nil, io.EOF
		}
	}
}

// Write sends a copy of frame. A frame over MaxFrame ends the pipe, as a socket
// refuses it on reading.
func (c *pipeConn) Write(ctx context.Context, frame []byte) error {
	if len(frame) > MaxFrame {
		c.Close()
		return Errorf(BadInput, "a frame is larger than %d bytes", MaxFrame)
	}
	select {
	case <-c.end.done:
		return io.ErrClosedPipe
	default:
	}
	select {
	case c.out <- append([]byte(nil), frame...):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.end.done:
		return io.ErrClosedPipe
	}
}

// Close ends both directions at both ends.
func (c *pipeConn) Close() error {
	c.end.once.Do(func() { close(c.end.done) })
	return nil
}
