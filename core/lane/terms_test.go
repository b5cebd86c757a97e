package lane

import (
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// TestAhead: whose clock counts, as clocks are wrong, are set, and stand still.
func TestAhead(t *testing.T) {
	const day = 24 * 3600
	for _, c := range []struct {
		name  string
		off   int64 // ours from the server's when it is greeted
		set   int64 // by how much ours is set afterwards
		ahead int64
	}{
		{"equal", 0, 0, 0},
		{"a little apart", 299, 0, 0},
		{"fast", 30 * day, 0, -30 * day},
		{"slow", -30 * day, 0, 30 * day},
		{"set right", -30 * day, 30 * day, 0},
		// What looks the same: the steady clock stood still while the machine slept.
		{"asleep", 0, 8 * 3600, 0},
		{"slow and asleep", -30 * day, 8 * 3600, 30 * day},
	} {
		synctest.Test(t, func(t *testing.T) {
			off := c.off
			now := func() time.Time { return time.Now().Add(time.Duration(off) * time.Second) }
			n := New(nil, nil, now)
			if got := n.Terms("x"); got.Keep != wire.Seconds(wire.MaxTTL) || got.Ahead(now()) != 0 {
				t.Errorf("before it is greeted: %+v", got)
			}
			n.agree("x", wire.Welcome{Keep: 60, Now: time.Now().Unix()})
			time.Sleep(time.Hour)
			off += c.set
			if got := n.Terms("x"); got.Keep != 60 || got.Ahead(now()) != c.ahead {
				t.Errorf("%s: %d s ahead, want %d", c.name, got.Ahead(now()), c.ahead)
			}
		})
	}
}

// TestUnfairTerms: what a server may not say of itself.
func TestUnfairTerms(t *testing.T) {
	good := wire.Welcome{Keep: wire.Seconds(wire.MaxTTL), Now: latest}
	bad := []wire.Welcome{{Keep: 0, Now: 1}, {Keep: good.Keep + 1, Now: 1}, {Keep: 1, Now: -1}, {Keep: 1, Now: latest + 1}}
	if !fair(good) {
		t.Error("refused")
	}
	for _, w := range bad {
		if fair(w) {
			t.Errorf("%+v is taken", w)
		}
	}
}
