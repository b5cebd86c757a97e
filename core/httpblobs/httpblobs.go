// Package httpblobs is core.Blobs over HTTP.
//
// It promises that ids and capabilities travel in headers, never in a URL, which
// proxies log; that nothing is held in memory beyond what Put and Get are given;
// and that a server which answers with something else is told from one that
// refuses. How requests reach a server is handed in.
package httpblobs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"hearth/core"
	"hearth/wire"
)

// Client moves blobs.
type Client struct {
	// Do sends a request, whose URL has only the path, to a server named by its
	// URL. Its errors are for people.
	Do func(server string, r *http.Request) (*http.Response, error)
	// Broke says in words for people why reading an answer failed; nil: as it is.
	Broke func(error) error
}

var _ core.Blobs = (*Client)(nil)

// exchange makes one request and returns its answer, which it has found to be
// a yes. The body is to be closed.
func (c *Client) exchange(ctx context.Context, server, method string, body io.Reader, headers map[string]string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "/v1/blob", body)
	if err != nil {
		return nil, fmt.Errorf("ask about a blob: %w", err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := c.Do(server, r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusPartialContent {
		return answer, nil
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusServiceUnavailable {
		return answer, wire.Errorf(wire.Unreachable, "the server is busy or closing").WithNext("try again in a while")
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	refused := new(wire.Error)
	if err != nil || answer.Header.Get("Content-Type") != "application/cbor" || wire.Decode(b, refused) != nil || refused.Code == "" {
		return answer, notHearth(fmt.Sprintf("it answered with status %d", answer.StatusCode))
	}
	return answer, refused
}

func notHearth(what string) error {
	return wire.Errorf(wire.WrongServer, "what answers there is no Hearth server: %s", what).WithNext("check the address with whoever keeps the server")
}

func (c *Client) broke(err error) error {
	if c.Broke == nil {
		return err
	}
	return c.Broke(err)
}

func paid(by core.Payment, headers map[string]string) map[string]string {
	headers[wire.HeaderRoom] = wire.FormatHeader(by.Room[:])
	headers[wire.HeaderToken] = wire.FormatHeader(by.Token.Reveal())
	return headers
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// Put implements core.Blobs.
func (c *Client) Put(ctx context.Context, server string, room wire.RoomID, token wire.Secret, ttl time.Duration, b []byte) (wire.BlobID, error) {
	if len(b) > wire.MaxWhole {
		return wire.BlobID{}, wire.Errorf(wire.BadInput, "a blob is too large")
	}
	id := wire.BlobIDOf(room.Region(), b)
	answer, err := c.exchange(ctx, server, http.MethodPut, bytes.NewReader(b), paid(core.Payment{Room: room, Token: token}, map[string]string{
		wire.HeaderBlob: wire.FormatHeader(id[:]),
		wire.HeaderTTL:  seconds(ttl),
	}))
	if err != nil {
		return wire.BlobID{}, err
	}
	return id, answer.Body.Close()
}

// Get implements core.Blobs.
func (c *Client) Get(ctx context.Context, server string, id wire.BlobID) ([]byte, error) {
	r, err := c.Open(ctx, server, id, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// One byte more than may be, so that too much is seen and not cut.
	b, err := io.ReadAll(io.LimitReader(r, wire.MaxWhole+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > wire.MaxWhole:
		return nil, notHearth("it gave more bytes than were asked for")
	case wire.BlobIDOf(id.Region(), b) != id:
		return nil, notHearth("it gave other bytes than were asked for")
	}
	return b, nil
}

// Upload implements core.Blobs.
func (c *Client) Upload(ctx context.Context, server string, u core.Upload, r io.Reader) (int64, error) {
	headers := paid(u.By, map[string]string{
		wire.HeaderUpload: wire.FormatHeader(u.ID[:]),
		wire.HeaderOffset: wire.FormatOffset(u.Offset),
	})
	if u.Last != nil {
		headers[wire.HeaderBlob] = wire.FormatHeader(u.Last[:])
		headers[wire.HeaderTTL] = seconds(u.TTL)
		if u.Drop != (wire.SecretHash{}) {
			headers[wire.HeaderDrop] = wire.FormatHeader(u.Drop[:])
		}
	}
	answer, err := c.exchange(ctx, server, http.MethodPut, struct{ io.Reader }{r}, headers)
	if answer == nil {
		return 0, err
	}
	length, bad := wire.ParseOffset(answer.Header.Get(wire.HeaderOffset))
	if err != nil {
		return length, err
	}
	answer.Body.Close()
	if bad != nil || length < u.Offset {
		return 0, notHearth("it doesn't say what it has")
	}
	return length, nil
}

// Uploaded implements core.Blobs.
func (c *Client) Uploaded(ctx context.Context, server string, id wire.UploadID) (int64, error) {
	answer, err := c.exchange(ctx, server, http.MethodGet, nil, map[string]string{wire.HeaderUpload: wire.FormatHeader(id[:])})
	if err != nil {
		return 0, err
	}
	answer.Body.Close()
	length, err := wire.ParseOffset(answer.Header.Get(wire.HeaderOffset))
	if err != nil {
		return 0, notHearth("it doesn't say what it has")
	}
	return length, nil
}

// Abandon implements core.Blobs.
func (c *Client) Abandon(ctx context.Context, server string, id wire.UploadID) error {
	return c.plain(ctx, server, http.MethodDelete, map[string]string{wire.HeaderUpload: wire.FormatHeader(id[:])})
}

// Open implements core.Blobs.
func (c *Client) Open(ctx context.Context, server string, id wire.BlobID, from int64) (io.ReadCloser, error) {
	headers := map[string]string{wire.HeaderBlob: wire.FormatHeader(id[:])}
	if from > 0 {
		headers["Range"] = wire.Range{From: from, To: -1}.String()
	}
	answer, err := c.exchange(ctx, server, http.MethodGet, nil, headers)
	if err != nil {
		return nil, err
	}
	if from > 0 && (answer.StatusCode != http.StatusPartialContent || !startsAt(answer.Header.Get("Content-Range"), from)) {
		answer.Body.Close()
		return nil, notHearth("it gave another part than was asked for")
	}
	return &body{c: c, ReadCloser: answer.Body}, nil
}

func startsAt(contentRange string, from int64) bool {
	want := "bytes " + wire.FormatOffset(from) + "-"
	return len(contentRange) > len(want) && contentRange[:len(want)] == want
}

// body is an answer's body whose failures are in words for people.
type body struct {
	io.ReadCloser
	c *Client
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.c.broke(err)
	}
	return n, err
}

// Prolong implements core.Blobs.
func (c *Client) Prolong(ctx context.Context, server string, by core.Payment, id wire.BlobID, ttl time.Duration) error {
	return c.plain(ctx, server, http.MethodPost, paid(by, map[string]string{
		wire.HeaderBlob: wire.FormatHeader(id[:]),
		wire.HeaderTTL:  seconds(ttl),
	}))
}

// PutSlot implements core.Blobs.
func (c *Client) PutSlot(ctx context.Context, server string, by core.Payment, slot wire.Secret, ttl time.Duration, b []byte) error {
	id := wire.SlotID(by.Room.Region(), slot)
	answer, err := c.exchange(ctx, server, http.MethodPut, bytes.NewReader(b), paid(by, map[string]string{
		wire.HeaderBlob: wire.FormatHeader(id[:]),
		wire.HeaderTTL:  seconds(ttl),
		wire.HeaderSlot: wire.FormatHeader(slot.Reveal()),
	}))
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// Drop implements core.Blobs.
func (c *Client) Drop(ctx context.Context, server string, id wire.BlobID, secret wire.Secret) error {
	return c.plain(ctx, server, http.MethodDelete, map[string]string{
		wire.HeaderBlob: wire.FormatHeader(id[:]),
		wire.HeaderDrop: wire.FormatHeader(secret.Reveal()),
	})
}

func (c *Client) plain(ctx context.Context, server, method string, headers map[string]string) error {
	answer, err := c.exchange(ctx, server, method, nil, headers)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
