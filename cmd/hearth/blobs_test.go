package main

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"hearth/core"
	"hearth/wire"
)

// door makes a door in a house: its owner may upload.
func door(t *testing.T, at string) core.Payment {
	t.Helper()
	conn, err := dial(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	seat := wire.NewSecret()
	d := wire.DoorCreate{Door: wire.NewRoomID(1), Seat: wire.NewSeat{ID: wire.NewSeatID(1), Hash: seat.Hash()},
		Classes: []wire.DoorClass{{ID: wire.ClassID{1}, Hash: wire.NewSecret().Hash(), Quota: 1}}}
	for i, frame := range [][]byte{
		wire.NewFrame(wire.OpHello, 1, wire.Hello{Version: wire.Version}),
		wire.NewFrame(wire.OpDoorCreate, 2, d),
	} {
		if err := conn.Write(t.Context(), frame); err != nil {
			t.Fatal(err)
		}
		b, err := conn.Read(t.Context())
		var f wire.Frame
		if err := errors.Join(err, wire.Decode(b, &f)); err != nil || f.Op == wire.OpError {
			t.Fatalf("step %d: op %d, %v", i, f.Op, err)
		}
	}
	return core.Payment{Room: d.Door, Token: seat}
}

func TestBlobsOverHTTP(t *testing.T) {
	at := house(t)
	by := door(t, at)
	body := bytes.Repeat([]byte("0123456789"), 100000)
	id, err := blobs.Put(t.Context(), at, by.Room, by.Token, time.Hour, body)
	if err != nil || id != wire.BlobIDOf(1, body) {
		t.Fatalf("put: %v", err)
	}
	if got, err := blobs.Get(t.Context(), at, id); err != nil || !bytes.Equal(got, body) {
		t.Errorf("get: %d bytes, %v", len(got), err)
	}
	for _, from := range []int64{0, 1, 999999} {
		r, err := blobs.Open(t.Context(), at, id, from)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body[from:]) {
			t.Errorf("from %d: %d bytes, %v", from, len(got), err)
		}
		r.Close()
	}
	if err := blobs.Prolong(t.Context(), at, by, id, 2*time.Hour); err != nil {
		t.Errorf("prolong: %v", err)
	}
	if err := blobs.Drop(t.Context(), at, id, wire.NewSecret()); !errors.Is(err, wire.ErrDenied) {
		t.Errorf("drop without a secret: %v", err)
	}
}

func TestAnUploadGoesOnWhereItBroke(t *testing.T) {
	at := house(t)
	by := door(t, at)
	body := bytes.Repeat([]byte("abcdefghij"), 200000)
	id, drop := wire.BlobIDOf(1, body), wire.NewSecret()
	u := core.Upload{ID: wire.NewUploadID(), By: by}
	if n, err := blobs.Upload(t.Context(), at, u, bytes.NewReader(body[:700000])); err != nil || n != 700000 {
		t.Fatalf("first piece: %d, %v", n, err)
	}
	u.Offset, u.Last, u.TTL, u.Drop = 700000, &id, time.Hour, drop.Hash()
	cut := io.MultiReader(bytes.NewReader(body[700000:1500000]), iotest.ErrReader(errors.New("unplugged")))
	if _, err := blobs.Upload(t.Context(), at, u, cut); err == nil {
		t.Fatal("it did not break")
	}
	for {
		n, err := blobs.Uploaded(t.Context(), at, u.ID)
		if errors.Is(err, wire.ErrStale) {
			continue // the server has not noticed yet
		}
		if err != nil || n < 700000 || n > 1500000 {
			t.Fatalf("it is at %d, %v", n, err)
		}
		u.Offset = n
		break
	}
	// What broke off may still be on its way into the file.
	upload := func() (n int64, err error) {
		for busy := true; busy; busy = errors.Is(err, wire.ErrStale) && n == 0 {
			n, err = blobs.Upload(t.Context(), at, u, bytes.NewReader(body[u.Offset:]))
		}
		return n, err
	}
	u.Offset -= 1000
	if n, err := upload(); !errors.Is(err, wire.ErrStale) || n < u.Offset+1000 {
		t.Errorf("from another place: %d, %v", n, err)
	}
	u.Offset += 1000
	n, err := upload()
	if errors.Is(err, wire.ErrStale) && n > u.Offset {
		u.Offset = n
		n, err = upload()
	}
	if err != nil || n != int64(len(body)) {
		t.Fatalf("the rest: %d, %v", n, err)
	}
	if got, err := blobs.Get(t.Context(), at, id); err != nil || !bytes.Equal(got, body) {
		t.Errorf("get: %d bytes, %v", len(got), err)
	}
	if err := blobs.Drop(t.Context(), at, id, drop); err != nil {
		t.Errorf("drop: %v", err)
	}
	if _, err := blobs.Get(t.Context(), at, id); !errors.Is(err, wire.ErrDenied) {
		t.Errorf("after that: %v", err)
	}
}
