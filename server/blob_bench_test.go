package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"hearth/wire"
)

// BenchmarkBlob moves 256 MiB up and down over loopback, beside a plain net/http
// file server in the same run: what blobs cost more is the hash of an upload.
func BenchmarkBlob(b *testing.B) {
	const size = 256 << 20
	body := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(body)
	id := wire.BlobIDOf(1, body)

	s, err := New(Config{Dir: b.TempDir(), Domain: "bench", Log: slog.New(slog.DiscardHandler), Limits: Limits{BlobRoomBytes: 1 << 50}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	web := httptest.NewServer(s.Handler())
	defer func() { web.Close(); stop(); <-ended }()
	w := &world{t: b, s: s}
	r := w.client().room(1)

	dir := b.TempDir()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := filepath.Join(dir, "blob")
		if r.Method == http.MethodGet {
			http.ServeFile(w, r, path)
			return
		}
		f, err := os.Create(path)
		if err == nil {
			_, err = io.Copy(f, r.Body)
		}
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			http.Error(w, err.Error(), 500)
		}
		f.Close()
	}))
	defer plain.Close()

	do := func(b *testing.B, method, url string, body io.Reader, header map[string]string) {
		req, err := http.NewRequestWithContext(b.Context(), method, url, body)
		if err != nil {
			b.Fatal(err)
		}
		for k, v := range header {
			req.Header.Set(k, v)
		}
		rec, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, rec.Body)
		rec.Body.Close()
		if err != nil || rec.StatusCode != 200 || method == http.MethodGet && n != size {
			b.Fatalf("%s: status %d, %d bytes, %v", method, rec.StatusCode, n, err)
		}
	}
	header := map[string]string{wire.HeaderBlob: b64(id[:]), wire.HeaderRoom: b64(r.id[:]), wire.HeaderToken: b64(r.token.Reveal()), wire.HeaderTTL: strconv.Itoa(86400)}
	for _, x := range []struct {
		name, method, url string
		header            map[string]string
	}{
		{"up/hearth", http.MethodPut, web.URL + "/v1/blob", header},
		{"up/plain", http.MethodPut, plain.URL, nil},
		{"down/hearth", http.MethodGet, web.URL + "/v1/blob", header},
		{"down/plain", http.MethodGet, plain.URL, nil},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				var up io.Reader
				if x.method == http.MethodPut {
					up = bytes.NewReader(body)
				}
				do(b, x.method, x.url, up, x.header)
			}
		})
	}
}
