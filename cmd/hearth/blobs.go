package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"hearth/server"
	"hearth/wire"
)

// blobs is core.Blobs over HTTP. Ids and capabilities travel in headers, never
// in a URL, which proxies log.
type blobs struct{}

// Put stores b on a server for ttl, paid with the room's post token.
func (blobs) Put(ctx context.Context, at string, room wire.RoomID, token wire.Secret, ttl time.Duration, b []byte) (wire.BlobID, error) {
	if len(b) > wire.MaxBlob {
		return wire.BlobID{}, wire.Errorf(wire.BadInput, "a blob is too large")
	}
	id := wire.BlobIDOf(room.Region(), b)
	_, err := exchange(ctx, http.MethodPut, at, bytes.NewReader(b), map[string]string{
		server.HeaderBlob:  base64.RawURLEncoding.EncodeToString(id[:]),
		server.HeaderRoom:  base64.RawURLEncoding.EncodeToString(room[:]),
		server.HeaderToken: base64.RawURLEncoding.EncodeToString(token.Reveal()),
		server.HeaderTTL:   strconv.FormatInt(int64(ttl/time.Second), 10),
	})
	return id, err
}

// Get returns the bytes of a blob, which are those of its id or an error.
func (blobs) Get(ctx context.Context, at string, id wire.BlobID) ([]byte, error) {
	b, err := exchange(ctx, http.MethodGet, at, nil, map[string]string{
		server.HeaderBlob: base64.RawURLEncoding.EncodeToString(id[:]),
	})
	if err != nil {
		return nil, err
	}
	if wire.BlobIDOf(id.Region(), b) != id {
		return nil, wire.Errorf(wire.WrongServer, "the house gave other bytes than were asked for").WithNext("tell whoever keeps it")
	}
	return b, nil
}

// exchange makes one request of /v1/blob and returns the body of its answer.
func exchange(ctx context.Context, method, at string, body io.Reader, headers map[string]string) ([]byte, error) {
	u, err := serverURL(at)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, u.JoinPath("v1", "blob").String(), body)
	if err != nil {
		return nil, fmt.Errorf("ask for a blob: %w", err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := web.Do(r)
	if err != nil {
		return nil, transportError(err)
	}
	defer answer.Body.Close()
	// One byte more than may be, so that too much is seen and not cut.
	b, err := io.ReadAll(io.LimitReader(answer.Body, wire.MaxBlob+1))
	switch {
	case err != nil:
		return nil, transportError(err)
	case len(b) > wire.MaxBlob:
		return nil, wire.Errorf(wire.WrongServer, "the house gave more bytes than a blob has")
	case answer.StatusCode == http.StatusOK:
		return b, nil
	}
	refused := new(wire.Error)
	if answer.Header.Get("Content-Type") != "application/cbor" || wire.Decode(b, refused) != nil || refused.Code == "" {
		return nil, wrongServer(fmt.Errorf("answered with status %d", answer.StatusCode))
	}
	return nil, refused
}
