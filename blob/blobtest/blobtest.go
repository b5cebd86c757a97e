// Package blobtest holds what every engine of blob keeps, as tests.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"hearth/blob"
	"hearth/wire"
)

// Clock is the time of a test.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep lets time pass.
func (c *Clock) Sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// store is one store under test.
type store struct {
	*testing.T
	blob.Store
	clock *Clock
	again func() blob.Store
}

// Run tests an engine. fresh makes an empty place and returns what opens it, by
// the clock; it is called again where a test starts anew.
func Run(t *testing.T, fresh func(t *testing.T) func(now func() time.Time) (blob.Store, error)) {
	for name, f := range map[string]func(*store){
		"WholeBlob":              wholeBlob,
		"InPieces":               inPieces,
		"CutShortGoesOn":         cutShort,
		"AnotherOffset":          anotherOffset,
		"OtherBytes":             otherBytes,
		"TooMuch":                tooMuch,
		"NoteComesBeforeReading": noteFirst,
		"Removed":                removed,
		"UploadsEnd":             uploadsEnd,
		"OneAtATime":             oneAtATime,
		"TwiceTheSame":           twiceTheSame,
		"WhatIsNotThere":         notThere,
		"Slots":                  slots,
	} {
		t.Run(name, func(t *testing.T) {
			open := fresh(t)
			clock := &Clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			s := &store{T: t, clock: clock}
			s.again = func() blob.Store {
				st, err := open(clock.Now)
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				return st
			}
			s.Store = s.again()
			f(s)
		})
	}
}

var ctx = context.Background()

func content(n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	b := make([]byte, n)
	r.Read(b)
	return b
}

func (s *store) append(up wire.UploadID, at int64, b []byte) {
	s.Helper()
	n, err := s.Append(ctx, up, at, bytes.NewReader(b), wire.MaxBlob)
	if err != nil || n != at+int64(len(b)) {
		s.Fatalf("append at %d: %d, %v", at, n, err)
	}
}

func (s *store) finish(up wire.UploadID, id wire.BlobID) {
	s.Helper()
	if err := s.Finish(ctx, up, id, func(int64) error { return nil }); err != nil {
		s.Fatalf("finish: %v", err)
	}
}

func (s *store) put(b []byte) wire.BlobID {
	s.Helper()
	up, id := wire.NewUploadID(), wire.BlobIDOf(1, b)
	s.append(up, 0, b)
	s.finish(up, id)
	return id
}

func (s *store) has(id wire.BlobID, want []byte) {
	s.Helper()
	r, size, err := s.Open(ctx, id)
	if err != nil {
		s.Fatalf("open: %v", err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || size != int64(len(want)) || !bytes.Equal(got, want) {
		s.Fatalf("read %d bytes of %d, %v; want %d", len(got), size, err, len(want))
	}
}

func (s *store) denied(what string, err error, code wire.Code) {
	s.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != code {
		s.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func (s *store) absent(id wire.BlobID) {
	s.Helper()
	if r, _, err := s.Open(ctx, id); err == nil {
		r.Close()
		s.Error("a blob is there")
	} else {
		s.denied("open", err, wire.Denied)
	}
}

func (s *store) under(want int64) {
	s.Helper()
	if n, err := s.Uploads(ctx); err != nil || n != want {
		s.Errorf("uploads take %d bytes, %v; want %d", n, err, want)
	}
}

func wholeBlob(s *store) {
	for _, n := range []int{1, 4096, 256 << 10, 256<<10 + 1, 1 << 20} {
		b := content(n)
		id := s.put(b)
		s.has(id, b)
		r, _, err := s.Open(ctx, id)
		if err != nil {
			s.Fatal(err)
		}
		if _, err := r.Seek(int64(n)/2, io.SeekStart); err != nil {
			s.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, b[n/2:]) {
			s.Errorf("from the middle: %d bytes, %v", len(got), err)
		}
		r.Close()
		s.Store = s.again()
		s.has(id, b)
	}
	s.under(0)
}

func inPieces(s *store) {
	b := content(700000)
	up, id := wire.NewUploadID(), wire.BlobIDOf(1, b)
	for at := 0; at < len(b); at += 100000 {
		s.append(up, int64(at), b[at:at+100000])
		s.absent(id)
		if n, err := s.Length(ctx, up); err != nil || n != int64(at+100000) {
			s.Fatalf("length: %d, %v", n, err)
		}
		if at == 300000 {
			s.Store = s.again() // the hash must be found again
		}
		s.under(int64(at + 100000))
	}
	s.Store = s.again()
	s.finish(up, id)
	s.has(id, b)
	s.under(0)
}

// broken yields b, then fails as a connection does.
type broken struct{ r io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func cutShort(s *store) {
	b := content(600000)
	up, id := wire.NewUploadID(), wire.BlobIDOf(1, b)
	n, err := s.Append(ctx, up, 0, broken{bytes.NewReader(b[:333333])}, wire.MaxBlob)
	if err == nil {
		s.Fatal("a body that broke off was taken as whole")
	}
	if n < 1 || n > 333333 {
		s.Fatalf("%d bytes were kept", n)
	}
	s.Store = s.again()
	if m, err := s.Length(ctx, up); err != nil || m != n {
		s.Fatalf("after a restart: %d, %v; want %d", m, err, n)
	}
	s.append(up, n, b[n:])
	s.finish(up, id)
	s.has(id, b)
}

func anotherOffset(s *store) {
	b := content(1000)
	up := wire.NewUploadID()
	s.append(up, 0, b[:500])
	for _, at := range []int64{0, 1, 499, 501, 1000} {
		n, err := s.Append(ctx, up, at, bytes.NewReader(b[at:]), wire.MaxBlob)
		s.denied("another offset", err, wire.Stale)
		if n != 500 {
			s.Errorf("told %d, want 500", n)
		}
	}
	s.append(up, 500, b[500:])
	id := wire.BlobIDOf(1, b)
	s.finish(up, id)
	s.has(id, b)
}

func otherBytes(s *store) {
	b := content(1000)
	for name, id := range map[string]wire.BlobID{
		"other bytes":    wire.BlobIDOf(1, content(999)),
		"another region": wire.BlobIDOf(2, b),
	} {
		up := wire.NewUploadID()
		s.append(up, 0, b)
		if name == "another region" {
			id[0] = 1
			id[1] ^= 1
		}
		err := s.Finish(ctx, up, id, func(int64) error { s.Error("noted"); return nil })
		s.denied(name, err, wire.BadInput)
		s.absent(id)
		_, err = s.Length(ctx, up)
		s.denied("the upload afterwards", err, wire.Denied)
	}
	s.under(0)
}

func tooMuch(s *store) {
	b := content(600000)
	up := wire.NewUploadID()
	n, err := s.Append(ctx, up, 0, bytes.NewReader(b), 599999)
	s.denied("one byte more", err, wire.Full)
	if n > 599999 {
		s.Errorf("%d bytes were kept", n)
	}
	if n, err := s.Append(ctx, wire.NewUploadID(), 0, bytes.NewReader(b), 600000); err != nil || n != 600000 {
		s.Errorf("just as much: %d, %v", n, err)
	}
}

func noteFirst(s *store) {
	b := content(1000)
	up, id := wire.NewUploadID(), wire.BlobIDOf(1, b)
	s.append(up, 0, b)
	no := errors.New("no")
	if err := s.Finish(ctx, up, id, func(int64) error { return no }); !errors.Is(err, no) {
		s.Errorf("got %v", err)
	}
	s.absent(id)
	noted := false
	err := s.Finish(ctx, up, id, func(size int64) error {
		s.absent(id)
		noted = size == 1000
		return nil
	})
	if err != nil || !noted {
		s.Errorf("noted %v, %v", noted, err)
	}
	s.has(id, b)
}

func removed(s *store) {
	b := content(1 << 20)
	id := s.put(b)
	r, _, err := s.Open(ctx, id)
	if err != nil {
		s.Fatal(err)
	}
	defer r.Close()
	for range 2 {
		if err := s.Remove(ctx, id); err != nil {
			s.Fatal(err)
		}
	}
	s.absent(id)
	if got, _ := io.ReadAll(r); len(got) != 0 {
		s.Errorf("who has it open reads %d bytes of it", len(got))
	}
	s.Store = s.again()
	s.absent(id)
	s.put(b)
	s.has(id, b)
}

func uploadsEnd(s *store) {
	up, later := wire.NewUploadID(), wire.NewUploadID()
	s.append(up, 0, content(1000))
	s.clock.Sleep(wire.UploadWithin - time.Minute)
	s.append(later, 0, content(100))
	s.under(1100)
	s.clock.Sleep(time.Minute)
	_, err := s.Length(ctx, up)
	s.denied("an upload whose time is over", err, wire.Denied)
	s.under(100)
	s.clock.Sleep(wire.UploadWithin)
	s.Store = s.again() // it ends after a restart, too
	_, err = s.Length(ctx, later)
	s.denied("after a restart", err, wire.Denied)
	s.under(0)
	s.append(up, 0, content(10)) // the name is free again
	if err := s.Abandon(ctx, up); err != nil {
		s.Error(err)
	}
	if err := s.Abandon(ctx, up); err != nil {
		s.Error(err)
	}
	s.under(0)
}

func oneAtATime(s *store) {
	b := content(1000)
	up := wire.NewUploadID()
	r, w := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := s.Append(ctx, up, 0, r, wire.MaxBlob)
		done <- err
	}()
	w.Write(b[:500]) // from here on it is in use
	_, err := s.Append(ctx, up, 0, bytes.NewReader(b), wire.MaxBlob)
	s.denied("a second writer", err, wire.Stale)
	_, err = s.Length(ctx, up)
	s.denied("its length meanwhile", err, wire.Stale)
	s.denied("finish meanwhile", s.Finish(ctx, up, wire.BlobIDOf(1, b[:500]), func(int64) error { return nil }), wire.Stale)
	w.Write(b[500:])
	w.Close()
	if err := <-done; err != nil {
		s.Error(err)
	}
	s.finish(up, wire.BlobIDOf(1, b))
	// Abandoned while it is in use, it ends when it is let go.
	r, w = io.Pipe()
	go func() {
		_, err := s.Append(ctx, up, 0, r, wire.MaxBlob)
		done <- err
	}()
	w.Write(b)
	if err := s.Abandon(ctx, up); err != nil {
		s.Error(err)
	}
	w.Close()
	<-done
	s.under(0)
}

func twiceTheSame(s *store) {
	b := content(5000)
	id := s.put(b)
	s.put(b)
	s.has(id, b)
}

func notThere(s *store) {
	s.absent(wire.BlobIDOf(1, []byte("x")))
	up := wire.NewUploadID()
	_, err := s.Length(ctx, up)
	s.denied("length", err, wire.Denied)
	_, err = s.Append(ctx, up, 5, bytes.NewReader(nil), 10)
	s.denied("append in the middle of nothing", err, wire.Denied)
	s.denied("finish", s.Finish(ctx, up, wire.BlobID{1}, func(int64) error { return nil }), wire.Denied)
	if _, err := s.Append(ctx, up, 0, bytes.NewReader(nil), 10); err != nil {
		s.Error(err)
	}
	s.under(0)
}

func slots(s *store) {
	id := wire.SlotID(1, wire.NewSecret())
	for _, n := range []int{1000, 10, 70000} {
		up := wire.NewUploadID()
		s.append(up, 0, content(n))
		if err := s.Replace(ctx, up, id, func(int64) error { return nil }); err != nil {
			s.Fatal(err)
		}
		s.has(id, content(n))
	}
	s.Store = s.again()
	s.has(id, content(70000))
	if err := s.Remove(ctx, id); err != nil {
		s.Fatal(err)
	}
	s.absent(id)
	s.under(0)
}
