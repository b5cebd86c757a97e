package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	"hearth/wire"
)

// segmentOf writes one batch for each list of records and returns the segment
// and where each batch ends.
func segmentOf(t testing.TB, batches ...[]*record) (b []byte, ends []int) {
	t.Helper()
	dir := t.TempDir()
	j := &journal{mu: newGate(), dir: dir, step: plainStep, segment: 1}
	ends = append(ends, segmentHeader)
	for _, recs := range batches {
		var buf []byte
		for _, rec := range recs {
			buf = appendRecord(buf, rec)
		}
		if err := j.append(buf); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, int(j.size))
	}
	j.close()
	b, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	return b, ends
}

func someRecords() [][]*record {
	var out [][]*record
	rev := uint64(0)
	for _, n := range []int{1, 3, 2, 5} {
		var batch []*record
		for range n {
			rev++
			class := wire.ClassID{byte(rev)}
			batch = append(batch, &record{Op: opAppend, Room: wire.RoomID{1, byte(rev)}, Rev: rev, Expires: 7, Class: &class,
				Entry: wire.EntryTail(wire.Entry{Number: wire.Number(rev), Payload: fmt.Append(nil, "payload ", rev)})})
		}
		out = append(out, batch)
	}
	return out
}

// revs reads a segment and returns how many records it gave; they must be the
// first ones in order.
func revs(t *testing.T, b []byte, newest bool) (n int, err error) {
	t.Helper()
	err = readSegment(b, 1, newest, func(rec *record) error {
		n++
		if rec.Rev != uint64(n) {
			t.Fatalf("record %d came at place %d", rec.Rev, n)
		}
		return nil
	})
	return n, err
}

func TestJournalTornAtEveryByte(t *testing.T) {
	b, ends := segmentOf(t, someRecords()...)
	upTo := []int{0, 1, 4, 6, 11}
	for n := range len(b) + 1 {
		want := 0
		for i, end := range ends {
			if n >= end {
				want = upTo[i]
			}
		}
		if got, err := revs(t, b[:n], true); err != nil || got != want {
			t.Fatalf("cut at %d: got %d records, %v; want %d", n, got, err, want)
		}
		// A segment that was followed by another was whole.
		got, err := revs(t, b[:n], false)
		whole := false
		for _, end := range ends {
			whole = whole || n == end
		}
		if whole != (err == nil) || (whole && got != want) {
			t.Fatalf("older segment cut at %d: got %d records, %v", n, got, err)
		}
		// Zeros after the cut, as a file system may leave them.
		zeros := append(bytes.Clone(b[:n]), make([]byte, 100)...)
		if got, err := revs(t, zeros, true); n >= segmentHeader && (err != nil || got != want) {
			t.Fatalf("zeros from %d: got %d records, %v; want %d", n, got, err, want)
		}
	}
}

func TestDamageIsToldFromATornTail(t *testing.T) {
	b, ends := segmentOf(t, someRecords()...)
	last := ends[len(ends)-2]
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 0x10
		n, err := revs(t, bad, true)
		switch {
		case i >= 8 && i < 12:
			if !errors.Is(err, &wire.Error{Code: wire.Unsupported}) {
				t.Fatalf("byte %d: got %v, want unsupported", i, err)
			}
		case i < last:
			if !errors.Is(err, &wire.Error{Code: wire.Damaged}) {
				t.Fatalf("byte %d: got %d records, %v; want damaged", i, n, err)
			}
		default: // nothing shows that the last batch was ever reported
			if err != nil || n != 6 {
				t.Fatalf("byte %d: got %d records, %v; want 6", i, n, err)
			}
		}
	}
	if _, err := revs(t, append(appendSegmentHeader(nil, 2), b[segmentHeader:]...), true); err == nil {
		t.Error("a segment was read under another's number")
	}
}

func TestSegmentsAreRemovedThroughTheirCheckpoint(t *testing.T) {
	j := &journal{mu: newGate(), dir: t.TempDir(), step: plainStep, segment: 1}
	for range 3 {
		if err := j.append(appendRecord(nil, &record{Op: opAppend})); err != nil {
			t.Fatal(err)
		}
		j.rotate()
	}
	j.append(appendRecord(nil, &record{Op: opAppend}))
	if err := j.remove(2, 0); err != nil {
		t.Fatal(err)
	}
	if left, _ := listSegments(j.dir); len(left) != 2 || left[0] != 3 || left[1] != 4 {
		t.Errorf("left: %v, want 3 and 4", left)
	}
	j.close()
}

func FuzzJournal(f *testing.F) {
	b, _ := segmentOf(f, someRecords()...)
	f.Add(b)
	f.Add(b[:len(b)-3])
	change := wire.Encode(commitChange{Add: []wire.NewSeat{{}}})
	c, _ := segmentOf(f, []*record{{Op: opCommit, Change: change}})
	f.Add(c)
	f.Fuzz(func(t *testing.T, b []byte) {
		rm := &room{tailFrom: 1}
		readSegment(b, 1, true, func(rec *record) error {
			rm.apply(rec) // must not panic, whatever the record says
			return nil
		})
		// What a batch's records are read from, they encode to again.
		for rest := b; len(rest) > 0; {
			rec, next, err := nextRecord(rest)
			if err != nil {
				return
			}
			if got := appendRecord(nil, rec); !bytes.Equal(got, rest[:len(rest)-len(next)]) {
				t.Fatalf("accepted %x, encodes to %x", rest[:len(rest)-len(next)], got)
			}
			rest = next
		}
	})
}
