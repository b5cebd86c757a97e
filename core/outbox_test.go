package core

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// posts remembers the posts that leave.
type posts struct {
	mu  sync.Mutex
	all []wire.RoomPost
}

type overheard struct {
	wire.Conn
	p *posts
}

func (c overheard) Write(ctx context.Context, b []byte) error {
	var f wire.Frame
	var q wire.RoomPost
	if wire.Decode(b, &f) == nil && f.Op == wire.OpRoomPost && wire.Decode(f.Body, &q) == nil {
		c.p.mu.Lock()
		c.p.all = append(c.p.all, q)
		c.p.mu.Unlock()
	}
	return c.Conn.Write(ctx, b)
}

func TestRetryStatesTheTTLThatIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		alice.receipts(false)
		bob.receipts(false)
		room := alice.send("bob", "hello").Room
		bob.accept()
		time.Sleep(20 * time.Minute)
		bob.got()
		w.cut()
		ctx, cancel := shortly()
		defer cancel()
		for text, expire := range map[string]time.Duration{"short": 30 * time.Second, "long": time.Hour} {
			if s, err := alice.c.Send(ctx, SendOptions{To: room, Text: text, Expire: expire}); err != nil || s.State != StateQueued {
				t.Fatalf("send: %+v, %v", s, err)
			}
		}
		time.Sleep(20 * time.Minute)
		var p posts
		w.wrap = func(c wire.Conn) wire.Conn { return overheard{c, &p} }
		w.mend()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		var ttls []uint32
		for _, q := range p.all {
			if q.TTL < 29*24*3600 { // not the empty post that takes the place of what ended
				ttls = append(ttls, q.TTL)
			}
		}
		if len(ttls) != 1 || ttls[0] > 40*60 || ttls[0] < 35*60 {
			t.Errorf("after 20 minutes without a server posts state %d s, want one of 40 minutes at most", ttls)
		}
		if got := texts(bob.got()); !slices.Equal(got, []string{"long"}) {
			t.Errorf("bob: got %q, want only what has not ended", got)
		}
	})
}

// TestSignedBytesLiveAsLongAsTheMessage: what a report needs is kept, proves
// what was said, and dies with it.
func TestSignedBytesLiveAsLongAsTheMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "hello").Room
		bob.accept()
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "short", Expire: time.Minute}); err != nil {
			t.Fatal(err)
		}
		bob.got()
		id, _ := parseConv(room)
		kept := func() (n int) {
			bob.c.look(context.Background(), func(s *step) error {
				return s.scan(vault.Name("signed", b64(id[:])), func(_ string, b []byte) (bool, error) {
					var sb signedBytes
					if err := decodeRecord(b, &sb); err != nil {
						return false, err
					}
					leaf, err := mls.ParseLeafNode(sb.Leaf)
					if err != nil {
						return false, err
					}
					if err := mls.VerifySigned(suite, leaf.SignatureKey, sb.Content, sb.Signature); err != nil {
						t.Errorf("the kept signature does not hold: %v", err)
					}
					n++
					return true, nil
				})
			})
			return n
		}
		if n := kept(); n != 2 {
			t.Errorf("signed bytes of %d messages, want 2: the first came by request and in the room", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := kept(); n != 1 {
			t.Errorf("after one ended: signed bytes of %d messages, want 1", n)
		}
		time.Sleep(31 * 24 * time.Hour)
		synctest.Wait()
		if n := kept(); n != 0 {
			t.Errorf("after all ended: signed bytes of %d messages", n)
		}
	})
}

// TestAnswersThatAreLostOrWrong: a post was accepted, and its sender is told
// something else. It is repeated, or encrypted again, and arrives once.
func TestAnswersThatAreLostOrWrong(t *testing.T) {
	for _, code := range []wire.Code{wire.Full, wire.Stuck, wire.Internal, wire.Stale} {
		t.Run(string(code), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				alice, bob := w.person("alice"), w.person("bob")
				room := alice.send("bob", "0").Room
				bob.accept()
				time.Sleep(20 * time.Minute)
				bob.got()
				alice.stop()
				lies := 2
				w.wrap = func(c wire.Conn) wire.Conn {
					return &tampered{Conn: c, f: func(f wire.Frame) []wire.Frame {
						if f.Op == wire.OpRoomPost && lies > 0 {
							lies--
							f.Op, f.Body = wire.OpError, wire.Encode(&wire.Error{Code: code, Message: "no"})
						}
						return []wire.Frame{f}
					}}
				}
				alice.start()
				before, _ := alice.record(room)
				var want []string
				for _, text := range []string{"1", "2", "3"} {
					want = append(want, text)
					alice.send(room, text)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				events := bob.got()
				if got := texts(events); !slices.Equal(got, want) {
					t.Errorf("bob: got %q, want each once, in order", got)
				}
				if got := codes(events); len(got) != 0 {
					t.Errorf("bob was alarmed: %q", got)
				}
				after, _ := alice.record(room)
				if commits := after.Epoch - before.Epoch; code == wire.Stuck && commits == 0 || code != wire.Stuck && commits != 0 {
					t.Errorf("%d commits after %s", commits, code)
				}
				agree(t, room, alice, bob)
			})
		})
	}
}
