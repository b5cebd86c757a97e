package content

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"hearth/wire"
)

func attached() Attached {
	return Attached{
		Name: "cat.jpg", Type: "image/jpeg", Size: 123456, Server: "https://home.example:8420", Blob: wire.BlobID{1, 2, 3},
		Key: wire.SecretFrom(bytes.Repeat([]byte{7}, 32)), Hash: [32]byte{8}, Caption: "look", Thumbnail: []byte{0xff, 0xd8},
		FileDetails: FileDetails{Width: 640, Height: 480, Once: true, Voice: true, Drop: bytes.Repeat([]byte{9}, 32)}.Lasting(3 * time.Second),
	}
}

// TestAFileComesAsItWasSent: everything that is said of a file is read again, with
// and without what may be absent.
func TestAFileComesAsItWasSent(t *testing.T) {
	bare := attached()
	bare.Caption, bare.Thumbnail, bare.FileDetails, bare.Name = "", nil, FileDetails{}, ""
	captioned := bare
	captioned.Caption = "only that"
	pictured := bare
	pictured.Thumbnail = []byte{1}
	for name, a := range map[string]Attached{"all": attached(), "bare": bare, "captioned": captioned, "pictured": pictured} {
		m := ok(t)(NewFile(a, Options{Sent: sent, Expires: EndsAt(sent.Add(time.Hour))}))
		again, err := Parse(m.mustEncode(t))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, is := again.Attached()
		if !is || again.Kind() != File {
			t.Fatalf("%s: it is no file any more", name)
		}
		if !bytes.Equal(got.Key.Reveal(), a.Key.Reveal()) {
			t.Errorf("%s: got another key", name)
		}
		got.Key = a.Key
		if !reflect.DeepEqual(got, a) {
			t.Errorf("%s: got %+v, want %+v", name, got, a)
		}
		if text, _ := again.Text(); text != a.Caption {
			t.Errorf("%s: its text is %q", name, text)
		}
		if f, _ := again.File(); f.Expires != uint32(sent.Add(time.Hour).Unix()) {
			t.Errorf("%s: it ends at %d", name, f.Expires)
		}
	}
}

// TestAFileThatCannotBeFetchedIsNone: what lies somewhere else, or opens in
// another way, is a file that this version cannot fetch.
func TestAFileThatCannotBeFetchedIsNone(t *testing.T) {
	for name, change := range map[string]func(*External){
		"another place":      func(f *External) { f.URL = "https://example.org/" + f.URL },
		"no scheme":          func(f *External) { f.URL = f.URL[len(blobURL):] },
		"no server":          func(f *External) { f.URL = f.URL[:len(blobURL)+43] + "/" },
		"no slash":           func(f *External) { f.URL = f.URL[:len(blobURL)+43] },
		"a short id":         func(f *External) { f.URL = blobURL + f.URL[len(blobURL)+2:] },
		"another encryption": func(f *External) { f.EncAlg = 29 },
		"a short key":        func(f *External) { f.Key = f.Key[1:] },
		"no hash":            func(f *External) { f.ContentHash = nil },
		"another hash":       func(f *External) { f.HashAlg = 2 },
		"too large":          func(f *External) { f.Size = MaxFile + 1 },
	} {
		m := ok(t)(NewFile(attached(), Options{}))
		parts := m.Part.Body.(Multi).Parts
		f := parts[1].Body.(External)
		change(&f)
		parts[1].Body = f
		if _, is := m.Attached(); is {
			t.Errorf("%s: taken", name)
		}
		if m.Kind() != File {
			t.Errorf("%s: it is not shown as a file", name)
		}
	}
	wide := attached()
	wide.Size = MaxFile + 1
	if _, err := NewFile(wide, Options{}); !isCode(err, wire.BadInput) {
		t.Errorf("a file that is too large: %v", err)
	}
	m := ok(t)(NewFile(attached(), Options{}))
	m.Extensions[KeyFile] = wire.Encode(map[string]int{"a": 1})
	if a, is := m.Attached(); !is || !reflect.DeepEqual(a.FileDetails, FileDetails{}) {
		t.Error("details that cannot be read spoil the file")
	}
}
