package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const secret = "52.5200N 13.4050E"

// scene is a picture whose quarters differ, so that it is seen how it is turned.
func scene(w, h int) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}, color.White})
	for y := range h {
		for x := range w {
			m.SetColorIndex(x, y, uint8(x*2/w+y*2/h*2))
		}
	}
	return m
}

func encoded(t testing.TB, f func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func segmentOf(mark byte, body string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, mark}, uint16(len(body)+2)), body...)
}

// exif says which way is up, and where.
func exif(turn int) string { return "Exif\x00\x00" + string(oriented(turn)) + secret }

func chunkOf(name, body string) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), name+body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func riff(name, body string) []byte {
	b := append(binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body))), body...)
	return append(b, make([]byte, len(body)&1)...)
}

// samples are pictures that say more than they show.
func samples(t testing.TB, turn int) map[string][]byte {
	jpg := encoded(t, func(w io.Writer) error { return jpeg.Encode(w, scene(64, 32), nil) })
	pic := encoded(t, func(w io.Writer) error { return png.Encode(w, scene(64, 32)) })
	mov := encoded(t, func(w io.Writer) error {
		return gif.EncodeAll(w, &gif.GIF{Image: []*image.Paletted{scene(64, 32), scene(64, 32)}, Delay: []int{5, 5}})
	})
	web := slices.Concat(riff("VP8X", "\x2c\x00\x00\x00\x3f\x00\x00\x1f\x00\x00"), riff("ICCP", secret), riff("VP8L", "not looked at"),
		riff("EXIF", exif(turn)[6:]), riff("XMP ", secret), riff("ODDS", secret))
	afterIHDR := len(pngMagic) + 25
	return map[string][]byte{
		JPEG: slices.Concat(jpg[:2], segmentOf(markAPP0, "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x01\x01"+secret[:3]), segmentOf(markAPP1, exif(turn)),
			segmentOf(markAPP1, "http://ns.adobe.com/xap/1.0/\x00"+secret), segmentOf(0xe2, "ICC_PROFILE\x00"+secret), segmentOf(0xed, secret),
			segmentOf(0xfe, secret), jpg[2:], []byte(secret)),
		PNG: slices.Concat(pic[:afterIHDR], chunkOf("tEXt", "Comment\x00"+secret), chunkOf("eXIf", exif(1)[6:]), chunkOf("iTXt", secret),
			chunkOf("tIME", secret[:7]), chunkOf("prVt", secret), pic[afterIHDR:], []byte(secret)),
		GIF: slices.Concat(mov[:len(mov)-1], []byte("\x21\xfe"+string(rune(len(secret)))+secret+"\x00"),
			[]byte("\x21\xff\x0bXMP DataXMP"+string(rune(len(secret)))+secret+"\x00"), []byte("\x21\x01"+string(rune(len(secret)))+secret+"\x00"),
			mov[len(mov)-1:], []byte(secret)),
		WebP: append(append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(web))), "WEBP"...), append(web, secret...)...),
	}
}

func strip(b []byte) (*Picture, []byte, error) {
	p, err := Strip(bytes.NewReader(b), int64(len(b)))
	if err != nil || p == nil {
		return p, nil, err
	}
	out, err := io.ReadAll(p.Reader())
	return p, out, err
}

// TestNothingButThePictureIsLeft: of all that a picture carries along, no byte; of
// what it shows, all.
func TestNothingButThePictureIsLeft(t *testing.T) {
	for kind, b := range samples(t, 1) {
		if !bytes.Contains(b, []byte(secret)) {
			t.Fatalf("%s: nothing is hidden in it", kind)
		}
		p, out, err := strip(b)
		if err != nil || p == nil || p.Type != kind {
			t.Fatalf("%s: %v, %v", kind, p, err)
		}
		for _, hidden := range []string{secret, secret[:7], "xap/1.0", "Exif", "tEXt", "tIME", "XMP", "ICC", "ODDS", "Comment"} {
			if bytes.Contains(out, []byte(hidden)) {
				t.Errorf("%s: %q is still in it", kind, hidden)
			}
		}
		if p.Size != int64(len(out)) {
			t.Errorf("%s: %d bytes, announced %d", kind, len(out), p.Size)
		}
		if _, again, err := strip(out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%s: stripped again it is another: %v", kind, err)
		}
		if kind == WebP {
			if out[20]&0x2c != 0 || binary.LittleEndian.Uint32(out[4:]) != uint32(len(out)-8) {
				t.Errorf("its head announces what is not there: % x", out[:24])
			}
			continue
		}
		was, _, err := image.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(kind, err)
		}
		now, _, err := image.Decode(bytes.NewReader(out))
		if err != nil {
			t.Fatal(kind, err)
		}
		for y := range 32 {
			for x := range 64 {
				if was.At(x, y) != now.At(x, y) {
					t.Fatalf("%s: it shows something else at %d, %d", kind, x, y)
				}
			}
		}
		if g, err := gif.DecodeAll(bytes.NewReader(out)); kind == GIF && (err != nil || len(g.Image) != 2 || g.LoopCount != 0 || g.Delay[0] != 5) {
			t.Errorf("the animation is another: %v", err)
		}
	}
}

// TestWhichWayIsUpStays, and the thumbnail is the right way up.
func TestWhichWayIsUpStays(t *testing.T) {
	// The colours of an upright picture's corners, from the top left clockwise, when
	// what is stored has red, green, white, blue.
	corners := map[int]string{1: "rgwb", 2: "grbw", 3: "wbrg", 4: "bwgr", 5: "rbwg", 6: "brgw", 7: "wgrb", 8: "gwbr"}
	for turn := 1; turn <= 8; turn++ {
		for _, kind := range []string{JPEG, WebP} {
			_, out, err := strip(samples(t, turn)[kind])
			if err != nil {
				t.Fatal(err)
			}
			p, _, err := strip(out)
			if err != nil || p.turn != turn {
				t.Errorf("%s, turn %d: got %d, %v", kind, turn, p.turn, err)
			}
		}
		p, _, _ := strip(samples(t, turn)[JPEG])
		seen := p.See(16 << 10)
		w, h := 64, 32
		if turn >= 5 {
			w, h = h, w
		}
		if seen.Width != w || seen.Height != h {
			t.Errorf("turn %d: %d x %d", turn, seen.Width, seen.Height)
		}
		m, err := jpeg.Decode(bytes.NewReader(seen.Thumbnail))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, at := range [][2]int{{3, 3}, {w - 4, 3}, {w - 4, h - 4}, {3, h - 4}} {
			r, g, b, _ := m.At(at[0], at[1]).RGBA()
			switch {
			case r > 0xc000 && g > 0xc000:
				got += "w"
			case r > 0x8000:
				got += "r"
			case g > 0x8000:
				got += "g"
			case b > 0x8000:
				got += "b"
			}
		}
		if got != corners[turn] {
			t.Errorf("turn %d: the corners are %q, want %q", turn, got, corners[turn])
		}
	}
}

// TestWhatCannotBeFollowedIsRefused: a picture that is cut or odd is not passed on as
// it is; what is none is.
func TestWhatCannotBeFollowedIsRefused(t *testing.T) {
	for kind, b := range samples(t, 1) {
		end := len(b) - len(secret)
		for n := 12; n < end; n += 1 + n/9 {
			if p, _, err := strip(b[:n]); err == nil && p != nil {
				t.Errorf("%s: %d of %d bytes are taken", kind, n, end)
			}
		}
	}
	for _, head := range []string{"II*\x00abc", "MM\x00*", "\x00\x00\x00\x18ftypheic", "\x00\x00\x00\x18ftypavif"} {
		if _, _, err := strip([]byte(head + strings.Repeat("x", 20))); !errors.Is(err, ErrForeign) {
			t.Errorf("%q: %v", head, err)
		}
	}
	for _, other := range []string{"", "hello", "%PDF-1.7", "\x00\x00\x00\x18ftypisom", "RIFF\x00\x00\x00\x00WAVE"} {
		if p, _, err := strip([]byte(other)); p != nil || err != nil {
			t.Errorf("%q is a picture: %v", other, err)
		}
	}
}

// TestBombsAreNotDecoded: a few bytes that announce very many pixels have no
// thumbnail, and take no memory.
func TestBombsAreNotDecoded(t *testing.T) {
	b := samples(t, 1)[PNG]
	i := bytes.Index(b, []byte("IHDR"))
	binary.BigEndian.PutUint32(b[i+4:], 12000)
	binary.BigEndian.PutUint32(b[i+8:], 12000)
	binary.BigEndian.PutUint32(b[i+17:], crc32.ChecksumIEEE(b[i:i+17]))
	p, _, err := strip(b)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p.See(16 << 10)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("it took %d bytes", n)
	}
	if seen := p.See(16 << 10); seen.Thumbnail != nil || seen.Width != 12000 {
		t.Errorf("got %d x %d, %d bytes", seen.Width, seen.Height, len(seen.Thumbnail))
	}
	large := encoded(t, func(w io.Writer) error { return jpeg.Encode(w, scene(600, 20), nil) })
	if _, err := Recode(large); err == nil {
		t.Error("a thumbnail of 600 pixels is taken")
	}
	if _, err := Recode([]byte("hello")); err == nil {
		t.Error("a thumbnail that is none is taken")
	}
}

// TestThumbnailsFit: noise compresses badly.
func TestThumbnailsFit(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 900, 700))
	x := uint32(1)
	for i := range m.Pix {
		x = x*1664525 + 1013904223
		m.Pix[i] = byte(x >> 24)
	}
	p, _, err := strip(encoded(t, func(w io.Writer) error { return png.Encode(w, m) }))
	if err != nil {
		t.Fatal(err)
	}
	seen := p.See(16 << 10)
	if len(seen.Thumbnail) == 0 || len(seen.Thumbnail) > 16<<10 {
		t.Errorf("it has %d bytes", len(seen.Thumbnail))
	}
	if _, err := Recode(seen.Thumbnail); err != nil {
		t.Error(err)
	}
}

func FuzzStrip(f *testing.F) {
	for _, b := range samples(f, 6) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, out, err := strip(b)
		if err != nil || p == nil {
			return
		}
		if int64(len(out)) != p.Size || len(out) > len(b)+64 {
			t.Fatalf("%d bytes became %d, announced %d", len(b), len(out), p.Size)
		}
		if _, again, err := strip(out); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("what is left is stripped again to something else: %v", err)
		}
	})
}

func FuzzSee(f *testing.F) {
	for _, b := range samples(f, 6) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, _, err := strip(b)
		if err == nil && p != nil {
			if seen := p.See(16 << 10); len(seen.Thumbnail) > 16<<10 {
				t.Fatal("a thumbnail that is too large")
			}
		}
		Recode(b)
	})
}
