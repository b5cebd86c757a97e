package wire

import (
	"strconv"
	"testing"
	"time"
)

func TestRanges(t *testing.T) {
	for value, want := range map[string]Range{
		"bytes=0-":      {0, -1},
		"bytes=0-0":     {0, 1},
		"bytes=5-9":     {5, 10},
		"bytes=100-199": {100, 200},
	} {
		if got, err := ParseRange(value); err != nil || got != want {
			t.Errorf("%s: got %v, %v", value, got, err)
		}
	}
	for _, value := range []string{"", "bytes", "bytes=", "bytes=-", "bytes=-5", "bytes=5-4", "bytes=0-1,3-4", "bytes= 0-1", "bytes=0 -1",
		"bytes=00-1", "bytes=0-01", "bytes=+0-1", "bytes=0-+1", "Bytes=0-1", "0-1", "bytes=bytes=0-1", "bytes=0-1\n",
		"bytes=0-18446744073709551616", "bytes=18446744073709551615-", "bytes=4294967296-", "bytes=0-2148532224", "lines=1-2", "bytes=1-2-3"} {
		if got, err := ParseRange(value); err == nil {
			t.Errorf("%q: taken as %v", value, got)
		}
	}
	for _, c := range []struct {
		r        Range
		size     int64
		from, to int64
		ok       bool
	}{
		{Range{0, -1}, 10, 0, 10, true}, {Range{0, 20}, 10, 0, 10, true}, {Range{9, 10}, 10, 9, 10, true},
		{Range{10, -1}, 10, 10, 10, false}, {Range{11, 12}, 10, 11, 10, false}, {Range{0, -1}, 0, 0, 0, false},
	} {
		if from, to, ok := c.r.In(c.size); ok != c.ok || ok && (from != c.from || to != c.to) {
			t.Errorf("%v in %d: %d, %d, %v", c.r, c.size, from, to, ok)
		}
	}
}

func TestBlobNumbers(t *testing.T) {
	for value, want := range map[string]int64{"0": 0, "1": 1, "2148532224": MaxBlob} {
		if got, err := ParseOffset(value); err != nil || got != want {
			t.Errorf("offset %s: %d, %v", value, got, err)
		}
	}
	for _, value := range []string{"", "-1", "+1", "01", "1 ", "2148532225", "1e3", "0x1", "99999999999999999999"} {
		if got, err := ParseOffset(value); err == nil {
			t.Errorf("offset %q: taken as %d", value, got)
		}
	}
	if d, err := ParseTTL(strconv.Itoa(int(MaxBlobTTL / time.Second))); err != nil || d != MaxBlobTTL {
		t.Errorf("the longest ttl: %v, %v", d, err)
	}
	for _, value := range []string{"", "0", "-5", "05", strconv.Itoa(int(MaxBlobTTL/time.Second) + 1)} {
		if d, err := ParseTTL(value); err == nil {
			t.Errorf("ttl %q: taken as %v", value, d)
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=5-9", "bytes=-1", "bytes=0-1,2-3", "bytes=2147483647-2147483647"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r, err := ParseRange(value)
		if err != nil {
			return
		}
		if r.String() != value {
			t.Fatalf("%q was read as %q", value, r)
		}
		if from, to, ok := r.In(MaxBlob); ok && (from < 0 || to > MaxBlob || from >= to) {
			t.Fatalf("%q leaves the blob: %d to %d", value, from, to)
		}
	})
}

func FuzzBlobHeaders(f *testing.F) {
	f.Add("0", 4)
	f.Add("2148532224", 32)
	f.Add("AAAAAA", 4)
	f.Fuzz(func(t *testing.T, value string, n int) {
		if v, err := ParseOffset(value); err == nil && strconv.FormatInt(v, 10) != value {
			t.Fatalf("offset %q was read as %d", value, v)
		}
		if d, err := ParseTTL(value); err == nil && strconv.Itoa(int(d/time.Second)) != value {
			t.Fatalf("ttl %q was read as %v", value, d)
		}
		if b, err := ParseHeader(value, n&63); err == nil && FormatHeader(b) != value {
			t.Fatalf("header %q was read as %x", value, b)
		}
	})
}
