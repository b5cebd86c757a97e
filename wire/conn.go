package wire

import "context"

// Conn carries frames both ways, in order, each whole: a WebSocket in life, a
// pair of queues in tests, the page's socket in a browser. One goroutine may
// read while another writes.
type Conn interface {
	// Read returns the next frame's bytes, at most MaxFrame of them. It fails
	// with the context's error or when the connection has ended.
	Read(ctx context.Context) ([]byte, error)
	// Write sends one frame. When it returns nil the frame is on its way, not
	// arrived.
	Write(ctx context.Context, frame []byte) error
	// Close ends the connection; pending reads and writes fail.
	Close() error
}
