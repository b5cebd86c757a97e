package core

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"hearth/content"
	"hearth/core/sealedfile"
	"hearth/wire"
)

// sealedBlobs counts the blobs that are as long as a file of some bytes is, sealed,
// and could be had now.
func (w *world) sealedBlobs(n int) (count int) {
	w.blobs.mu.Lock()
	defer w.blobs.mu.Unlock()
	for _, v := range w.blobs.m {
		if int64(len(v.b)) == sealedfile.SealedSize(int64(n)) && time.Now().Before(v.end) {
			count++
		}
	}
	return count
}

// TestAFileDiesWithItsMessage: however a message ends, nothing of its file is left:
// not at the server, not in the homes of those who have sent and fetched it, and in no
// record its key or its name.
func TestAFileDiesWithItsMessage(t *testing.T) {
	const size = 100_000
	records := recordKinds(t)
	for name, c := range map[string]struct {
		say SendOptions
		do  func(alice, bob *home, room, id string)
	}{
		"its own end": {SendOptions{Expire: time.Hour}, func(alice, _ *home, _, _ string) { time.Sleep(time.Hour + 2*time.Second) }},
		"the timer":   {SendOptions{}, func(alice, _ *home, _, _ string) { time.Sleep(31 * 24 * time.Hour) }},
		"deletion": {SendOptions{}, func(alice, _ *home, room, id string) {
			alice.amend(AmendOptions{Room: room, ID: id, Delete: true})
		}},
		"a shorter end": {SendOptions{}, func(alice, _ *home, room, id string) {
			var of content.MessageID
			copy(of[:], mustID(id))
			m, err := content.NewEdit(of, "soon over", content.Options{Sent: time.Now(), Expires: content.EndsAt(time.Now().Add(time.Minute))})
			if err != nil {
				t.Fatal(err)
			}
			c, _ := parseConv(room)
			body, _ := m.Encode()
			if _, err := alice.c.utter(alice.ctx(), c, nil, m, body, time.Now()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute + 2*time.Second)
		}},
		"reading": {SendOptions{Expire: time.Minute, FromReading: true}, func(_, bob *home, room, _ string) { time.Sleep(2 * time.Minute) }},
		"opening": {SendOptions{Once: true}, func(alice, _ *home, room, id string) {
			alice.amend(AmendOptions{Room: room, ID: id, Delete: true}) // for its sender it stays
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				alice, bob, room := friends(w)
				w.places["secret-plan.txt"] = someBytes(size, 7)
				say := c.say
				say.To, say.File, say.Text = room, "secret-plan.txt", "about the secret-plan"
				sent, err := alice.c.Send(alice.ctx(), say)
				if err != nil || sent.State != StateSent {
					t.Fatal(sent.State, err)
				}
				if es := bob.got(); len(es) != 1 {
					t.Fatalf("got %+v", es)
				}
				if !say.Once && say.Expire == 0 {
					for _, h := range []*home{alice, bob} {
						if got := h.search("secret-plan.txt"); len(got) != 1 {
							t.Errorf("%s finds %q", h.name, got)
						}
					}
				}
				if got := bob.save(room, sent.ID); len(got) != size {
					t.Fatalf("saved %d bytes", len(got))
				}
				var key []byte
				alice.inRoomless(func(s *step) error {
					id, _ := parseConv(room)
					_, a, err := s.attachedTo(id, mustID(sent.ID))
					key = a.Key.Reveal()
					return err
				})
				// The control: all of it is there.
				if in := alice.holding(t, records, string(key)); len(in) == 0 || alice.locals() != 1 {
					t.Fatalf("before: the key in %q, %d files", in, alice.locals())
				}
				if !say.Once && (bob.locals() != 1 || w.sealedBlobs(size) != 1) {
					t.Fatalf("before: %d files, %d blobs", bob.locals(), w.sealedBlobs(size))
				}
				c.do(alice, bob, room, sent.ID)
				bob.got()
				alice.got()
				time.Sleep(time.Minute)
				for _, h := range []*home{alice, bob} {
					for _, text := range []string{string(key), "secret-plan"} {
						if in := h.holding(t, records, text); len(in) > 0 {
							t.Errorf("%s holds %.16q in %q", h.name, text, in)
						}
					}
					if n := h.locals(); n != 0 {
						t.Errorf("%s has %d sealed files", h.name, n)
					}
					if got := h.search("secret-plan.txt"); len(got) != 0 {
						t.Errorf("%s finds %q", h.name, got)
					}
					if _, err := h.c.SaveFile(h.ctx(), SaveOptions{Room: room, ID: sent.ID, To: "again"}); code(err) != wire.NotFound {
						t.Errorf("%s saves it: %v", h.name, err)
					}
				}
				if n := w.sealedBlobs(size); n != 0 {
					t.Errorf("the server has %d blobs", n)
				}
			})
		})
	}
}

// TestAFileThatIsToBeOpenedOnce: who opens it has it no more, and its sender has not
// deleted anything.
func TestAFileThatIsToBeOpenedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		w.places["f"] = someBytes(5000, 1)
		sent, err := alice.c.Send(alice.ctx(), SendOptions{To: room, File: "f", Once: true})
		if err != nil {
			t.Fatal(err)
		}
		bob.got()
		if _, err := bob.c.Forward(bob.ctx(), ForwardOptions{Room: room, ID: sent.ID, To: room}); code(err) != wire.Denied {
			t.Errorf("it is sent on: %v", err)
		}
		if f := bob.file(room, sent.ID); f == nil || !f.Once {
			t.Fatalf("it is shown as %+v", f)
		}
		bob.save(room, sent.ID)
		time.Sleep(time.Minute)
		if f := bob.file(room, sent.ID); f != nil || bob.locals() != 0 || w.sealedBlobs(5000) != 0 {
			t.Errorf("it is still there: %+v, %d, %d", f, bob.locals(), w.sealedBlobs(5000))
		}
		if f := alice.file(room, sent.ID); f == nil {
			t.Error("its sender does not see it any more")
		}
	})
}

// TestAForwardedFileIsItsOwn: the original's deletion takes nothing from it, and it
// ends when the original does.
func TestAForwardedFileIsItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		carol := w.person("carol")
		far := bob.send("carol", "hello").Room
		carol.accept()
		carol.got()
		b := someBytes(70_000, 3)
		w.places["f.txt"] = b
		sent, err := alice.c.Send(alice.ctx(), SendOptions{To: room, File: "f.txt", Text: "first", Expire: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		bob.got()
		alice.amend(AmendOptions{Room: room, ID: sent.ID, Text: "second"})
		bob.got()
		if f := bob.file(room, sent.ID); f == nil || f.Name != "f.txt" {
			t.Fatalf("its caption was changed, and now it is %+v", f)
		}
		on, err := bob.c.Forward(bob.ctx(), ForwardOptions{Room: room, ID: sent.ID, To: far})
		if err != nil || on.State != StateSent {
			t.Fatal(on.State, err)
		}
		if n := w.sealedBlobs(len(b)); n != 2 {
			t.Errorf("there are %d blobs", n)
		}
		alice.amend(AmendOptions{Room: room, ID: sent.ID, Delete: true})
		bob.got()
		es := carol.got()
		if len(es) != 1 || !es[0].Forwarded || es[0].Text != "second" || es[0].File == nil || es[0].File.Name != "f.txt" {
			t.Fatalf("carol got %+v", es)
		}
		if got := carol.save(far, on.ID); !bytes.Equal(got, b) {
			t.Error("it is another file")
		}
		time.Sleep(time.Hour)
		if carol.locals() != 0 || bob.locals() != 0 || w.sealedBlobs(len(b)) != 0 {
			t.Errorf("after the end: %d, %d, %d", carol.locals(), bob.locals(), w.sealedBlobs(len(b)))
		}
	})
}

// TestAFileThatWasDeletedOnItsWay is not sent, and what the server has of it goes.
func TestAFileThatWasDeletedOnItsWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		w.places["f"] = someBytes(300_000, 1)
		w.blobs.cut = 20_000
		w.blobs.most = 5
		sent := alice.sendFile(room, "f", "")
		if sent.State != StateQueued {
			t.Fatal(sent.State)
		}
		if f := alice.file(room, sent.ID); f.State != FileUploading {
			t.Errorf("it is %s", f.State)
		}
		if s := alice.amend(AmendOptions{Room: room, ID: sent.ID, Delete: true}); s.State != StateSent {
			t.Errorf("its deletion is %s", s.State)
		}
		w.blobs.cut, w.blobs.most = 0, 0
		time.Sleep(time.Hour)
		if es := bob.got(); len(es) != 0 {
			t.Errorf("got %+v", es)
		}
		if alice.locals() != 0 || w.sealedBlobs(300_000) != 0 || len(w.blobs.uploads) != 0 {
			t.Errorf("left: %d here, %d blobs, %d uploads", alice.locals(), w.sealedBlobs(300_000), len(w.blobs.uploads))
		}
	})
}

// TestTransfersGoOnWhereTheyWere: killed again and again, both ways move each byte
// once.
func TestTransfersGoOnWhereTheyWere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		b := someBytes(1_000_000, 1)
		w.places["f"] = b
		w.blobs.cut = 150_000
		sent := alice.sendFile(room, "f", "")
		for n := 0; w.sealedBlobs(len(b)) == 0; n++ {
			if n == 20 {
				t.Fatal("it does not get up")
			}
			alice.kill()
			alice.start()
			time.Sleep(2 * time.Second)
		}
		sealed := sealedfile.SealedSize(int64(len(b)))
		if w.blobs.moved != sealed {
			t.Errorf("%d bytes went up, of %d", w.blobs.moved, sealed)
		}
		time.Sleep(time.Minute)
		if len(bob.got()) != 1 {
			t.Fatal("it was not sent")
		}
		w.blobs.moved = 0
		failed := errors.New("killed")
		for n := 0; ; n++ {
			if n == 20 {
				t.Fatal("it does not come down")
			}
			// The process dies behind every second write.
			writes := 0
			bob.files.Fail = func(int64) error {
				if writes++; writes > 2 {
					return failed
				}
				return nil
			}
			_, err := bob.c.SaveFile(bob.ctx(), SaveOptions{Room: room, ID: sent.ID, To: "got"})
			if err == nil {
				break
			}
			if n == 1 {
				if f := bob.file(room, sent.ID); f.State != FilePartly {
					t.Errorf("it is %s", f.State)
				}
			}
			bob.kill()
			bob.start()
		}
		if !bytes.Equal(w.places["got"], b) {
			t.Error("it came as something else")
		}
		// What was on its way when the process died comes once more: a chunk.
		if again := w.blobs.moved - sealed; again < 0 || again > 20*sealedfile.ChunkSize {
			t.Errorf("%d bytes came down, of %d", w.blobs.moved, sealed)
		}
	})
}

// TestWhatWasSealedForNothingIsRemoved: a process that dies while it reads a file
// leaves nothing behind that stays.
func TestWhatWasSealedForNothingIsRemoved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		w.places["f"] = someBytes(300_000, 1)
		alice.files.Fail = func(have int64) error {
			if have > 100_000 {
				return errors.New("the disk is full")
			}
			return nil
		}
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, File: "f"}); err == nil {
			t.Fatal("it was sent")
		}
		if n := alice.locals(); n != 0 {
			t.Errorf("%d files stay", n)
		}
		alice.files.Fail = nil
		alice.kill()
		alice.files.Append(alice.ctx(), "left", 0, func(w io.Writer) error { _, err := w.Write([]byte("x")); return err })
		alice.start()
		if n := alice.locals(); n != 0 {
			t.Errorf("%d files stay after a start", n)
		}
		if es := bob.got(); len(es) != 0 {
			t.Errorf("got %+v", es)
		}
	})
}

// TestFilesAreExportedAndEndWithTheAccount.
func TestFilesAreExportedAndEndWithTheAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, _, room := friends(w)
		b := someBytes(5000, 1)
		w.places["f.txt"] = b
		sent := alice.sendFile(room, "f.txt", "")
		if _, err := alice.c.Export(alice.ctx(), "mine"); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(w.places["mine/file_"+sent.ID+"_f.txt"], b) {
			t.Error("the file is not among what was exported")
		}
		if _, err := alice.c.AccountDelete(alice.ctx(), "alice"); err != nil {
			t.Fatal(err)
		}
		if n := alice.locals(); n != 0 {
			t.Errorf("%d files stay", n)
		}
	})
}
