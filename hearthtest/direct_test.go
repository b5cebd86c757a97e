package hearthtest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth/core"
	"hearth/wire"
)

// TestDeclinedThenWritesFirst: somebody declines and then begins the same
// conversation anew. Whichever of the two rooms has the lower id, they end in
// one: the one that declined holds no place in the other.
func TestDeclinedThenWritesFirst(t *testing.T) {
	Run(t, func(w *World) {
		// The answers are late: the door they go to is full.
		late := map[string]wire.RoomID{}
		open := w.Net.Tamper(func(l *Link, d Direction, f wire.Frame) []wire.Frame {
			var p wire.DoorPost
			if d != ToServer || f.Op != wire.OpDoorPost || !strings.HasPrefix(l.Person, "bob") || wire.Decode(f.Body, &p) != nil {
				return []wire.Frame{f}
			}
			if door, ok := late[l.Person]; ok && door != p.Door {
				return []wire.Frame{f}
			}
			late[l.Person] = p.Door
			l.Send(w.ctx, ToClient, wire.Frame{Op: wire.OpError, ID: f.ID, Body: wire.Encode(wire.Errorf(wire.Full, "no room"))})
			return nil
		})
		var rooms []string
		for i := range 5 { // each way has one chance in two
			alice, bob := w.Person("alice"+strconv.Itoa(i)), w.Person("bob"+strconv.Itoa(i))
			alice.Send(bob.Name, "hello")
			id := bob.Request()
			if _, err := bob.Client.Decline(bob.Patience(), id); err != nil {
				t.Fatal(err)
			}
			room := bob.Send(alice.Name, "on second thoughts").Room
			alice.Expect("on second thoughts")
			rooms = append(rooms, room)
		}
		w.Sleep(time.Minute)
		open()
		w.Sleep(time.Hour)
		for i, room := range rooms {
			alice, bob := w.Person("alice"+strconv.Itoa(i)), w.Person("bob"+strconv.Itoa(i))
			bob.Send(room, "are you there?")
			alice.Expect("are you there?")
			alice.Send(room, "yes")
			bob.Expect("yes")
			if a, b := alice.Room(room), bob.Room(room); a.Epoch != b.Epoch {
				t.Errorf("they are in two rooms: epochs %d and %d", a.Epoch, b.Epoch)
			}
		}
	})
}

// TestFirstWordsCross: two people write to each other first at the same moment.
// Whichever of their two rooms counts, all devices of both are in it, and none is
// asked whether it wants to hear from somebody its person has written to.
func TestFirstWordsCross(t *testing.T) {
	Run(t, func(w *World) {
		for i := range 5 { // each way has one chance in two
			alice, bob, phone := w.Person("alice"+strconv.Itoa(i)), w.Person("bob"+strconv.Itoa(i)), w.Stranger("phone"+strconv.Itoa(i))
			if err := alice.LinkTo(phone); err != nil {
				t.Fatal(err)
			}
			room := make(chan string)
			go func() { room <- alice.Send(bob.Name, "alice first").Room }()
			go func() { room <- bob.Send(alice.Name, "bob first").Room }()
			<-room
			id := <-room
			w.Sleep(time.Hour)
			for _, p := range []*Person{alice, phone} {
				if list, err := p.Client.Requests(p.Patience()); err != nil || len(list) > 0 {
					t.Errorf("%s is asked: %+v, %v", p.Name, list, err)
				}
			}
			phone.Send(id, "from the phone")
			for _, p := range []*Person{alice, bob} {
				p.Expect("from the phone")
			}
			bob.Send(id, "welcome, phone")
			for _, p := range []*Person{alice, phone} {
				p.Expect("welcome, phone")
			}
		}
	})
}

// TestACopyFromBeforeTheConversation: a home is restored from a copy that knows of
// no conversation with somebody, and writes first again. Whichever id is lower, the
// other one comes to where its words arrive.
func TestACopyFromBeforeTheConversation(t *testing.T) {
	Run(t, func(w *World) {
		for i := range 9 { // each way has one chance in two
			n := strconv.Itoa(i)
			alice, bob := w.Person("alice"+n), w.Person("bob"+n)
			bob.Stop()
			disk, key := bob.Disk.Copy(), bob.Key.Copy()
			if err := bob.Start(); err != nil {
				t.Fatal(err)
			}
			switch i % 3 {
			case 0:
				alice.Befriend(bob)
			case 1:
				bob.Befriend(alice)
			case 2: // and is never seen there
				bob.Send(alice.Name, "hello")
			}
			w.Sleep(10 * time.Second)
			bob.Stop()
			bob.Disk, bob.Key = disk, key
			if err := bob.Start(); err != nil {
				t.Fatal(err)
			}
			if i%3 == 2 {
				alice.Accept()
			}
			w.Sleep(2 * time.Hour)
			room := bob.Send(alice.Name, "hello again").Room
			alice.Expect("hello again")
			w.Sleep(time.Hour)
			alice.Send(room, "where were you?")
			bob.Expect("where were you?")
			bob.Send(room, "restored")
			alice.Expect("restored")
		}
	})
}

// TestAnotherDeviceFromBeforeTheConversation: as above, but the restored home has
// noticed that it is a copy, and is another device by now; the one that stands in the
// conversation is there no more. Within the hour or after it, all are in one room,
// and what was said in the other is not lost.
func TestAnotherDeviceFromBeforeTheConversation(t *testing.T) {
	Run(t, func(w *World) {
		for i := range 6 { // each way has one chance in two
			n := strconv.Itoa(i)
			alice, bob, carol := w.Person("alice"+n), w.Person("bob"+n), w.Person("carol"+n)
			tablet := w.Stranger("tablet" + n)
			if err := alice.LinkTo(tablet); err != nil {
				t.Fatal(err)
			}
			other := bob.Befriend(carol)
			bob.Stop()
			disk, key := bob.Disk.Copy(), bob.Key.Copy()
			if err := bob.Start(); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				alice.Befriend(bob)
			} else {
				bob.Befriend(alice)
			}
			bob.Send(other, "after the copy")
			carol.Expect("after the copy")
			bob.Stop()
			bob.Disk, bob.Key = disk, key
			if err := bob.Start(); err != nil {
				t.Fatal(err)
			}
			bob.Notice(core.NoticeTwin)
			w.Sleep(2 * time.Hour)
			alice.Send(bob.Name, "said to nobody")
			room := bob.Send(alice.Name, "hello again").Room
			alice.Expect("hello again")
			w.Sleep(2 * time.Hour)
			bob.Expect("said to nobody")
			all := []*Person{alice, tablet, bob}
			for _, p := range all {
				text := p.Name + " is here"
				p.Send(room, text)
				for _, o := range all {
					if o != p {
						o.Expect(text)
					}
				}
			}
			for _, p := range all {
				for _, e := range p.Seen() {
					if e.Type == core.EventLeft {
						t.Errorf("%s is told that somebody left", p.Name)
					}
				}
			}
		}
	})
}

// TestWhoDeclinedIsAskedAgain: also when the conversation is named, not the
// person.
func TestWhoDeclinedIsAskedAgain(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		room := alice.Send("bob", "hello").Room
		if _, err := bob.Client.Decline(bob.Patience(), bob.Request()); err != nil {
			t.Fatal(err)
		}
		w.Sleep(time.Minute)
		alice.Send(room, "please")
		if got := bob.Accept(); got != room {
			t.Errorf("another conversation: %s", got)
		}
		bob.Expect("please")
	})
}

// TestOwnNetworkIsNoLostServer: who is offline for days is not told that the
// server is gone, and founds nothing.
func TestOwnNetworkIsNoLostServer(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		room := alice.Befriend(bob)
		w.Net.Offline("bob")
		w.Sleep(5 * day)
		w.Net.Online("bob")
		alice.Send(room, "back?")
		bob.Expect("back?")
		for _, e := range bob.Seen() {
			if e.Type == core.EventNotice {
				t.Errorf("bob is told %s: %s", e.Code, e.Text)
			}
		}
	})
}

// TestNobodyAnsweredForAMonth: an invitation that can no longer be accepted does
// not stand in the way of the conversation, whoever writes next and whichever
// room has the lower id.
func TestNobodyAnsweredForAMonth(t *testing.T) {
	Run(t, func(w *World) {
		type pair struct {
			alice, bob *Person
			room       string
		}
		var pairs []pair
		for i := range 4 { // of two rooms, each has one chance in two
			p := pair{alice: w.Person("alice" + strconv.Itoa(i)), bob: w.Person("bob" + strconv.Itoa(i))}
			p.room = p.alice.Send(p.bob.Name, "hello").Room
			p.bob.Request()
			pairs = append(pairs, p)
		}
		w.Sleep(33 * day)
		for i, p := range pairs {
			if i%2 == 0 {
				p.bob.Send(p.alice.Name, "sorry, I was away")
				p.alice.Expect("sorry, I was away")
			} else {
				p.alice.Send(p.room, "anybody there?")
				p.bob.Accept()
				p.bob.Expect("anybody there?")
			}
			p.alice.Send(p.room, "are you there?")
			p.bob.Expect("are you there?")
			p.bob.Send(p.room, "yes")
			p.alice.Expect("yes")
		}
	})
}

// TestNobodyAnsweredWhenADeviceWasLinked: a device that was linked meanwhile, and
// does not know when the other one was invited, goes along.
func TestNobodyAnsweredWhenADeviceWasLinked(t *testing.T) {
	Run(t, func(w *World) {
		type pair struct {
			alice, phone, bob *Person
			room              string
		}
		var pairs []pair
		for i := range 3 { // of two rooms, each has one chance in two
			p := pair{alice: w.Person("alice" + strconv.Itoa(i)), phone: w.Stranger("phone" + strconv.Itoa(i)), bob: w.Person("bob" + strconv.Itoa(i))}
			p.room = p.alice.Send(p.bob.Name, "hello").Room
			p.bob.Request()
			pairs = append(pairs, p)
		}
		w.Sleep(20 * day)
		for _, p := range pairs {
			if err := p.alice.LinkTo(p.phone); err != nil {
				t.Fatal(err)
			}
		}
		w.Sleep(13 * day)
		for _, p := range pairs {
			p.alice.Send(p.room, "anybody there?")
			p.bob.Accept()
			p.bob.Expect("anybody there?")
			w.Sleep(time.Minute)
			p.phone.Send(p.room, "from the phone")
			p.bob.Expect("from the phone")
			p.bob.Send(p.room, "yes")
			p.phone.Expect("yes")
		}
	})
}

// TestWhoDidNotAnswerHasAnotherDevice: the only device that was ever invited is
// revoked before it answered, and the person still gets what is said next.
func TestWhoDidNotAnswerHasAnotherDevice(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob, phone := w.Person("alice"), w.Person("bob"), w.Stranger("phone")
		room := alice.Send("bob", "hello").Room
		if err := bob.LinkTo(phone); err != nil {
			t.Fatal(err)
		}
		w.Sleep(time.Hour)
		me, err := bob.Client.Whoami()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := phone.Client.RevokeDevice(phone.Patience(), me.Device); err != nil {
			t.Fatal(err)
		}
		w.Sleep(40 * 24 * time.Hour) // the invitation is over
		alice.Send(room, "are you there?")
		if got := phone.Accept(); got != room {
			t.Errorf("another conversation: %s", got)
		}
		phone.Expect("are you there?")
	})
}

// TestFirstWordsReachSiblings: what is said before an account's other devices are
// in a new conversation arrives on them all the same, and once with everybody.
func TestFirstWordsReachSiblings(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob, phone, tablet := w.Person("alice"), w.Person("bob"), w.Stranger("phone"), w.Stranger("tablet")
		if err := alice.LinkTo(phone); err != nil {
			t.Fatal(err)
		}
		if err := bob.LinkTo(tablet); err != nil {
			t.Fatal(err)
		}
		room := alice.Send("bob", "one").Room
		alice.Send(room, "two")
		phone.Expect("one")
		phone.Expect("two")
		bob.Accept()
		bob.Send(room, "three")
		for _, p := range []*Person{alice, phone, tablet} {
			p.Expect("three")
		}
		w.Sleep(time.Hour)
		for _, p := range []*Person{bob, phone, tablet} {
			texts := p.Texts()
			slices.Sort(texts)
			if got := slices.Compact(slices.Clone(texts)); len(got) != len(texts) {
				t.Errorf("%s reads %q", p.Name, texts)
			}
		}
	})
}

// TestAnotherDeviceWritesFirst: a device that was linked after an invitation does
// not know of it, writes itself, and the two are one conversation.
func TestAnotherDeviceWritesFirst(t *testing.T) {
	Run(t, func(w *World) {
		for i := range 5 { // each way has one chance in two
			n := strconv.Itoa(i)
			alice, tablet := w.Person("alice"+n), w.Stranger("tablet"+n)
			bob, phone := w.Person("bob"+n), w.Stranger("phone"+n)
			if err := alice.LinkTo(tablet); err != nil {
				t.Fatal(err)
			}
			alice.Send(bob.Name, "alice first")
			if err := bob.LinkTo(phone); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				w.Net.Offline(bob.Name)
			}
			room := phone.Send(alice.Name, "phone first").Room
			alice.Expect("phone first")
			w.Sleep(time.Minute)
			alice.Send(room, "good to hear")
			phone.Expect("good to hear")
			w.Net.Online(bob.Name)
			bob.Expect("good to hear")
			w.Sleep(time.Hour)
			all := []*Person{alice, tablet, bob, phone}
			for _, p := range all {
				text := p.Name + " is here"
				p.Send(room, text)
				for _, o := range all {
					if o != p {
						o.Expect(text)
					}
				}
			}
		}
	})
}
