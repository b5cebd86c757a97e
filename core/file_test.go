package core

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"hearth/content"
	"hearth/core/sealedfile"
	"hearth/wire"
)

// someBytes are bytes that nothing else has.
func someBytes(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// friends are two people who talk.
func friends(w *world) (alice, bob *home, room string) {
	alice, bob = w.person("alice"), w.person("bob")
	room = alice.send("bob", "hello").Room
	bob.accept()
	bob.got()
	return alice, bob, room
}

func (h *home) sendFile(to, place, text string) Sent {
	h.t.Helper()
	s, err := h.c.Send(h.ctx(), SendOptions{To: to, File: place, Text: text})
	if err != nil {
		h.t.Fatalf("%s: send a file: %v", h.name, err)
	}
	return s
}

// save fetches and writes a message's file, and returns what was written.
func (h *home) save(room, id string) []byte {
	h.t.Helper()
	s, err := h.c.SaveFile(h.ctx(), SaveOptions{Room: room, ID: id, To: h.name + "'s copy"})
	if err != nil {
		h.t.Fatalf("%s: save a file: %v", h.name, err)
	}
	return h.w.places[s.To]
}

// file returns what a home shows of a message's file; nil for none.
func (h *home) file(room, id string) *FileInfo {
	h.t.Helper()
	es, err := h.c.History(h.ctx(), room, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range es {
		if e.ID == id {
			return e.File
		}
	}
	return nil
}

// locals counts the sealed files of a home.
func (h *home) locals() int {
	synctest.Wait()
	names, _ := h.files.Names(h.ctx())
	return len(names)
}

// TestAFileReachesWhoItIsSentTo: sealed at the server, as it was on the other side,
// and nowhere in clear in between.
func TestAFileReachesWhoItIsSentTo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		for _, n := range []int{0, 5, 100_000, 3 * sealedfile.ChunkSize} {
			b := someBytes(n, byte(n))
			w.places["/home/alice/cat.jpg"] = b
			sent := alice.sendFile(room, "/home/alice/cat.jpg", "look")
			if sent.State != StateSent {
				t.Fatalf("%d bytes: %s", n, sent.State)
			}
			if f := alice.file(room, sent.ID); f == nil || f.State != FileHere {
				t.Errorf("its sender sees %+v", f)
			}
			es := bob.got()
			if len(es) != 1 || es[0].Text != "look" || es[0].File == nil {
				t.Fatalf("got %+v", es)
			}
			if f := *es[0].File; f != (FileInfo{Name: "cat.jpg", Type: "image/jpeg", Size: uint64(n), State: FileThere}) {
				t.Errorf("it is shown as %+v", f)
			}
			if got := bob.save(room, es[0].ID); !bytes.Equal(got, b) {
				t.Errorf("%d bytes: got %d others", n, len(got))
			}
			if f := bob.file(room, sent.ID); f.State != FileHere {
				t.Errorf("once it was saved it is %s", f.State)
			}
			if n > 16 {
				for _, v := range w.blobs.m {
					if bytes.Contains(v.b, b[:16]) {
						t.Error("the server has it in clear")
					}
				}
				for _, h := range []*home{alice, bob} {
					h.files.Change(func(_ string, sealed []byte) []byte {
						if bytes.Contains(sealed, b[:16]) {
							t.Errorf("%s's home has it in clear", h.name)
						}
						return sealed
					})
				}
			}
			if got := alice.save(room, sent.ID); !bytes.Equal(got, b) {
				t.Error("its sender saves something else")
			}
		}
		// A folder is given a name that is free.
		for _, want := range []string{"/d/cat.jpg", "/d/cat (2).jpg", "/d/cat (3).jpg"} {
			es, _ := bob.c.History(bob.ctx(), room, 1)
			if s, err := bob.c.SaveFile(bob.ctx(), SaveOptions{Room: room, ID: es[0].ID, Folder: "/d"}); err != nil || s.To != want {
				t.Errorf("saved at %q, %v, want %q", s.To, err, want)
			}
		}
	})
}

// TestAServerCannotChangeAFile: what it makes of a file is not shown as the one that
// was sent, and the next try begins anew.
func TestAServerCannotChangeAFile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		b := someBytes(200_000, 1)
		w.places["f"] = b
		sent := alice.sendFile(room, "f", "")
		bob.got()
		var id wire.BlobID
		for i, v := range w.blobs.m {
			if int64(len(v.b)) == sealedfile.SealedSize(int64(len(b))) {
				id = i
			}
		}
		whole := w.blobs.m[id]
		for name, tampered := range map[string][]byte{
			"a byte":    append(bytes.Clone(whole.b[:len(whole.b)-1]), whole.b[len(whole.b)-1]^1),
			"the head":  append([]byte{whole.b[0] ^ 1}, whole.b[1:]...),
			"cut short": whole.b[:len(whole.b)-sealedfile.ChunkSize],
			"longer":    append(bytes.Clone(whole.b), 0),
			"nothing":   {},
		} {
			v := whole
			v.b = tampered
			w.blobs.m[id] = v
			delete(w.places, "bob's copy")
			_, err := bob.c.SaveFile(bob.ctx(), SaveOptions{Room: room, ID: sent.ID, To: "bob's copy"})
			if name == "longer" {
				// What is too much is not even read.
				if err != nil || !bytes.Equal(w.places["bob's copy"], b) {
					t.Errorf("%s: %v", name, err)
				}
				bob.inRoomless(func(s *step) error {
					c, _ := parseConv(room)
					return s.dropFile(c, mustID(sent.ID))
				})
				continue
			}
			if short := len(tampered) < len(whole.b); err == nil || !short && code(err) != wire.Damaged {
				t.Errorf("%s: %v", name, err)
			}
			if _, there := w.places["bob's copy"]; there {
				t.Errorf("%s: something was written", name)
			}
		}
		w.blobs.m[id] = whole
		if got := bob.save(room, sent.ID); !bytes.Equal(got, b) {
			t.Error("the right one is not taken after wrong ones")
		}
	})
}

// TestAFileIsFetchedFromKnownServersOnly: who names another one in a message does not
// learn who reads it, and where (attack A33).
func TestAFileIsFetchedFromKnownServersOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		alice.inject(room, fileAt(t, "http://evil.example"))
		es := bob.got()
		if len(es) != 1 || es[0].File == nil {
			t.Fatalf("got %+v", es)
		}
		opened := w.blobs.opened
		if _, err := bob.c.SaveFile(bob.ctx(), SaveOptions{Room: room, ID: es[0].ID, To: "x"}); code(err) != wire.Denied || w.blobs.opened != opened {
			t.Errorf("fetched %d times, %v", w.blobs.opened-opened, err)
		}
	})
}

// TestAFileWaitsWithItsMessage: what cannot go up now goes by itself, and its message
// not before it; what is said after it does not wait.
func TestAFileWaitsWithItsMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		w.places["f"] = someBytes(100_000, 1)
		w.blobs.fail = wire.Errorf(wire.Unreachable, "no way")
		sent := alice.sendFile(room, "f", "look")
		if sent.State != StateQueued {
			t.Fatalf("it is %s", sent.State)
		}
		if f := alice.file(room, sent.ID); f.State != FileUploading {
			t.Errorf("it is shown as %s", f.State)
		}
		delete(w.places, "f") // it was read; nobody needs it any more
		alice.send(room, "it comes")
		if got := texts(bob.got()); len(got) != 1 || got[0] != "it comes" {
			t.Errorf("got %q", got)
		}
		alice.stop()
		alice.start()
		time.Sleep(time.Minute)
		if got := texts(bob.got()); len(got) != 0 {
			t.Errorf("got %q while its file is not there", got)
		}
		w.blobs.fail = nil
		time.Sleep(10 * time.Minute)
		if got := texts(bob.got()); len(got) != 1 || got[0] != "look" {
			t.Fatalf("got %q", got)
		}
		if got := bob.save(room, sent.ID); len(got) != 100_000 {
			t.Errorf("got %d bytes", len(got))
		}
	})
}

func mustID(text string) []byte {
	id, _ := content.ParseMessageID(text)
	return id[:]
}

// fileAt is a message with a file that lies at a server.
func fileAt(t *testing.T, server string) *content.Message {
	t.Helper()
	m, err := content.NewFile(content.Attached{Name: "x", Size: 5, Server: server, Key: wire.NewSecret()}, content.Options{Sent: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestASenderCannotLieAboutAFile: what opens, and is not what its message has signed
// for, is not written (attack A31).
func TestASenderCannotLieAboutAFile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		key, plain := wire.NewSecret(), someBytes(5000, 1)
		var sealed bytes.Buffer
		out, err := sealedfile.NewWriter(&sealed, key, int64(len(plain)))
		if err != nil {
			t.Fatal(err)
		}
		out.Write(plain)
		out.Close()
		blob := wire.BlobIDOf(1, sealed.Bytes())
		w.blobs.m[blob] = memoryBlob{b: sealed.Bytes(), end: time.Now().Add(time.Hour)}
		for name, hash := range map[string][32]byte{"another": {1}, "the right one": sha256.Sum256(plain)} {
			m, err := content.NewFile(content.Attached{Name: "x", Size: uint64(len(plain)), Server: testServer, Blob: blob, Key: key, Hash: hash},
				content.Options{Sent: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			alice.inject(room, m)
			es := bob.got()
			_, err = bob.c.SaveFile(bob.ctx(), SaveOptions{Room: room, ID: es[0].ID, To: name})
			_, written := w.places[name]
			if right := name == "the right one"; written != right || (err == nil) != right || !right && code(err) != wire.Damaged {
				t.Errorf("%s hash: %v, written %v", name, err, written)
			}
		}
	})
}
