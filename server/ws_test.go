package server

import (
	"context"

	"github.com/coder/websocket"
)

// wsClient is a wire.Conn of a test over a real socket.
type wsClient struct{ ws *websocket.Conn }

func (c wsClient) Read(ctx context.Context) ([]byte, error) {
	_, b, err := c.ws.Read(ctx)
	return b, err
}

func (c wsClient) Write(ctx context.Context, b []byte) error {
	return c.ws.Write(ctx, websocket.MessageBinary, b)
}

func (c wsClient) Close() error { return c.ws.CloseNow() }
