package core

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"hearth/content"
	"hearth/wire"
)

// photo is a JPEG that says where it was taken.
func photo(t *testing.T) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for i := range m.Pix {
		m.Pix[i] = byte(i)
	}
	m.Set(0, 0, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	where := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00 52.5200N 13.4050E"
	return append(append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, byte(len(where) + 2)}, where...), b.Bytes()[2:]...)
}

// TestAPictureGoesWithoutWhatIsHiddenInIt, and with a small one of itself; one that
// cannot be stripped is not sent unless its sender wants that.
func TestAPictureGoesWithoutWhatIsHiddenInIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		b := photo(t)
		w.places["holiday.bin"] = b // what it is, its bytes say
		sent := alice.sendFile(room, "holiday.bin", "")
		es := bob.got()
		if len(es) != 1 || es[0].File == nil || es[0].File.Type != "image/jpeg" || es[0].File.Width != 640 || es[0].File.Height != 480 || !es[0].File.Thumbnail {
			t.Fatalf("got %+v", es[0].File)
		}
		got := bob.save(room, sent.ID)
		if bytes.Contains(got, []byte("52.5200N")) {
			t.Error("it says where it was taken")
		}
		if _, err := jpeg.Decode(bytes.NewReader(got)); err != nil {
			t.Error(err)
		}
		small, err := bob.c.Thumbnail(bob.ctx(), room, sent.ID)
		if err != nil || small.Type != "image/jpeg" {
			t.Fatal(small.Type, err)
		}
		if m, err := jpeg.Decode(bytes.NewReader(small.Data)); err != nil || m.Bounds().Dx() != 320 {
			t.Errorf("the small picture: %v", err)
		}
		once, err := alice.c.Send(alice.ctx(), SendOptions{To: room, File: "holiday.bin", Once: true})
		if err != nil {
			t.Fatal(err)
		}
		bob.got()
		if _, err := bob.c.Thumbnail(bob.ctx(), room, once.ID); code(err) != wire.NotFound {
			t.Errorf("what is to be seen once is seen before: %v", err)
		}
		w.places["cut.jpg"] = b[:len(b)/2]
		w.places["new.heic"] = []byte("\x00\x00\x00\x18ftypheic 52.5200N")
		for _, name := range []string{"cut.jpg", "new.heic"} {
			if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, File: name}); code(err) != wire.BadInput {
				t.Errorf("%s: %v", name, err)
			}
			s, err := alice.c.Send(alice.ctx(), SendOptions{To: room, File: name, AsIs: true})
			if err != nil {
				t.Fatal(err)
			}
			bob.got()
			if got := bob.save(room, s.ID); !bytes.Equal(got, w.places[name]) {
				t.Errorf("%s: it is not as it was", name)
			}
		}
	})
}

// TestAThumbnailIsNotBelieved: what a hostile sender calls one is shown as a small
// picture or not at all.
func TestAThumbnailIsNotBelieved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, room := friends(w)
		var large bytes.Buffer
		jpeg.Encode(&large, image.NewGray(image.Rect(0, 0, 4000, 100)), nil)
		var fine bytes.Buffer
		jpeg.Encode(&fine, image.NewGray(image.Rect(0, 0, 20, 20)), nil)
		polyglot := append(fine.Bytes(), "<script>alert(1)</script>"...)
		for name, b := range map[string][]byte{"none": []byte("<svg onload=alert(1)>"), "large": large.Bytes(), "polyglot": polyglot} {
			m, err := content.NewFile(content.Attached{Name: "x", Size: 5, Server: testServer, Key: wire.NewSecret(), Thumbnail: b}, content.Options{})
			if err != nil {
				t.Fatal(name, err)
			}
			alice.inject(room, m)
			es := bob.got()
			small, err := bob.c.Thumbnail(bob.ctx(), room, es[0].ID)
			if name == "polyglot" {
				if err != nil || bytes.Contains(small.Data, []byte("script")) {
					t.Errorf("%s: %v", name, err)
				}
			} else if code(err) != wire.NotFound {
				t.Errorf("%s: %v, %d bytes", name, err, len(small.Data))
			}
		}
	})
}
