package vault

import (
	"bytes"
	"encoding/base64"
	"testing"
)

// The key file and what lies on the disk may be anybody's bytes.

func FuzzParseKeyring(f *testing.F) {
	k := newKeyring()
	f.Add(k.marshal())
	k.founding = true
	f.Add(k.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := parseKeyring(b); err == nil && !bytes.Equal(k.marshal(), b) {
			t.Errorf("accepted %x", b)
		}
	})
}

func FuzzOpenRecord(f *testing.F) {
	k := newKeyring()
	tab := table{buckets: []bucket{{id: bucketID{1}, grain: day, key: newSecret()}}}
	f.Add(k.sealRecord("r/x", nil, record{name: "x", value: []byte("v")}), tab.seal(k), []byte{0, 1, 'x', 1, 'v', 0})
	f.Add(k.sealRecord("r/x", &tab.buckets[0], record{name: "x", expires: 9}), tab.seal(k), []byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, sealed, sealedTable, inside []byte) {
		k.openRecord(&tab, "r/x", sealed)
		openTable(k, sealedTable)
		if r, ok := parseRecord(inside); ok && len(r.name)+len(r.value) > len(inside) {
			t.Errorf("a record of %d bytes out of %d", len(r.name)+len(r.value), len(inside))
		}
	})
}

func FuzzParseSealedKey(f *testing.F) {
	c, err := Passphrase([]byte("correct horse"))
	if err != nil {
		f.Fatal(err)
	}
	stick, err := FromKeyFile(NewKeyFile())
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range []Credential{c, stick} {
		s, _ := sealKey(c, Cost{Passes: 1, Memory: 64, Lanes: 1}, newKeyring().marshal())
		f.Add(s.marshal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseSealedKey(b); err == nil && !bytes.Equal(s.marshal(), b) {
			t.Errorf("accepted %x", b)
		}
	})
}

func FuzzFromKeyFile(f *testing.F) {
	f.Add(NewKeyFile())
	f.Add([]byte(keyFilePrefix + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := FromKeyFile(b); err == nil {
			again := keyFilePrefix + base64.RawURLEncoding.EncodeToString(*c.secret) + "\n"
			if again != string(b) {
				t.Errorf("accepted %q", b)
			}
		}
	})
}
