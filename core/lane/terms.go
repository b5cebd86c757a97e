package lane

import (
	"time"

	"hearth/wire"
)

// Terms are what a server said of itself when it was last greeted, by which its
// honesty about holes is measured (decision 0025): how long it keeps posts, and
// its clock, by which they end.
type Terms struct {
	Keep uint32 // seconds

	said int64 // its clock, Unix seconds
	own  int64 // ours at that moment
	// at is that moment on the clock that nobody can set, and that may stand
	// still while the machine sleeps.
	at time.Time
}

// latest bounds what a server may call the time, Unix seconds: the year 2242.
const latest = 1 << 33

// fair reports whether what a server says can be gone by at all.
func fair(w wire.Welcome) bool {
	return w.Keep > 0 && w.Keep <= wire.Seconds(wire.MaxTTL) && w.Now >= 0 && w.Now <= latest
}

// agree notes what a server said.
func (n *Network) agree(server string, w wire.Welcome) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.terms[server] = Terms{Keep: w.Keep, said: w.Now, own: n.now().Unix(), at: time.Now()}
}

// Terms returns what a server said last; of one that was not greeted yet, what
// says nothing against it.
func (n *Network) Terms(server string) Terms {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t, ok := n.terms[server]; ok {
		return t
	}
	return Terms{Keep: wire.Seconds(wire.MaxTTL)}
}

// Apart is how far two clocks may be apart and still be called equal.
const Apart = 5 * time.Minute

// Ahead returns how far the server's clock is ahead of ours, which shows now, in
// seconds; 0 where the two agree. Where they do not, one of them is wrong:
// entries end by the server's, which may lie, so whoever goes by it says so.
func (t Terms) Ahead(now time.Time) int64 {
	if t.at.IsZero() {
		return 0
	}
	// They agree if they did when it said so, or if they do now that ours was
	// set right since.
	then := t.said - t.own
	today := t.said + int64(time.Since(t.at)/time.Second) - now.Unix()
	const apart = int64(Apart / time.Second)
	if max(then, -then) <= apart || max(today, -today) <= apart {
		return 0
	}
	return then
}
