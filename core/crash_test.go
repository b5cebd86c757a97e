package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/vault/vaulttest"
	"hearth/wire"
)

// The subject of these tests is killed at a durable step: nothing that it
// writes or reads afterwards works. It is then opened from what the disk holds,
// and its story goes on. The people around it are never killed.

// seals remembers what every client sealed, and what of it left.
type seals struct {
	mu   sync.Mutex
	made map[string]keyUse // by payload
	left map[keyUse][]byte
	bad  []string
}

func (s *seals) sealed(use keyUse, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made[string(payload)] = use
}

// sent looks at a frame that leaves for the server.
func (s *seals) sent(frame []byte) {
	var f wire.Frame
	if wire.Decode(frame, &f) != nil || f.Op != wire.OpRoomPost {
		return
	}
	var p wire.RoomPost
	if wire.Decode(f.Body, &p) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	use, ok := s.made[string(p.Payload)]
	if !ok {
		s.bad = append(s.bad, "a post left that was never sealed")
		return
	}
	if before, ok := s.left[use]; ok && !bytes.Equal(before, p.Payload) {
		s.bad = append(s.bad, fmt.Sprintf("two posts left under one key: epoch %d, leaf %d, generation %d", use.epoch, use.leaf, use.generation))
	}
	s.left[use] = p.Payload
}

// watched is a connection whose outgoing frames are looked at.
type watched struct {
	wire.Conn
	s *seals
}

func (c watched) Write(ctx context.Context, frame []byte) error {
	c.s.sent(frame)
	return c.Conn.Write(ctx, frame)
}

// story is one life of the subject with a fault in it.
type story struct {
	t      *testing.T
	w      *world
	f      *vaulttest.Faults
	disk   *vaulttest.Memory
	key    *vaulttest.Key
	me     *home
	got    map[string]int // message texts that Receive gave out
	seals  *seals
	killed bool
}

func newStory(t *testing.T, f *vaulttest.Faults, name string) *story {
	w := newWorld(t)
	w.steady = true
	st := &story{t: t, w: w, f: f, disk: &vaulttest.Memory{}, key: &vaulttest.Key{}, got: map[string]int{},
		seals: &seals{made: map[string]keyUse{}, left: map[keyUse][]byte{}}}
	w.wrap = func(c wire.Conn) wire.Conn { return watched{c, st.seals} }
	w.sealed = st.seals.sealed
	st.me = w.home(name)
	st.me.disk, st.me.key = f.Disk(st.disk), f.Key(st.key)
	return st
}

// do runs one thing that the subject does, again after it was killed. done
// tells, after a failure, whether it was done nevertheless.
func (st *story) do(what string, f func() error, done func() bool) {
	st.t.Helper()
	st.wake()
	for try := 0; ; try++ {
		if st.me.cancel == nil {
			if !st.open() {
				continue
			}
		}
		err := f()
		synctest.Wait()
		if !st.killed && st.f.Failed() {
			st.restart()
			if err != nil && done != nil && done() {
				return
			}
			if err != nil {
				continue
			}
			return
		}
		if err == nil {
			return
		}
		if try > 3 {
			st.t.Fatalf("%s: %v", what, err)
		}
	}
}

// open starts the subject; false if it was killed by that.
func (st *story) open() bool {
	c, err := st.me.open()
	if err != nil {
		if !st.killed && st.f.Failed() {
			st.revive()
			return false
		}
		st.t.Fatalf("open: %v", err)
	}
	st.me.run(c)
	return true
}

// revive takes the fault away: from here on the bare disk is used.
func (st *story) revive() {
	st.killed = true
	st.me.disk, st.me.key = st.disk, st.key
}

func (st *story) restart() {
	st.me.kill()
	st.revive()
	st.open()
	synctest.Wait()
}

// receive takes what waits; an event may come twice only around the kill.
func (st *story) receive() {
	st.do("receive", func() error {
		if err := st.me.c.CatchUp(st.me.ctx()); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := st.me.c.Receive(ctx, func(e Event) error {
			if e.Type == EventMessage {
				st.got[e.Text]++
			}
			return nil
		})
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return err
	}, nil)
}

// say sends a text, once as far as the subject can tell.
func (st *story) say(to, text string) {
	st.do("send", func() error {
		_, err := st.me.c.Send(st.me.ctx(), SendOptions{To: to, Text: text})
		return err
	}, func() bool { return st.said(text) })
}

func (st *story) said(text string) bool {
	rs, err := st.me.c.Rooms(st.me.ctx())
	if err != nil {
		return false
	}
	for _, r := range rs {
		events, err := st.me.c.History(st.me.ctx(), r.Room, 0)
		if err == nil && slices.ContainsFunc(events, func(e Event) bool { return e.Text == text }) {
			return true
		}
	}
	return false
}

func (st *story) register(name string) {
	st.do("register", func() error {
		_, err := st.me.c.Register(st.me.ctx(), RegisterOptions{Name: name, Server: testServer})
		if code(err) == wire.Taken && st.killed {
			return nil // it was done, and its answer was lost
		}
		return err
	}, func() bool { _, err := st.me.c.Whoami(); return err == nil })
}

func (st *story) group(name string) (room string) {
	find := func() bool {
		rs, _ := st.me.c.Rooms(st.me.ctx())
		for _, r := range rs {
			if r.Name == name {
				room = r.Room
			}
		}
		return room != ""
	}
	st.do("group new", func() error {
		if find() {
			return nil
		}
		_, err := st.me.c.GroupNew(st.me.ctx(), name, []string{"bob", "carol"})
		return err
	}, find)
	find()
	return room
}

// settle lets everything that goes on by itself come to rest.
func (st *story) settle() {
	st.wake()
	time.Sleep(5 * time.Second)
	synctest.Wait()
	st.wake()
}

// wake opens the subject again if it was killed by something that went on by
// itself.
func (st *story) wake() {
	if !st.killed && st.f.Failed() && st.me.cancel != nil {
		st.restart()
	}
}

// agree checks that all of these are in one epoch of one group.
func agree(t *testing.T, room string, homes ...*home) {
	t.Helper()
	var first []byte
	for _, h := range homes {
		id, _ := parseConv(room)
		err := h.c.look(context.Background(), func(s *step) error {
			cv, err := s.conv(id)
			if err != nil || cv == nil {
				return fmt.Errorf("no conversation: %v", err)
			}
			g, err := s.group(cv.Room)
			if err != nil || g == nil {
				return fmt.Errorf("no group: %v", err)
			}
			if first == nil {
				first = g.EpochAuthenticator()
			}
			if !bytes.Equal(first, g.EpochAuthenticator()) {
				return fmt.Errorf("another history than %s", homes[0].name)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", h.name, err)
		}
	}
}

// initiator is the story of one who begins everything.
func initiator(t *testing.T, f *vaulttest.Faults) {
	st := newStory(t, f, "alice")
	bob, carol, dave := st.w.person("bob"), st.w.person("carol"), st.w.person("dave")
	st.register("alice")
	st.say("bob", "d1")
	st.settle()
	bob.accept()
	bob.send("alice", "r1")
	st.receive()
	st.say("bob", "d2")
	room := st.group("friends")
	st.settle()
	bob.accept()
	carol.accept()
	st.say(room, "g1")
	st.do("group add", func() error {
		ch, err := st.me.c.GroupAdd(st.me.ctx(), room, []string{"dave"})
		if err == nil && len(ch.Changed) == 0 && !(len(ch.Skipped) == 1 && ch.Skipped[0].Code == string(wire.Taken)) {
			return fmt.Errorf("not added: %+v", ch)
		}
		return err
	}, nil)
	st.settle()
	dave.accept()
	st.do("group set", func() error {
		keep := "1d"
		_, err := st.me.c.GroupSet(st.me.ctx(), room, GroupSettings{Retention: &keep})
		return err
	}, nil)
	st.do("group remove", func() error {
		_, err := st.me.c.GroupRemove(st.me.ctx(), room, []string{"carol"})
		return err
	}, func() bool { return len(st.me.members(room)) == 3 })
	st.say(room, "g2")
	bob.send(room, "g3")
	st.receive()
	st.settle()
	st.finish(room, []string{"r1", "g3"}, bob, dave)
	if got := sortedTexts(bob.got()); !slices.Equal(got, []string{"d1", "d2", "g1", "g2"}) {
		t.Errorf("bob: got %q", got)
	}
	time.Sleep(5 * time.Minute)
	st.settle()
	for _, text := range []string{"d1", "d2", "g1", "g2"} {
		if got := st.me.state(text, "bob"); got != StateRead {
			t.Errorf("bob has read %q, and for alice it is %q", text, got)
		}
	}
	if got := sortedTexts(carol.got()); !slices.Equal(got, []string{"g1"}) {
		t.Errorf("carol: got %q", got)
	}
	if got := sortedTexts(dave.got()); !slices.Equal(got, []string{"g2", "g3"}) {
		t.Errorf("dave: got %q", got)
	}
}

// follower is the story of one who is invited, answers and leaves.
func follower(t *testing.T, f *vaulttest.Faults) {
	st := newStory(t, f, "bob")
	alice, carol := st.w.person("alice"), st.w.person("carol")
	st.register("bob")
	st.settle()
	alice.send("bob", "d1")
	st.settle()
	st.accept()
	st.receive()
	st.say("alice", "r1")
	g, err := alice.c.GroupNew(alice.ctx(), "friends", []string{"bob", "carol"})
	if err != nil {
		t.Fatal(err)
	}
	room := g.Room
	st.settle()
	carol.accept()
	st.accept()
	alice.send(room, "g1")
	st.say(room, "g2")
	if _, err := alice.c.GroupRemove(alice.ctx(), room, []string{"carol"}); err != nil {
		t.Fatal(err)
	}
	alice.send(room, "g3")
	st.receive()
	st.settle()
	st.finish(room, []string{"d1", "g1", "g3"}, alice)
	st.do("leave", func() error {
		_, err := st.me.c.GroupLeave(st.me.ctx(), room)
		if err != nil && st.killed && st.me.room(room).State == RoomLeft {
			return nil
		}
		return err
	}, nil)
	time.Sleep(time.Minute)
	st.settle()
	if m := alice.members(room); len(m) != 1 {
		t.Errorf("after the leave alice sees %v", m)
	}
	if r := st.me.room(room); r.State != RoomLeft {
		t.Errorf("the room is %q after leaving", r.State)
	}
	if got := alice.state("d1", "bob"); got != StateRead {
		t.Errorf("bob has read d1, and for alice it is %q", got)
	}
	if got := sortedTexts(alice.got()); !slices.Equal(got, []string{"g2", "r1"}) {
		t.Errorf("alice: got %q", got)
	}
}

// state returns what a home knows of its own message with one person.
func (h *home) state(text, name string) string {
	h.t.Helper()
	rs, err := h.c.Rooms(h.ctx())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range rs {
		for _, e := range h.own(r.Room) {
			for _, m := range e.Receipts {
				if e.Text == text && m.Handle == name+"@home.example" {
					return m.State
				}
			}
		}
	}
	return ""
}

func (st *story) accept() {
	joined := -1
	st.do("accept", func() error {
		rs, err := st.me.c.Requests(st.me.ctx())
		if err != nil {
			return err
		}
		if len(rs) == 0 {
			if joined >= 0 {
				return nil // done, and its answer was lost
			}
			return errors.New("no request")
		}
		joined = len(rs)
		_, err = st.me.c.Accept(st.me.ctx(), rs[0].ID)
		return err
	}, nil)
}

// finish checks what must hold whatever step failed.
func (st *story) finish(room string, texts []string, others ...*home) {
	st.t.Helper()
	synctest.Wait()
	st.wake()
	synctest.Wait()
	agree(st.t, room, append([]*home{st.me}, others...)...)
	for _, text := range texts {
		if n := st.got[text]; n == 0 || n > 1 && !st.killed || n > 2 {
			st.t.Errorf("%q was given out %d times", text, n)
		}
	}
	if r := st.me.room(room); r.State != RoomOK {
		st.t.Errorf("the room is %q", r.State)
	}
	st.seals.mu.Lock()
	defer st.seals.mu.Unlock()
	for _, b := range st.seals.bad {
		st.t.Error(b)
	}
}

// taker names whoever takes a durable step: from the stack, the
// first functions of this package outside of the tests.
func taker() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	var names []string
	for {
		f, more := frames.Next()
		name, ours := strings.CutPrefix(f.Function, "hearth/core.")
		if ours && !strings.HasSuffix(f.File, "_test.go") && name != "(*Client).step" {
			names = append(names, name)
		}
		if !more || len(names) == 3 {
			return strings.Join(names, ", of ")
		}
	}
}

// killedAt lives a story again for each of the durable steps that were counted,
// or each stride-th of them where tests are to be short, killed at that step: once
// it is done, once not.
//
// Whether two connections' records share a step depends on who comes first, and
// what comes behind the last word of a story differs too: a life may end before
// the step it was to be killed at, and must hold like the one that was counted.
// But that is the end of a story: a life that misses a step of the first four
// fifths went another way.
func killedAt(t *testing.T, steps, stride int, story func(*testing.T, *vaulttest.Faults)) {
	first := 1
	if full() {
		stride = 1
	} else {
		first += rand.IntN(stride)
		t.Logf("steps %d, %d, … of %d; all of them with HEARTH_FULL=1", first, first+stride, steps)
	}
	for n := first; n <= steps; n += stride {
		for _, kept := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d,kept=%v", n, kept), func(t *testing.T) {
				t.Parallel()
				f := vaulttest.Faults{At: n, Kept: kept, Kill: true}
				bubble(t, func(t *testing.T) { story(t, &f) })
				switch {
				case f.Failed():
				case 5*n <= 4*steps:
					t.Errorf("step %d of %d was not reached but %d: the story went another way than when its steps were counted", n, steps, f.Steps())
				default:
					t.Logf("nobody was killed: the story ended with step %d", f.Steps())
				}
			})
		}
	}
}

func TestKilledAtEveryStep(t *testing.T) {
	for _, c := range []struct {
		name  string
		story func(*testing.T, *vaulttest.Faults)
		// Posts that wait one behind the other are one step, so that a story has a
		// step less now and then, and some less on a busy machine: a count that is
		// too small is taken again.
		least, most int
	}{{"initiator", initiator, 82, 84}, {"follower", follower, 58, 60}} {
		t.Run(c.name, func(t *testing.T) {
			var steps int
			var takers []string
			for range 3 {
				var count vaulttest.Faults
				takers = nil
				count.OnStep = func(int) { takers = append(takers, taker()) }
				bubble(t, func(t *testing.T) { c.story(t, &count) })
				if t.Failed() {
					return
				}
				if steps = count.Steps(); steps >= c.least {
					break
				}
			}
			if steps < c.least || steps > c.most {
				t.Errorf("counted %d durable steps, want %d to %d. They are listed below. If what you changed is meant to "+
					"take more of them, or fewer, put the new number into the table above; if nothing was meant to "+
					"change, something is saved twice, or not at all. A number that differs from run to run comes "+
					"of a race or of jitter: let it come from Client.jitter.\n%s", steps, c.least, c.most, strings.Join(takers, "\n"))
			}
			killedAt(t, steps, 6, c.story)
		})
	}
}
