package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hearth/wire"
)

// The journal is a folder of segments, NNNNNNNN.journal. A segment is a header
// and batches, each written with one write and one sync:
//
//	header  magic [8]  version u32  zero u32  segment u64
//	batch   length u32  crc32c u32  synced u64  records
//
// The checksum covers the segment's number, synced and the records. synced is
// the offset up to which the segment was known to be on disk when the batch was
// written: it tells a tail torn by a crash (nothing after it claims otherwise)
// from damage to what was reported as done.
const (
	segmentHeader = 24
	batchHeader   = 16
	maxBatch      = 8 << 20 // larger than any record, so a length is checked before use
)

var (
	segmentMagic = [8]byte{'H', 'E', 'A', 'R', 'T', 'H', 'J', 'L'}
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
)

// errSegmentDamaged says that a batch reported as done cannot be read back.
var errSegmentDamaged = wire.Errorf(wire.Damaged, "the journal of the rooms is damaged").
	WithNext("restore the folder from a copy, or move the damaged segment away and lose what it held")

// journal writes the newest segment. Older ones wait for their checkpoint.
type journal struct {
	dir  string
	step Step

	mu      gate     // held over a write, so that a checkpoint waits for it
	f       *os.File // nil until the first batch after a rotation
	segment uint64   // of f, or the one to come
	size    int64    // of f, all of it synced
	buf     []byte
	waiting int64 // bytes in segments that no checkpoint has taken yet
	total   int64 // bytes written since the start
}

func segmentPath(dir string, n uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%08d.journal", n))
}

// listSegments returns the numbers of the segments in dir, ascending.
func listSegments(dir string) ([]uint64, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, e := range names {
		s, ok := strings.CutSuffix(e.Name(), ".journal")
		if n, err := strconv.ParseUint(s, 10, 64); ok && err == nil {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// append writes one batch and returns once it is on disk. After an error the
// journal must not be used again: what it holds is known only by reading it.
func (j *journal) append(records []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		if err := j.create(); err != nil {
			return err
		}
	}
	j.buf = slices.Grow(j.buf[:0], batchHeader+len(records))
	j.buf = appendBatch(j.buf, j.segment, j.size, records)
	if err := j.step("journal write", func() error { _, err := j.f.Write(j.buf); return err }); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := j.step("journal sync", func() error { return datasync(j.f) }); err != nil {
		return fmt.Errorf("sync the journal: %w", err)
	}
	j.size += int64(len(j.buf))
	j.waiting += int64(len(j.buf))
	j.total += int64(len(j.buf))
	if cap(j.buf) > 1<<20 {
		j.buf = nil
	}
	return nil
}

// create makes the segment's file, whose name is durable when it returns.
func (j *journal) create() error {
	path := segmentPath(j.dir, j.segment)
	return j.step("journal create", func() error {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("create a journal segment: %w", err)
		}
		_, err = f.Write(appendSegmentHeader(nil, j.segment))
		if err == nil {
			err = f.Sync()
		}
		if err == nil {
			err = syncDir(j.dir)
		}
		if err != nil {
			f.Close()
			return fmt.Errorf("create a journal segment: %w", err)
		}
		j.f, j.size = f, segmentHeader
		return nil
	})
}

// rotate closes the newest segment, so that the next batch begins another, and
// returns the number of the last one closed and the bytes it waits with.
func (j *journal) rotate() (last uint64, bytes int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f != nil {
		j.f.Close()
		j.f = nil
		j.segment++
	}
	return j.segment - 1, j.waiting
}

// remove deletes the segments through last: their checkpoint is on disk.
func (j *journal) remove(last uint64, bytes int64) error {
	segments, err := listSegments(j.dir)
	if err != nil {
		return err
	}
	for _, n := range segments {
		if n > last {
			break
		}
		if err := j.step("journal remove", func() error { return os.Remove(segmentPath(j.dir, n)) }); err != nil {
			return fmt.Errorf("remove a journal segment: %w", err)
		}
	}
	j.mu.Lock()
	j.waiting -= bytes
	j.mu.Unlock()
	return nil
}

func (j *journal) backlog() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.waiting
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f != nil {
		j.f.Close()
		j.f = nil
	}
}

func appendSegmentHeader(dst []byte, segment uint64) []byte {
	dst = append(dst, segmentMagic[:]...)
	dst = binary.BigEndian.AppendUint32(dst, journalVersion)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	return binary.BigEndian.AppendUint64(dst, segment)
}

func appendBatch(dst []byte, segment uint64, synced int64, records []byte) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(records)))
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(synced))
	dst = append(dst, records...)
	binary.BigEndian.PutUint32(dst[start+4:], batchSum(segment, dst[start+8:]))
	return dst
}

// batchSum is the checksum of a batch from its synced field on.
func batchSum(segment uint64, b []byte) uint32 {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], segment)
	return crc32.Update(crc32.Checksum(n[:], castagnoli), castagnoli, b)
}

// readSegment calls each for every record of the segment in b, whole batches
// only. newest says that the segment was being written when the server ended,
// so that a torn tail is expected; elsewhere it is damage.
func readSegment(b []byte, segment uint64, newest bool, each func(*record) error) error {
	if len(b) < segmentHeader {
		if newest {
			return nil // ended while the file was being made: nothing was reported
		}
		return errSegmentDamaged
	}
	if !bytes.Equal(b[:8], segmentMagic[:]) {
		return errSegmentDamaged
	}
	if v := binary.BigEndian.Uint32(b[8:]); v != journalVersion {
		return wire.Errorf(wire.Unsupported, "the journal has version %d, this program knows %d", v, journalVersion).WithNext("use the program that wrote it")
	}
	if !bytes.Equal(b[:segmentHeader], appendSegmentHeader(nil, segment)) {
		return errSegmentDamaged
	}
	for off := segmentHeader; off < len(b); {
		records, ok := batchAt(b, off, segment)
		if !ok {
			if !newest || syncedPast(b, off, segment) {
				return errSegmentDamaged
			}
			return nil
		}
		off += batchHeader + len(records)
		for len(records) > 0 {
			rec, rest, err := nextRecord(records)
			if err != nil {
				return errors.Join(errSegmentDamaged, err)
			}
			if err := each(rec); err != nil {
				return err
			}
			records = rest
		}
	}
	return nil
}

// batchAt returns the records of the batch at off if it is whole.
func batchAt(b []byte, off int, segment uint64) (records []byte, ok bool) {
	if len(b)-off < batchHeader {
		return nil, false
	}
	n := int64(binary.BigEndian.Uint32(b[off:]))
	if n > int64(len(b)-off-batchHeader) {
		return nil, false
	}
	end := off + batchHeader + int(n)
	if binary.BigEndian.Uint64(b[off+8:]) != uint64(off) || batchSum(segment, b[off+8:end]) != binary.BigEndian.Uint32(b[off+4:]) {
		return nil, false
	}
	return b[off+batchHeader : end], true
}

// syncedPast reports whether a whole batch after off shows that the bytes at
// off had reached the disk.
func syncedPast(b []byte, off int, segment uint64) bool {
	for p := off + 1; p+batchHeader <= len(b); p++ {
		if binary.BigEndian.Uint64(b[p+8:]) != uint64(p) { // synced is the batch's own place
			continue
		}
		if _, ok := batchAt(b, p, segment); ok {
			return true
		}
	}
	return false
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
