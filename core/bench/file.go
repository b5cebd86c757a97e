package bench

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"time"

	"hearth/core"
	"hearth/wire"
)

// Plain is what the same bytes take over HTTP without Hearth: put into a file that
// is then on disk, and fetched into another.
type Plain struct {
	Line
	MiB   int     `json:"mib"`
	UpS   float64 `json:"up_s"`
	DownS float64 `json:"down_s"`
}

// File is a file from one person to another: sealed, uploaded and its message sent;
// fetched, opened and written.
type File struct {
	Line
	MiB   int     `json:"mib"`
	UpS   float64 `json:"up_s"`
	DownS float64 `json:"down_s"`
	UpMiB float64 `json:"up_mib_per_s"`
	DnMiB float64 `json:"down_mib_per_s"`
	// TimesUp and TimesDown: as long as plain.
	TimesUp   float64 `json:"times_up"`
	TimesDown float64 `json:"times_down"`
	// MemoryMiB is the most memory that this process, both devices, had meanwhile;
	// PeakHeapMiB, of that, the heap.
	MemoryMiB   float64 `json:"memory_mib"`
	PeakHeapMiB float64 `json:"peak_heap_mib"`
}

func (r *run) file(ctx context.Context) (res result, err error) {
	size := int64(r.MiB) << 20
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return res, err
	}
	source, got := filepath.Join(r.dir, "source.bin"), filepath.Join(r.dir, "got.bin")
	if err := noise(source, size); err != nil {
		return res, err
	}
	plain, err := r.plain(ctx, source)
	if err != nil {
		return res, err
	}
	alice, bob, room, err := r.pair(ctx)
	if err != nil {
		return res, err
	}
	runtime.GC()
	f := &File{MiB: r.MiB}
	memory, peak := watch(memory), watchHeap()
	begun := r.clock()
	sent, err := alice.Send(ctx, core.SendOptions{To: room, File: source, Wait: time.Hour})
	if err == nil && sent.State != core.StateSent {
		err = wire.Errorf(wire.Unreachable, "the file was not sent")
	}
	f.UpS = begun.seconds()
	if err == nil {
		err = bob.heard(ctx, room, 2)
	}
	down := r.clock()
	if err == nil {
		_, err = bob.SaveFile(ctx, core.SaveOptions{Room: room, ID: sent.ID, To: got})
	}
	f.DownS = down.seconds()
	f.MemoryMiB, f.PeakHeapMiB = memory(), peak()
	if err != nil {
		return res, err
	}
	f.Line = begun.line("file")
	f.UpMiB, f.DnMiB = per(float64(r.MiB), f.UpS), per(float64(r.MiB), f.DownS)
	f.TimesUp, f.TimesDown = per(f.UpS, plain.UpS), per(f.DownS, plain.DownS)
	return result{Lines{plain, f}, f.UpS + f.DownS}, nil
}

// noise writes bytes that nothing makes shorter.
func noise(name string, size int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), size)
	return errors.Join(err, f.Sync(), f.Close())
}

// into writes what r yields into a file that is on disk then.
func into(name string, r io.Reader) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// plain moves a file over HTTP and back.
func (r *run) plain(ctx context.Context, source string) (*Plain, error) {
	there, got := filepath.Join(r.dir, "there.bin"), filepath.Join(r.dir, "back.bin")
	defer os.Remove(there)
	defer os.Remove(got)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet {
			http.ServeFile(w, q, there)
		} else if err := into(there, q.Body); err != nil {
			http.Error(w, "", http.StatusInternalServerError)
		}
	})}
	defer s.Close()
	go s.Serve(l)
	ask := func(method string, body io.Reader, use func(io.Reader) error) error {
		q, err := http.NewRequestWithContext(ctx, method, "http://"+l.Addr().String()+"/", body)
		if err != nil {
			return err
		}
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			return err
		}
		defer a.Body.Close()
		if a.StatusCode != http.StatusOK {
			return errors.New("the plain server failed")
		}
		return use(a.Body)
	}
	p := &Plain{MiB: r.MiB}
	begun := r.clock()
	f, err := os.Open(source)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := ask(http.MethodPut, f, func(io.Reader) error { return nil }); err != nil {
		return nil, err
	}
	p.UpS = begun.seconds()
	down := r.clock()
	if err := ask(http.MethodGet, nil, func(b io.Reader) error { return into(got, b) }); err != nil {
		return nil, err
	}
	p.DownS = down.seconds()
	p.Line = begun.line("plain")
	return p, nil
}

// memory is what this process has from the system for Go, in MiB: heap, stacks and
// all that the runtime keeps.
func memory() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64()-s[1].Value.Uint64()) / (1 << 20)
}
