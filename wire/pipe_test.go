package wire

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

func TestPipeDeliversInOrderThenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		ctx := t.Context()
		buf := []byte{0}
		for i := range 3 {
			buf[0] = byte(i)
			if err := a.Write(ctx, buf); err != nil {
				t.Fatal(err)
			}
		}
		a.Close()
		for i := range 3 {
			got, err := b.Read(ctx)
			if err != nil || len(got) != 1 || got[0] != byte(i) {
				t.Fatalf("frame %d: got %v, %v", i, got, err)
			}
		}
		if _, err := b.Read(ctx); err != io.EOF {
			t.Errorf("after the end: got %v, want EOF", err)
		}
		if err := b.Write(ctx, buf); err == nil {
			t.Error("a write after the end passed")
		}
	})
}

func TestPipeWaitsAndHonoursContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read of an empty pipe: got %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for err := error(nil); err == nil; {
			if err = a.Write(ctx, []byte("x")); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("write to a full pipe: got %v", err)
			}
		}
	})
}

func TestPipeRefusesOversizedFrames(t *testing.T) {
	a, _ := Pipe()
	if err := a.Write(t.Context(), make([]byte, MaxFrame+1)); !errors.Is(err, &Error{Code: BadInput}) {
		t.Errorf("got %v, want bad_input", err)
	}
}
