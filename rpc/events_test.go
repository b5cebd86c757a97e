package rpc

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core"
	"hearth/wire"
)

func messages(texts ...string) (events []core.Event) {
	for _, s := range texts {
		events = append(events, core.Event{Type: core.EventMessage, Room: "r", ID: s, Text: s})
	}
	return events
}

func TestReceiveGivesEachEventOnceAndEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{events: messages("a", "b", "c")}
		s := NewServer(f)
		for round, want := range [][]string{{"a", "b", "c"}, nil} {
			var got []string
			r, err := dial(t, s).Receive(t.Context(), ReceiveParams{}, func(e core.Event) error {
				got = append(got, e.Text)
				return nil
			})
			if err != nil || !r.Fresh || int(r.Count) != len(want) || !slices.Equal(got, want) {
				t.Errorf("round %d: %v, %+v, %v; want %v", round, got, r, err, want)
			}
		}
	})
}

func TestAnEventNobodyAcknowledgedIsGivenOutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{events: messages("a", "b")}
		s := NewServer(f)
		stop := errors.New("the screen broke")
		if _, err := dial(t, s).Receive(t.Context(), ReceiveParams{}, func(e core.Event) error {
			if e.Text == "b" {
				return stop
			}
			return nil
		}); !errors.Is(err, stop) {
			t.Fatal(err)
		}
		var got []string
		if _, err := dial(t, s).Receive(t.Context(), ReceiveParams{}, func(e core.Event) error {
			got = append(got, e.Text)
			return nil
		}); err != nil || !slices.Equal(got, []string{"b"}) {
			t.Errorf("got %v, %v, want b again", got, err)
		}
	})
}

func TestAConnectionThatBreaksLosesNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{events: messages("a")}
		s := NewServer(f)
		near, far := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- s.Serve(t.Context(), far) }()
		go near.Write([]byte(`{"jsonrpc":"2.0","id":1,"method":"recv","params":{"follow":true}}` + "\n"))
		if _, err := newLines(near, MaxLine).next(); err != nil {
			t.Fatal(err)
		}
		near.Close() // the event was pushed, not acknowledged
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if f.given != 0 {
			t.Error("the event counts as given out")
		}
	})
}

func TestReceiveStaysAsLongAsItWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{live: make(chan core.Event)}
		start := time.Now()
		go func() {
			<-time.After(3 * time.Second) // the bubble's clock
			f.live <- messages("late")[0]
		}()
		var got []string
		r, err := dial(t, NewServer(f)).Receive(t.Context(), ReceiveParams{Wait: "5s"}, func(e core.Event) error {
			got = append(got, e.Text)
			return nil
		})
		if err != nil || r.Count != 1 || time.Since(start) != 5*time.Second {
			t.Errorf("%v, %+v, %v after %v; want one event and 5s", got, r, err, time.Since(start))
		}
	})
}

func TestReceiveSaysThatItCouldNotCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{events: messages("a"), offline: true}
		r, err := dial(t, NewServer(f)).Receive(t.Context(), ReceiveParams{Wait: "5s"}, func(core.Event) error { return nil })
		if err != nil || r.Fresh || r.Count != 1 {
			t.Errorf("%+v, %v, want what was known, marked as old", r, err)
		}
	})
}

func TestASecondReceiverIsToldWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(&fake{})
		ctx, stop := context.WithCancel(t.Context())
		first := make(chan error, 1)
		c := dial(t, s)
		go func() {
			_, err := c.Receive(ctx, ReceiveParams{Follow: true}, nil)
			first <- err
		}()
		synctest.Wait()
		_, err := dial(t, s).Receive(t.Context(), ReceiveParams{}, nil)
		var e *wire.Error
		if !errors.As(err, &e) || e.Code != wire.HomeInUse {
			t.Errorf("got %v, want home_in_use", err)
		}
		stop()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first ended with %v", err)
		}
		synctest.Wait()
		if _, err := dial(t, s).Receive(t.Context(), ReceiveParams{}, nil); err != nil {
			t.Errorf("after the first ended: %v", err)
		}
	})
}

func TestLeavingEndsASubscriptionAfterItsEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{events: messages("a", "b")}
		s := NewServer(f)
		shown := make(chan struct{})
		go func() {
			<-shown
			s.Leave(t.Context())
		}()
		_, err := dial(t, s).Receive(t.Context(), ReceiveParams{Follow: true}, func(e core.Event) error {
			if e.Text == "b" {
				close(shown)
				<-time.After(time.Second) // the bubble's clock
			}
			return nil
		})
		if !errors.Is(err, ErrLeaving) || f.given != 2 {
			t.Errorf("ended with %v after %d events, want ErrLeaving and both", err, f.given)
		}
	})
}
