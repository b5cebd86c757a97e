package server

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"hearth/wire"
)

// FuzzFrames gives a server whatever bytes: after a hello, each frame is a
// request with a body from the corpus, or noise. It must answer or end the
// connection, and never panic.
func FuzzFrames(f *testing.F) {
	room, seat, secret := wire.RoomID{1, 2}, wire.SeatID{1, 3}, wire.SecretFrom(make([]byte, 32))
	ns := wire.NewSeat{ID: seat, Hash: secret.Hash()}
	for op, body := range map[wire.Op]any{
		wire.OpRoomCreate:    wire.RoomCreate{Room: room, Payload: []byte("x"), TokenHash: secret.Hash(), Seats: []wire.NewSeat{ns}},
		wire.OpRoomPost:      wire.RoomPost{Room: room, Epoch: 1, Token: secret, Payload: []byte("x"), TTL: 1, Seat: &seat},
		wire.OpRoomCommit:    wire.RoomCommit{Room: room, Epoch: 1, Seat: seat, SeatSecret: secret, Token: secret, Payload: []byte("x"), Add: []wire.NewSeat{{ID: wire.SeatID{1, 4}}}, Remove: []wire.SeatID{seat}},
		wire.OpRoomNotice:    wire.RoomNotice{Room: room, Seat: seat, SeatSecret: secret, Payload: []byte("x")},
		wire.OpRoomEphemeral: wire.RoomEphemeral{Room: room, Epoch: 1, Token: secret, Payload: []byte("x")},
		wire.OpSeatOpen:      wire.SeatOpen{Room: room, Seat: seat, Secret: secret, Credit: 1},
		wire.OpSeatAck:       wire.SeatAck{Through: 1 << 63},
		wire.OpSeatCredit:    wire.SeatCredit{More: 1<<32 - 1},
		wire.OpSeatRename:    wire.SeatRename{Room: room, Seat: seat, Secret: secret, New: wire.NewSeat{ID: wire.SeatID{1, 9}}},
		wire.OpDoorCreate:    wire.DoorCreate{Door: wire.RoomID{1, 8}, Seat: ns, Classes: []wire.DoorClass{{Hash: secret.Hash(), Quota: 1}}, Packages: []wire.DoorPackage{{Sealed: []byte("p")}}},
		wire.OpDoorSet:       wire.DoorSet{Door: wire.RoomID{1, 8}, Seat: seat, Secret: secret, Replace: true},
		wire.OpDoorPost:      wire.DoorPost{Door: wire.RoomID{1, 8}, Key: secret, Payload: []byte("x"), TTL: 1},
		wire.OpDoorClaim:     wire.DoorClaim{Door: wire.RoomID{1, 8}, Key: secret},
		wire.OpAccountCreate: wire.AccountCreate{Entry: []byte("x"), Name: "x"},
		wire.OpAccountAppend: wire.AccountAppend{Entry: []byte("x")},
		wire.OpAccountGet:    wire.AccountGet{Name: "x"},
		wire.OpAccountKnock:  wire.AccountKnock{Device: []byte("x"), Signature: []byte("y")},
	} {
		f.Add(uint16(op), wire.Encode(body), false)
	}
	f.Add(uint16(0), []byte{0x83, 0x00}, true)
	cfg := Config{Dir: f.TempDir(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	s, err := New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	f.Cleanup(func() { cancel(); <-ended })
	f.Fuzz(func(t *testing.T, op uint16, body []byte, noise bool) {
		a, b := wire.Pipe()
		served := make(chan struct{})
		go func() { s.ServeConn(ctx, b); close(served) }()
		limit, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		a.Write(limit, wire.NewFrame(wire.OpHello, 1, wire.Hello{Version: wire.Version}))
		if noise {
			a.Write(limit, body)
		} else if wellFormed(body) {
			a.Write(limit, wire.Encode(wire.Frame{Op: wire.Op(op), ID: 2, Body: body}))
		}
		a.Write(limit, wire.NewFrame(wire.OpPing, 3, wire.Nothing{}))
		for {
			raw, err := a.Read(limit)
			if limit.Err() != nil {
				t.Fatal("neither an answer nor the end came")
			}
			if err != nil {
				break
			}
			var fr wire.Frame
			if err := wire.Decode(raw, &fr); err != nil {
				t.Fatalf("the server sent what is no frame: %v", err)
			}
			if fr.ID == 3 || fr.Op == wire.OpError && fr.ID == 0 {
				break
			}
		}
		a.Close()
		<-served
	})
}

// wellFormed reports whether a frame can carry the body at all.
func wellFormed(body []byte) (ok bool) {
	defer func() { ok = recover() == nil && ok }() // Encode takes no body that is no CBOR
	return len(wire.Encode(wire.Frame{Op: 1, ID: 1, Body: body})) > 0
}
