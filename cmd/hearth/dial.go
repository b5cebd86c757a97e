package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"hearth/wire"
)

// dialWait bounds how long a connection may take to come up.
const dialWait = 15 * time.Second

// web is how this program reaches servers: no cookies, and no redirects, for a
// server that sends a client elsewhere is not the one that was named.
var web = &http.Client{
	Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialWait}).DialContext,
		TLSHandshakeTimeout:   dialWait,
		ResponseHeaderTimeout: 2 * dialWait,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   2,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// dial opens a connection for frames to a server, named by its URL.
func dial(ctx context.Context, server string) (wire.Conn, error) {
	u, err := serverURL(server)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	ws, answer, err := websocket.Dial(ctx, u.JoinPath("v1", "stream").String(), &websocket.DialOptions{
		HTTPClient:      web,
		CompressionMode: websocket.CompressionDisabled, // attacks A67: it would tell lengths
	})
	if err != nil {
		return nil, dialError(answer, err)
	}
	ws.SetReadLimit(wire.MaxFrame)
	return &socket{ws}, nil
}

// serverURL reads a server's address strictly.
func serverURL(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return nil, wire.Errorf(wire.BadInput, "that is not the address of a house").WithNext("write it in full, such as https://hearth.example.org or http://localhost:8420")
	}
	return u, nil
}

// dialError tells a server that doesn't answer from one that is no Hearth.
func dialError(answer *http.Response, err error) error {
	switch {
	case answer != nil && (answer.StatusCode == http.StatusServiceUnavailable || answer.StatusCode == http.StatusBadGateway || answer.StatusCode == http.StatusGatewayTimeout):
		return wire.Errorf(wire.Unreachable, "the house is busy or closing: %w", err).WithNext("try again in a while")
	case answer != nil && answer.StatusCode != 0:
		return wrongServer(err)
	}
	return transportError(err)
}

func wrongServer(err error) error {
	return wire.Errorf(wire.WrongServer, "there is something at that address, but no Hearth: %w", bare(err)).WithNext("check the address with whoever keeps the house")
}

// transportError tells why an exchange with a server failed on its way.
func transportError(err error) error {
	var network net.Error
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return unreachable("that address is not known", err)
	case errors.As(err, &op) && op.Op == "dial":
		return unreachable("nobody answers at that address", err)
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return unreachable("the house did not answer in time", err)
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &op), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		strings.Contains(err.Error(), "closed idle connection"): // net/http gives it no value to compare with
		return unreachable("the connection broke", err)
	}
	// It answered, but not as HTTP, or with a certificate that isn't its own.
	return wrongServer(err)
}

func unreachable(what string, err error) error {
	return wire.Errorf(wire.Unreachable, "%s: %w", what, bare(err)).WithNext("check the address and your connection, then try again")
}

// bare takes the address out of an error's text: it is ours to say once, and
// not for logs.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		err = errors.New(dns.Err)
	}
	return err
}

// socket is a wire.Conn over a WebSocket.
type socket struct{ ws *websocket.Conn }

// Read returns the next frame.
func (s *socket) Read(ctx context.Context) ([]byte, error) {
	kind, b, err := s.ws.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read a frame: %w", err)
	}
	if kind != websocket.MessageBinary {
		return nil, wrongServer(errors.New("a text message on a stream"))
	}
	return b, nil
}

// Write sends a frame.
func (s *socket) Write(ctx context.Context, frame []byte) error {
	if err := s.ws.Write(ctx, websocket.MessageBinary, frame); err != nil {
		return fmt.Errorf("write a frame: %w", err)
	}
	return nil
}

// Close ends the connection at once.
func (s *socket) Close() error { return s.ws.CloseNow() }
