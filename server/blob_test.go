package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
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
	return map[string]string{wire.HeaderBlob: b64(id[:]), wire.HeaderRoom: b64(r.id[:]), wire.HeaderToken: b64(r.token.Reveal()), wire.HeaderTTL: strconv.Itoa(int(ttl / time.Second))}
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
			return w.http("GET", nil, map[string]string{wire.HeaderBlob: b64(id[:])})
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
		for name, x := range map[string]struct {
			body   []byte
			change func(map[string]string)
			want   wire.Code
		}{
			"another token":           {body, func(h map[string]string) { h[wire.HeaderToken] = b64(wire.NewSecret().Reveal()) }, wire.Denied},
			"no room":                 {body, func(h map[string]string) { id := wire.NewRoomID(1); h[wire.HeaderRoom] = b64(id[:]) }, wire.Denied},
			"another id":              {body, func(h map[string]string) { id := wire.BlobIDOf(1, []byte("x")); h[wire.HeaderBlob] = b64(id[:]) }, wire.BadInput},
			"another region":          {body, func(h map[string]string) { id := wire.BlobIDOf(2, body); h[wire.HeaderBlob] = b64(id[:]) }, wire.BadInput},
			"no ttl":                  {body, func(h map[string]string) { delete(h, wire.HeaderTTL) }, wire.BadInput},
			"too long a ttl":          {body, func(h map[string]string) { h[wire.HeaderTTL] = strconv.Itoa(401 * 86400) }, wire.BadInput},
			"a path as an id":         {body, func(h map[string]string) { h[wire.HeaderBlob] = "../../../../etc/passwd" }, wire.BadInput},
			"an offset and no upload": {body, func(h map[string]string) { h[wire.HeaderOffset] = "5" }, wire.BadInput},
			"a wrong offset":          {body, func(h map[string]string) { h[wire.HeaderOffset] = "-1" }, wire.BadInput},
			"nothing is named":        {body, func(h map[string]string) { delete(h, wire.HeaderBlob) }, wire.BadInput},
			"empty":                   {nil, func(map[string]string) {}, wire.BadInput},
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
	})
}

func (w *world) code(method string, body io.Reader, h map[string]string) (int, wire.Code) {
	rec := w.http(method, body, h)
	return rec.Code, codeOf(rec)
}

func TestBlobInPiecesAndParts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.client().room(1)
		body := []byte(strings.Repeat("MARKER-pieces ", 50000))
		id, up := wire.BlobIDOf(1, body), wire.NewUploadID()
		piece := func(from, to int) *httptest.ResponseRecorder {
			h := r.upload(body, day)
			h[wire.HeaderUpload], h[wire.HeaderOffset] = b64(up[:]), strconv.Itoa(from)
			if to < len(body) {
				delete(h, wire.HeaderBlob)
			}
			return w.http("PUT", bytes.NewReader(body[from:to]), h)
		}
		far := func() string {
			return w.http("HEAD", nil, map[string]string{wire.HeaderUpload: b64(up[:])}).Header().Get(wire.HeaderOffset)
		}
		if rec := piece(0, 300000); rec.Code != 200 || rec.Header().Get(wire.HeaderOffset) != "300000" {
			t.Fatalf("first piece: %d, at %s", rec.Code, rec.Header().Get(wire.HeaderOffset))
		}
		w.restart()
		if got := far(); got != "300000" {
			t.Errorf("after a restart it is at %q", got)
		}
		if rec := piece(300001, 400000); rec.Code != http.StatusConflict || codeOf(rec) != wire.Stale || rec.Header().Get(wire.HeaderOffset) != "300000" {
			t.Errorf("a hole: %d %s, at %s", rec.Code, codeOf(rec), rec.Header().Get(wire.HeaderOffset))
		}
		whole := map[string]string{wire.HeaderBlob: b64(id[:])}
		if n, code := w.code("GET", nil, whole); n != http.StatusForbidden || code != wire.Denied {
			t.Errorf("half a blob is there: %d %s", n, code)
		}
		if rec := piece(300000, len(body)); rec.Code != 200 {
			t.Fatalf("last piece: %d %s", rec.Code, codeOf(rec))
		}
		if got := far(); got != "" {
			t.Errorf("the upload is still there, at %q", got)
		}
		rec := w.http("GET", nil, whole)
		tag := rec.Header().Get("ETag")
		if !bytes.Equal(rec.Body.Bytes(), body) || rec.Header().Get("Accept-Ranges") != "bytes" || tag == "" {
			t.Errorf("whole: %d bytes, %v", rec.Body.Len(), rec.Header())
		}
		for _, c := range []struct {
			span, if_ string
			status    int
			from, to  int
		}{
			{"bytes=0-", "", 206, 0, len(body)}, {"bytes=5-9", "", 206, 5, 10}, {"bytes=699999-", "", 206, 699999, 700000},
			{"bytes=5-9999999", tag, 206, 5, len(body)}, {"bytes=5-9", `"another"`, 200, 0, len(body)}, {"bytes=700000-", "", 416, 0, 0},
			{"bytes=-5", "", 400, 0, 0}, {"bytes=0-1,5-6", "", 400, 0, 0}, {"bytes=9-5", "", 400, 0, 0},
		} {
			rec := w.http("GET", nil, map[string]string{wire.HeaderBlob: b64(id[:]), "Range": c.span, "If-Range": c.if_})
			if rec.Code != c.status || c.to > 0 && !bytes.Equal(rec.Body.Bytes(), body[c.from:c.to]) {
				t.Errorf("%s: %d, %d bytes", c.span, rec.Code, rec.Body.Len())
			}
			if want := fmt.Sprintf("bytes %d-%d/%d", c.from, c.to-1, len(body)); c.status == 206 && rec.Header().Get("Content-Range") != want {
				t.Errorf("%s: %s, want %s", c.span, rec.Header().Get("Content-Range"), want)
			}
		}
		rec = w.http("HEAD", nil, whole)
		if rec.Code != 200 || rec.Body.Len() != 0 || rec.Header().Get("Content-Length") != strconv.Itoa(len(body)) {
			t.Errorf("head: %d, %d bytes, %v", rec.Code, rec.Body.Len(), rec.Header())
		}
	})
}

func TestUnfinishedUploadsEnd(t *testing.T) {
	for _, restart := range []bool{false, true} {
		bubble(t, func(t *testing.T, w *world) {
			r := w.client().room(1)
			h := r.upload([]byte("MARKER-unfinished"), day)
			h[wire.HeaderUpload] = b64(make([]byte, 16))
			delete(h, wire.HeaderBlob)
			if n, code := w.code("PUT", strings.NewReader("MARKER-unfinished"), h); n != 200 {
				t.Fatalf("put: %d %s", n, code)
			}
			if len(w.contains("MARKER-unfinished")) != 1 {
				t.Fatal("the upload is nowhere")
			}
			time.Sleep(wire.UploadWithin - time.Hour)
			if restart {
				w.restart()
			}
			time.Sleep(2*time.Hour + time.Minute)
			w.mustNotContain("MARKER-unfinished")
		})
	}
}

func TestBlobsLiveLongerOrShorter(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.client().room(1)
		drop := wire.NewSecret()
		put := func(text string) (map[string]string, wire.BlobID) {
			h := r.upload([]byte(text), 2*day)
			hash := drop.Hash()
			h[wire.HeaderDrop] = b64(hash[:])
			if n, code := w.code("PUT", strings.NewReader(text), h); n != 200 {
				t.Fatalf("put: %d %s", n, code)
			}
			return h, wire.BlobIDOf(1, []byte(text))
		}
		has := func(id wire.BlobID) bool {
			n, _ := w.code("GET", nil, map[string]string{wire.HeaderBlob: b64(id[:])})
			return n == 200
		}
		h, id := put("MARKER-prolonged")
		h[wire.HeaderTTL] = strconv.Itoa(20 * 86400)
		if n, code := w.code("POST", nil, h); n != 200 {
			t.Errorf("prolong: %d %s", n, code)
		}
		h[wire.HeaderToken] = b64(wire.NewSecret().Reveal())
		if n, code := w.code("POST", nil, h); code != wire.Denied {
			t.Errorf("prolong for nothing: %d %s", n, code)
		}
		other := r.upload([]byte("not there"), day)
		if n, code := w.code("POST", nil, other); code != wire.Denied {
			t.Errorf("prolong what is not there: %d %s", n, code)
		}
		// Whoever knows the bytes can't take the dropping over.
		_, gone := put("MARKER-dropped")
		mine := drop
		drop = wire.NewSecret()
		put("MARKER-dropped")
		for name, secret := range map[string]wire.Secret{"another secret": drop, "none": {}} {
			if n, code := w.code("DELETE", nil, map[string]string{wire.HeaderBlob: b64(gone[:]), wire.HeaderDrop: b64(secret.Reveal())}); n == 200 || code == "" {
				t.Errorf("dropped with %s: %d %s", name, n, code)
			}
		}
		if !has(gone) {
			t.Fatal("it was dropped")
		}
		if n, code := w.code("DELETE", nil, map[string]string{wire.HeaderBlob: b64(gone[:]), wire.HeaderDrop: b64(mine.Reveal())}); n != 200 {
			t.Errorf("drop: %d %s", n, code)
		}
		if has(gone) {
			t.Error("a dropped blob is there")
		}
		time.Sleep(5 * time.Second)
		w.mustNotContain("MARKER-dropped")
		if f := w.anyForm(gone[:]); len(f) > 0 {
			t.Errorf("a dropped blob's id is in %v", f)
		}
		time.Sleep(19 * day)
		if !has(id) {
			t.Error("a prolonged blob is gone")
		}
		time.Sleep(2 * day)
		w.mustNotContain("MARKER-prolonged")
		if f := w.anyForm(id[:]); len(f) > 0 {
			t.Errorf("an expired blob's id is in %v", f)
		}
	})
}

func TestSlots(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.client().room(1)
		secret := wire.NewSecret()
		id := wire.SlotID(1, secret)
		put := func(text string, secret wire.Secret, ttl time.Duration) wire.Code {
			h := r.upload(nil, ttl)
			h[wire.HeaderBlob], h[wire.HeaderSlot] = b64(id[:]), b64(secret.Reveal())
			_, code := w.code("PUT", strings.NewReader(text), h)
			return code
		}
		get := func() string {
			rec := w.http("GET", nil, map[string]string{wire.HeaderBlob: b64(id[:])})
			if rec.Code != 200 {
				return string(codeOf(rec))
			}
			return rec.Body.String()
		}
		for _, text := range []string{"first", "MARKER-second, longer"} {
			if code := put(text, secret, 2*day); code != "" || get() != text {
				t.Errorf("put %q: %s, got %q", text, code, get())
			}
		}
		if code := put("theirs", wire.NewSecret(), 2*day); code != wire.Denied || get() != "MARKER-second, longer" {
			t.Errorf("without the secret: %s, got %q", code, get())
		}
		h := r.upload([]byte("plain"), day)
		h[wire.HeaderBlob] = b64(id[:])
		if _, code := w.code("PUT", strings.NewReader("plain"), h); code != wire.BadInput {
			t.Errorf("as a plain blob: %s", code)
		}
		w.restart()
		if get() != "MARKER-second, longer" {
			t.Errorf("after a restart: %q", get())
		}
		time.Sleep(2*day + time.Minute)
		if get() != string(wire.Denied) {
			t.Errorf("after its ttl: %q", get())
		}
		w.mustNotContain("MARKER-second")
	})
}

func TestBlobBudgets(t *testing.T) {
	synctestWorld(t, func(c *Config) {
		c.Limits.BlobBytes, c.Limits.BlobRoomBytes = 100, 60
	}, func(w *world) {
		t := w.t
		c := w.client()
		a, b := c.room(1), c.room(1)
		put := func(r *testRoom, text string, pieces bool) wire.Code {
			h := r.upload([]byte(text), day)
			if pieces {
				delete(h, wire.HeaderBlob)
				up := wire.NewUploadID()
				h[wire.HeaderUpload] = b64(up[:])
			}
			// Once with its length known before, once not.
			_, code := w.code("PUT", struct{ io.Reader }{strings.NewReader(text)}, h)
			if code != "" {
				if _, again := w.code("PUT", strings.NewReader(text), h); again != code {
					t.Errorf("with its length known: %s, else %s", again, code)
				}
			}
			return code
		}
		for i, x := range []struct {
			r      *testRoom
			n      int
			pieces bool
			want   wire.Code
		}{
			{a, 40, false, ""}, {a, 30, false, wire.Full}, {a, 20, true, ""}, {a, 1, false, wire.Full}, // the room's day is over
			{b, 41, false, wire.Full}, {b, 40, false, ""}, {b, 1, false, wire.Full}, // unfinished uploads count
		} {
			if got := put(x.r, strings.Repeat(string(rune('a'+i)), x.n), x.pieces); got != x.want {
				t.Errorf("step %d: %q, want %q", i, got, x.want)
			}
		}
		time.Sleep(day + 2*time.Hour) // all of it has ended
		if got := put(a, strings.Repeat("z", 60), false); got != "" {
			t.Errorf("a day later: %s", got)
		}
	})
}

func TestADoorPaysForItsOwner(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		d, _ := w.client().door(wire.DoorClass{ID: wire.ClassID{1}, Quota: 10})
		r := &testRoom{id: d.id, token: d.seat.secret}
		if n, code := w.code("PUT", strings.NewReader("x"), r.upload([]byte("x"), day)); n != 200 {
			t.Errorf("its seat's secret: %d %s", n, code)
		}
		r.token = d.key
		if n, code := w.code("PUT", strings.NewReader("y"), r.upload([]byte("y"), day)); code != wire.Denied {
			t.Errorf("the key that it gives out: %d %s", n, code)
		}
	})
}

// TestAnUploadThatBreaksOffGoesOn needs a real connection.
func TestAnUploadThatBreaksOffGoesOn(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(w.s.Handler())
	defer srv.Close()
	r := w.client().room(1)
	body := bytes.Repeat([]byte("0123456789abcdef"), 100000)
	up := wire.NewUploadID()
	request := func(from int, b io.Reader, last bool) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", srv.URL+"/v1/blob", b)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range r.upload(body, day) {
			req.Header.Set(k, v)
		}
		if !last {
			req.Header.Del(wire.HeaderBlob)
		}
		req.Header.Set(wire.HeaderUpload, b64(up[:]))
		req.Header.Set(wire.HeaderOffset, strconv.Itoa(from))
		return req
	}
	pr, pw := io.Pipe()
	go func() {
		pw.Write(body[:1000000])
		pw.CloseWithError(errEnded)
	}()
	if _, err := http.DefaultClient.Do(request(0, pr, true)); err == nil {
		t.Fatal("it did not break off")
	}
	at := -1
	for at < 0 { // the server notices in its own time
		head, err := http.NewRequestWithContext(t.Context(), "HEAD", srv.URL+"/v1/blob", nil)
		if err != nil {
			t.Fatal(err)
		}
		head.Header.Set(wire.HeaderUpload, b64(up[:]))
		rec, err := http.DefaultClient.Do(head)
		if err != nil {
			t.Fatal(err)
		}
		rec.Body.Close()
		if rec.StatusCode == 200 {
			at, err = strconv.Atoi(rec.Header.Get(wire.HeaderOffset))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if at == 0 || at > 1000000 {
		t.Fatalf("%d bytes were kept", at)
	}
	rec, err := http.DefaultClient.Do(request(at, bytes.NewReader(body[at:]), true))
	if err != nil || rec.StatusCode != 200 {
		t.Fatalf("the rest: %v, %v", rec, err)
	}
	rec.Body.Close()
	get, _ := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/v1/blob", nil)
	id := wire.BlobIDOf(1, body)
	get.Header.Set(wire.HeaderBlob, b64(id[:]))
	if rec, err = http.DefaultClient.Do(get); err != nil {
		t.Fatal(err)
	}
	defer rec.Body.Close()
	if got, err := io.ReadAll(rec.Body); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
