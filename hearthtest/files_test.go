package hearthtest

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"hearth/core"
	"hearth/wire"
)

// desk is a person's own files, in memory.
type desk map[string][]byte

type onDesk struct{ *bytes.Reader }

func (onDesk) Close() error { return nil }

// Open implements core.Places.
func (d desk) Open(_ context.Context, place string) (core.PlaceFile, int64, error) {
	b, ok := d[place]
	if !ok {
		return nil, 0, wire.Errorf(wire.NotFound, "no such file")
	}
	return onDesk{bytes.NewReader(b)}, int64(len(b)), nil
}

// Write implements core.Places.
func (d desk) Write(_ context.Context, place string, fill func(io.Writer) error) error {
	var b bytes.Buffer
	if err := fill(&b); err != nil {
		return err
	}
	d[place] = b.Bytes()
	return nil
}

// sealed returns some bytes of each sealed file of a home.
func (p *Person) sealed() (all [][]byte) {
	p.Files.Change(func(_ string, b []byte) []byte {
		all = append(all, b[1000:1100])
		return b
	})
	return all
}

// TestFilesDieAtTheServer: on a server's disk a file lies as long as its message, and no
// byte of it after that, whichever of its sender's devices deleted it.
func TestFilesDieAtTheServer(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		room := alice.Befriend(bob)
		phone := w.Stranger("phone")
		if err := alice.LinkTo(phone); err != nil {
			t.Fatal(err)
		}
		w.Sleep(10 * time.Minute)
		b := make([]byte, 200_000)
		rand.NewChaCha8([32]byte{1}).Read(b)
		for _, p := range []*Person{alice, bob, phone} {
			p.Places = desk{"plan": b}
			p.Restart()
		}
		home := w.Server("home")
		for _, c := range []struct {
			text   string
			expire time.Duration
			end    func(id string)
		}{
			{"deleted", 0, func(id string) {
				if _, err := phone.Client.Amend(phone.Patience(), core.AmendOptions{Room: room, ID: id, Delete: true}); err != nil {
					t.Fatal(err)
				}
				w.Sleep(time.Minute)
			}},
			{"over", time.Hour, func(string) { w.Sleep(time.Hour + 10*time.Minute) }},
		} {
			sent, err := alice.Client.Send(alice.Patience(), core.SendOptions{To: room, File: "plan", Text: c.text, Expire: c.expire})
			if err != nil || sent.State != core.StateSent {
				t.Fatal(sent.State, err)
			}
			for _, p := range []*Person{bob, phone} {
				p.Expect(c.text)
				to := c.text + "'s copy"
				if _, err := p.Client.SaveFile(p.Patience(), core.SaveOptions{Room: room, ID: sent.ID, To: to}); err != nil {
					t.Fatalf("%s: %s: %v", c.text, p.Name, err)
				}
				if !bytes.Equal(p.Places.(desk)[to], b) {
					t.Errorf("%s: %s got something else", c.text, p.Name)
				}
			}
			bytesThere := alice.sealed()
			if len(bytesThere) != 1 {
				t.Fatalf("%s: %d files", c.text, len(bytesThere))
			}
			if _, there := home.Finds(bytesThere...); !there {
				t.Fatalf("%s: the server never had it", c.text)
			}
			c.end(sent.ID)
			home.MustNotContain(c.text, bytesThere...)
			for _, p := range []*Person{alice, bob, phone} {
				if n := len(p.sealed()); n != 0 {
					t.Errorf("%s: %s has %d sealed files", c.text, p.Name, n)
				}
			}
		}
	})
}
