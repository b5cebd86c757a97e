package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth/wire"
)

// blobs is the HTTP side of a world, without a socket.
func (w *world) http(method string, body io.Reader, header map[string]string) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(context.Background(), method, "/v1/blob", body)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.s.Handler().ServeHTTP(rec, req)
	return rec
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (r *testRoom) upload(body []byte, ttl time.Duration) map[string]string {
	id := wire.BlobIDOf(1, body)
	return map[string]string{HeaderBlob: b64(id[:]), HeaderRoom: b64(r.id[:]), HeaderToken: b64(r.token.Reveal()), HeaderTTL: strconv.Itoa(int(ttl / time.Second))}
}

func codeOf(rec *httptest.ResponseRecorder) wire.Code {
	var e wire.Error
	if wire.Decode(rec.Body.Bytes(), &e) != nil {
		return ""
	}
	return e.Code
}

func TestBlobs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(1)
		body := []byte("MARKER-blob " + strings.Repeat("z", 100000))
		id := wire.BlobIDOf(1, body)
		get := func() *httptest.ResponseRecorder {
			return w.http("GET", nil, map[string]string{HeaderBlob: b64(id[:])})
		}
		if rec := get(); rec.Code != http.StatusForbidden || codeOf(rec) != wire.Denied {
			t.Errorf("absent: %d %s", rec.Code, codeOf(rec))
		}
		for range 2 { // idempotent
			if rec := w.http("PUT", bytes.NewReader(body), r.upload(body, 10*day)); rec.Code != 200 {
				t.Fatalf("put: %d %s", rec.Code, codeOf(rec))
			}
		}
		if rec := get(); rec.Code != 200 || !bytes.Equal(rec.Body.Bytes(), body) {
			t.Errorf("get: %d, %d bytes", rec.Code, rec.Body.Len())
		}
		w.restart()
		if rec := get(); rec.Code != 200 || !bytes.Equal(rec.Body.Bytes(), body) {
			t.Errorf("after a restart: %d, %d bytes", rec.Code, rec.Body.Len())
		}
		if f := w.anyForm(r.id[:]); len(f) == 0 {
			t.Fatal("the room is nowhere")
		}
		time.Sleep(10*day + 2*time.Second)
		if rec := get(); rec.Code != http.StatusForbidden {
			t.Errorf("after its ttl: %d", rec.Code)
		}
		time.Sleep(time.Minute)
		w.mustNotContain("MARKER-blob")
	})
}

func TestBlobUploadsAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		r := c.room(1)
		body := []byte("MARKER-refused")
		big := make([]byte, wire.MaxBlob+1)
		for name, x := range map[string]struct {
			body   []byte
			change func(map[string]string)
			want   wire.Code
		}{
			"another token":   {body, func(h map[string]string) { h[HeaderToken] = b64(wire.NewSecret().Reveal()) }, wire.Denied},
			"no room":         {body, func(h map[string]string) { id := wire.NewRoomID(1); h[HeaderRoom] = b64(id[:]) }, wire.Denied},
			"another id":      {body, func(h map[string]string) { id := wire.BlobIDOf(1, []byte("x")); h[HeaderBlob] = b64(id[:]) }, wire.BadInput},
			"another region":  {body, func(h map[string]string) { id := wire.BlobIDOf(2, body); h[HeaderBlob] = b64(id[:]) }, wire.BadInput},
			"no ttl":          {body, func(h map[string]string) { delete(h, HeaderTTL) }, wire.BadInput},
			"too long a ttl":  {body, func(h map[string]string) { h[HeaderTTL] = strconv.Itoa(31 * 86400) }, wire.BadInput},
			"a path as an id": {body, func(h map[string]string) { h[HeaderBlob] = "../../../../etc/passwd" }, wire.BadInput},
			"too large":       {big, func(map[string]string) {}, wire.BadInput},
			"empty":           {nil, func(map[string]string) {}, wire.BadInput},
		} {
			h := r.upload(x.body, day)
			x.change(h)
			// Streamed, so that the length is not known before.
			rec := w.http("PUT", struct{ io.Reader }{bytes.NewReader(x.body)}, h)
			if got := codeOf(rec); got != x.want {
				t.Errorf("%s: got %d %q, want %q", name, rec.Code, got, x.want)
			}
		}
		w.mustNotContain("MARKER-refused")
		if left := w.contains(string(big[:1000])); len(left) > 0 {
			for _, f := range left {
				if strings.HasSuffix(f, ".part") {
					t.Errorf("%s was left behind", f)
				}
			}
		}
	})
}
