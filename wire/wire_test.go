package wire

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func TestSecretNeverPrints(t *testing.T) {
	s := NewSecret()
	raw := s.Reveal()
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
		for _, v := range []any{s, RoomPost{Token: s}, &RoomPost{Token: s}, struct{ hidden Secret }{s}, []struct{ hidden Secret }{{s}}} {
			out := fmt.Sprintf(verb, v)
			if bytes.Contains([]byte(out), raw[:4]) || bytes.Contains([]byte(out), fmt.Appendf(nil, "%x", raw[:4])) ||
				bytes.Contains([]byte(out), fmt.Appendf(nil, "%d %d %d", raw[0], raw[1], raw[2])) {
				t.Errorf("%s of %T shows the secret's bytes", verb, v)
			}
		}
	}
}

func TestSecretOpensOnlyItsHash(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if !a.Opens(a.Hash()) || a.Opens(b.Hash()) || (Secret{}).Opens(Secret{}.Hash()) {
		t.Error("a secret must open its own hash, no other, and the absent one nothing")
	}
}

func TestFrameRoundTrip(t *testing.T) {
	seat := NewSeatID(1)
	for _, v := range []any{
		&RoomPost{Room: NewRoomID(1), Epoch: 7, Token: NewSecret(), Payload: []byte("x"), TTL: 60},
		&RoomPost{Room: NewRoomID(1), Seat: &seat, SeatSecret: NewSecret()},
		&RoomCommit{Add: []NewSeat{{ID: seat, Provisional: true}}, Remove: []SeatID{seat}},
		&Entry{Handle: 3, Number: 9, Seat: &seat},
		&AccountKnock{Knock: &Knock{Key: NewSecret(), Sealing: NewSecret()}},
		&Welcome{Domain: "a.example", Challenge: make([]byte, 32), Keep: 86400, Now: 1 << 31},
		&Nothing{},
	} {
		b := Encode(v)
		got := newLike(v)
		if err := Decode(b, got); err != nil {
			t.Fatalf("%T: %v", v, err)
		}
		if !bytes.Equal(Encode(got), b) {
			t.Errorf("%T changed on its way", v)
		}
	}
}

func newLike(v any) any {
	switch v.(type) {
	case *RoomPost:
		return new(RoomPost)
	case *RoomCommit:
		return new(RoomCommit)
	case *Entry:
		return new(Entry)
	case *AccountKnock:
		return new(AccountKnock)
	case *Welcome:
		return new(Welcome)
	}
	return new(Nothing)
}

func TestDecodeIsStrict(t *testing.T) {
	good := Encode(Hello{Version: 1})
	for name, b := range map[string][]byte{
		"trailing byte":      append(bytes.Clone(good), 0),
		"long form of 1":     {0x81, 0x18, 0x01},
		"indefinite array":   {0x9f, 0x01, 0xff},
		"too many elements":  {0x82, 0x01, 0x01},
		"huge claimed array": {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a tag":              {0xc1, 0x81, 0x01},
		"nothing":            {},
	} {
		if err := Decode(b, new(Hello)); !errors.Is(err, &Error{Code: BadInput}) {
			t.Errorf("%s: got %v, want bad_input", name, err)
		}
	}
}

func TestErrorCrossesTheWireWithoutItsCause(t *testing.T) {
	e := Errorf(Denied, "no: %w", errors.New("inner")).WithNext("ask")
	var got Error
	if err := Decode(Encode(e), &got); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(&got, ErrDenied) || got.Next != "ask" || got.Unwrap() != nil {
		t.Errorf("got %+v", got)
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(NewFrame(OpPing, 1, Nothing{}))
	f.Add(NewFrame(OpRoomPost, 2, RoomPost{Room: NewRoomID(1), Token: NewSecret(), Payload: []byte("x")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var fr Frame
		if Decode(b, &fr) != nil {
			return
		}
		if !bytes.Equal(Encode(fr), b) {
			t.Fatalf("accepted %x, encodes to %x", b, Encode(fr))
		}
	})
}
