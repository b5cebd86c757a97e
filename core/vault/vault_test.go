package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/core/vault"
	"hearth/core/vault/vaulttest"
	"hearth/wire"
)

var (
	ctx   = context.Background()
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

const day = 24 * time.Hour

// open opens a vault at a time, as the client does: sweep first.
func open(t *testing.T, disk vault.Disk, key vault.KeyFile, now time.Time) *vault.Vault {
	t.Helper()
	v, err := vault.Open(ctx, disk, key)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	sweep(t, v, now)
	return v
}

func sweep(t *testing.T, v *vault.Vault, now time.Time) (names []string) {
	t.Helper()
	err := v.Sweep(ctx, now, func(_ *vault.Batch, due vault.Item) error {
		names = append(names, due.Name)
		return nil
	})
	if err != nil {
		t.Fatalf("sweep: %v", err)
	}
	slices.Sort(names)
	return names
}

func put(t *testing.T, v *vault.Vault, name, value string, expires time.Time) {
	t.Helper()
	b := v.Batch()
	b.PutUntil(name, []byte(value), expires)
	if err := v.Commit(ctx, b); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

// get returns the value, or "-" for none.
func get(t *testing.T, v *vault.Vault, name string) string {
	t.Helper()
	value, ok, err := v.Get(ctx, name)
	if err != nil {
		t.Fatalf("get %s: %v", name, err)
	}
	if !ok {
		return "-"
	}
	return string(value)
}

func wantCode(t *testing.T, err error, code wire.Code) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("error: got %v, want code %s", err, code)
	}
	if e.Message == "" || e.Next == "" && code != wire.Internal {
		t.Fatalf("error %q says no next step", e.Message)
	}
}

func TestBatchIsThereAfterReopening(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	b := v.Batch()
	b.Put("me", []byte("first"))
	b.Put("me", []byte("second"))
	b.Put("empty", nil)
	b.Put("gone", []byte("x"))
	b.Delete("gone")
	b.PutUntil("timed", []byte("soon over"), start.Add(time.Hour))
	if err := v.Commit(ctx, b); err != nil {
		t.Fatal(err)
	}
	for _, v := range []*vault.Vault{v, open(t, disk, key, start)} {
		for name, want := range map[string]string{"me": "second", "empty": "", "gone": "-", "timed": "soon over", "other": "-"} {
			if got := get(t, v, name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
}

func TestScanGivesNumbersInOrderAndOnlyWhatIsUnderThePrefix(t *testing.T) {
	v := open(t, &vaulttest.Memory{}, &vaulttest.Key{}, start)
	b := v.Batch()
	numbers := []uint64{0, 1, 9, 10, 255, 256, 1 << 40, 1<<64 - 1}
	for _, n := range slices.Backward(numbers) {
		b.Put(vault.Numbered("msg/a", n), fmt.Appendf(nil, "a%d", n))
		b.Put(vault.Numbered("msg/ab", n), []byte("another conversation"))
	}
	b.Put("msg/a", []byte("the parent itself"))
	b.Put("msg", []byte("the grandparent"))
	if err := v.Commit(ctx, b); err != nil {
		t.Fatal(err)
	}
	var got []uint64
	after := ""
	for {
		items, err := v.Scan(ctx, "msg/a", after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			n, ok := vault.Number(it.Name)
			if !ok || string(it.Value) != fmt.Sprintf("a%d", n) {
				t.Fatalf("scan gave %q = %q", it.Name, it.Value)
			}
			got, after = append(got, n), it.Name
		}
		if len(items) < 3 {
			break
		}
	}
	if !slices.Equal(got, numbers) {
		t.Errorf("numbers: got %v, want %v", got, numbers)
	}
	all, err := v.Scan(ctx, "", "", 100)
	if err != nil || len(all) != 2*len(numbers)+2 {
		t.Errorf("scan of all: got %d records, %v; want %d", len(all), err, 2*len(numbers)+2)
	}
}

func TestNothingLiesInClear(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	put(t, v, "conversation/Zanzibar", "meet me at noon", start.Add(day))
	put(t, v, vault.Numbered("conversation/Zanzibar", 7), "meet me at noon", time.Time{})
	image := disk.Bytes()
	for _, word := range []string{"conversation", "Zanzibar", "noon", fmt.Sprintf("%x", start.Add(day).Unix())} {
		if bytes.Contains(image, []byte(word)) {
			t.Errorf("%q is on the disk", word)
		}
	}
	// Equal values and equal segments in different places look different.
	seen := map[string]bool{}
	disk.Change(func(k string, value []byte) []byte {
		for segment := range strings.SplitSeq(k, "/") {
			if len(segment) == 16 && seen[segment] && !strings.Contains(k, "#") {
				t.Errorf("segment %s twice", segment)
			}
			seen[segment] = true
		}
		return value
	})
	if s := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(s, "names:0x") || bytes.Contains([]byte(s), image[:8]) {
		t.Errorf("a printed vault shows its insides: %.200s", s)
	}
}

func TestDiskTellsNeitherLengthsNorWhatEndsTogether(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	for i := range 40 {
		put(t, v, fmt.Sprintf("m/%02d", i), strings.Repeat("x", i), start.Add(30*day))
	}
	sizes, marks := map[int]bool{}, map[string]bool{}
	disk.Change(func(k string, value []byte) []byte {
		if k[0] == 'r' {
			sizes[len(value)], marks[string(value[1:9])] = true, true
		}
		return value
	})
	if len(sizes) != 1 {
		t.Errorf("short texts have %d sizes on the disk", len(sizes))
	}
	if len(marks) != 40 {
		t.Errorf("records of one day share a mark: %d marks of 40", len(marks))
	}
}

func TestShortTimerEndsOnItsSecond(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	before := disk.Len()
	put(t, v, "kept", "k", time.Time{})
	put(t, v, "a", "thirty seconds", start.Add(30*time.Second))
	put(t, v, "b", "fifty seconds", start.Add(50*time.Second))
	if got := v.Next(); !got.Equal(start.Add(30 * time.Second)) {
		t.Errorf("next: got %v", got)
	}
	if names := sweep(t, v, start.Add(29*time.Second)); len(names) != 0 || get(t, v, "a") != "thirty seconds" {
		t.Errorf("after 29 s: removed %v", names)
	}
	if names := sweep(t, v, start.Add(30*time.Second)); !slices.Equal(names, []string{"a"}) {
		t.Errorf("after 30 s: removed %v", names)
	}
	if get(t, v, "a") != "-" || get(t, v, "b") != "fifty seconds" {
		t.Errorf("after 30 s: a = %q, b = %q", get(t, v, "a"), get(t, v, "b"))
	}
	if got := v.Next(); !got.Equal(start.Add(50 * time.Second)) {
		t.Errorf("next: got %v", got)
	}
	if names := sweep(t, v, start.Add(50*time.Second)); !slices.Equal(names, []string{"b"}) {
		t.Errorf("after 50 s: removed %v", names)
	}
	if got := v.Next(); !got.IsZero() {
		t.Errorf("next: got %v, want never", got)
	}
	if disk.Len() != before+1 {
		t.Errorf("%d records on the disk, want %d: index or record left behind", disk.Len(), before+1)
	}
}

func TestEarlierEndThatComesLaterIsMet(t *testing.T) {
	v := open(t, &vaulttest.Memory{}, &vaulttest.Key{}, start)
	put(t, v, "later", "x", start.Add(40*time.Second))
	sweep(t, v, start.Add(time.Second))
	put(t, v, "sooner", "y", start.Add(20*time.Second)) // the same minute
	if names := sweep(t, v, start.Add(20*time.Second)); !slices.Equal(names, []string{"sooner"}) {
		t.Errorf("removed %v", names)
	}
	if names := sweep(t, v, start.Add(40*time.Second)); !slices.Equal(names, []string{"later"}) {
		t.Errorf("removed %v", names)
	}
}

func TestOldImageWithPresentKeyStaysShut(t *testing.T) {
	for _, ttl := range []time.Duration{30 * time.Second, 20 * time.Minute, 7 * time.Hour, 30 * day, 365 * day, 1000 * day} {
		disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
		v := open(t, disk, key, start)
		put(t, v, "kept", "stays", time.Time{})
		put(t, v, "m", "the secret", start.Add(ttl))
		put(t, v, "longer", "ends later", start.Add(ttl+31*day))
		old, oldKey := disk.Copy(), key.Copy()
		if got := get(t, open(t, old.Copy(), oldKey, start), "m"); got != "the secret" {
			t.Fatalf("%v: the image doesn't work at all: %q", ttl, got)
		}
		sweep(t, v, start.Add(ttl))
		sweep(t, v, start.Add(ttl+30*day)) // the longest grain is over
		if get(t, v, "m") != "-" || get(t, v, "kept") != "stays" || get(t, v, "longer") != "ends later" {
			t.Fatalf("%v: m %q, kept %q, longer %q", ttl, get(t, v, "m"), get(t, v, "kept"), get(t, v, "longer"))
		}
		// The whole old image, with the present key.
		_, err := vault.Open(ctx, old.Copy(), key.Copy())
		wantCode(t, err, wire.Damaged)
		// The old records under the present table.
		mixed := disk.Copy()
		var table []byte
		disk.Change(func(k string, value []byte) []byte {
			if k == "t" {
				table = bytes.Clone(value)
			}
			return value
		})
		old.Change(func(k string, value []byte) []byte {
			if k == "t" {
				return table
			}
			return value
		})
		thief, err := vault.Open(ctx, old, key.Copy())
		if err != nil {
			t.Fatal(err)
		}
		if err := thief.Sweep(ctx, start, nil); err == nil {
			if value, ok, err := thief.Get(ctx, "m"); ok || err == nil {
				t.Fatalf("%v: the old record opens: %q", ttl, value)
			}
		}
		if got := get(t, open(t, mixed, key.Copy(), start), "longer"); got != "ends later" {
			t.Fatalf("%v: the present image is broken: %q", ttl, got)
		}
	}
}

func TestNothingDueIsShownBeforeTheSweep(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	put(t, v, "m", "text", start.Add(time.Minute))
	again, err := vault.Open(ctx, disk, key)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = again.Get(ctx, "m")
	wantCode(t, err, wire.Internal)
	_, err = again.Scan(ctx, "", "", 1)
	wantCode(t, err, wire.Internal)
	// While the sweep runs, what it is about to remove is hidden already.
	err = again.Sweep(ctx, start.Add(time.Hour), func(_ *vault.Batch, due vault.Item) error {
		if string(due.Value) != "text" {
			t.Errorf("due: %q", due.Value)
		}
		if got := get(t, again, "m"); got != "-" {
			t.Errorf("shown while it goes: %q", got)
		}
		items, err := again.Scan(ctx, "", "", 10)
		if err != nil || len(items) != 0 {
			t.Errorf("scan while it goes: %v, %v", items, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestClockThatGoesBackBringsNothingBack(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	put(t, v, "a", "x", start.Add(day))
	put(t, v, "b", "y", start.Add(day+time.Hour))
	sweep(t, v, start.Add(day)) // a goes
	back := open(t, disk, key, start.Add(-300*day))
	if !back.Expired(start.Add(day)) {
		t.Error("the time went back with the clock")
	}
	put(t, back, "c", "already over", start.Add(day-time.Second))
	if got := get(t, back, "c"); got != "-" {
		t.Errorf("an item that is over was kept: %q", got)
	}
	if get(t, back, "b") != "y" {
		t.Error("b is gone")
	}
}

func TestWhatHangsOnARecordGoesWithIt(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	for i := range 600 { // more than one chunk
		put(t, v, fmt.Sprintf("msg/%d", i), "text", start.Add(time.Minute))
		put(t, v, fmt.Sprintf("search/%d", i), "text", time.Time{})
	}
	n := 0
	err := v.Sweep(ctx, start.Add(2*time.Minute), func(b *vault.Batch, due vault.Item) error {
		n++
		id := strings.TrimPrefix(due.Name, "msg/")
		b.Delete("search/" + id)
		b.PutUntil("mark/"+id, []byte("expired"), start.Add(3*time.Minute))
		return nil
	})
	if err != nil || n != 600 {
		t.Fatalf("sweep: %d, %v", n, err)
	}
	v = open(t, disk, key, start)
	for prefix, want := range map[string]int{"msg": 0, "search": 0, "mark": 600} {
		items, err := v.Scan(ctx, prefix, "", 1000)
		if err != nil || len(items) != want {
			t.Errorf("%s: got %d, %v; want %d", prefix, len(items), err, want)
		}
	}
	if names := sweep(t, v, start.Add(3*time.Minute)); len(names) != 600 {
		t.Errorf("marks removed: %d", len(names))
	}
}

func TestSweepMayPutTheSameNameAgain(t *testing.T) {
	v := open(t, &vaulttest.Memory{}, &vaulttest.Key{}, start)
	put(t, v, "m", "text", start.Add(time.Minute))
	err := v.Sweep(ctx, start.Add(time.Minute), func(b *vault.Batch, due vault.Item) error {
		b.Put(due.Name, []byte("a tombstone"))
		return nil
	})
	if err != nil || get(t, v, "m") != "a tombstone" {
		t.Errorf("got %q, %v", get(t, v, "m"), err)
	}
}

func TestLaterEndReplacesAnEarlierOne(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	put(t, v, "longer", "1", start.Add(time.Minute))
	put(t, v, "longer", "2", start.Add(40*day))
	put(t, v, "kept", "1", start.Add(time.Minute))
	put(t, v, "kept", "2", time.Time{})
	put(t, v, "shorter", "1", start.Add(40*day))
	put(t, v, "shorter", "2", start.Add(time.Minute))
	if names := sweep(t, v, start.Add(time.Hour)); !slices.Equal(names, []string{"shorter"}) {
		t.Errorf("removed %v", names)
	}
	if get(t, v, "longer") != "2" || get(t, v, "kept") != "2" {
		t.Error("a record went with its earlier end")
	}
	if names := sweep(t, v, start.Add(41*day)); !slices.Equal(names, []string{"longer"}) {
		t.Errorf("removed %v", names)
	}
}

func TestManyEndsAllAreMetInTime(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	ends := map[string]time.Time{}
	now := start
	for i := range 400 {
		name := fmt.Sprintf("m/%d", i)
		ends[name] = now.Add(time.Duration(i*i*i%(10*24*3600))*time.Second + time.Second)
		put(t, v, name, name, ends[name])
	}
	// Sweep exactly when Next says, as the client does.
	for rounds := 0; len(ends) > 0; rounds++ {
		if rounds > 3000 {
			t.Fatalf("%d records never went", len(ends))
		}
		next := v.Next()
		if next.IsZero() {
			t.Fatalf("nothing more to do, and %d records left", len(ends))
		}
		for name, end := range ends {
			if end.Before(next) {
				t.Fatalf("%s ended at %v, the next sweep is at %v", name, end, next)
			}
		}
		now = next
		for _, name := range sweep(t, v, now) {
			if ends[name].After(now) {
				t.Fatalf("%s went at %v, its end is %v", name, now, ends[name])
			}
			delete(ends, name)
		}
	}
}

func TestReadersMeetNoDamageWhileKeysGo(t *testing.T) {
	disk, key := &vaulttest.Memory{}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := v.Scan(ctx, "m", "", 100); err != nil {
					t.Errorf("scan: %v", err)
					return
				}
			}
		})
	}
	now := start
	for i := range 200 {
		put(t, v, fmt.Sprintf("m/%d", i), "x", now.Add(90*time.Second))
		now = now.Add(30 * time.Second)
		sweep(t, v, now)
	}
	close(stop)
	wg.Wait()
}

func TestClosedVaultIsLocked(t *testing.T) {
	v := open(t, &vaulttest.Memory{}, &vaulttest.Key{}, start)
	v.Close()
	_, _, err := v.Get(ctx, "x")
	wantCode(t, err, wire.Locked)
	b := v.Batch()
	b.Put("x", nil)
	wantCode(t, v.Commit(ctx, b), wire.Locked)
	wantCode(t, v.Sweep(ctx, start, nil), wire.Locked)
}

// narrow fails a test when a step holds more than a bounded number of records.
type narrow struct {
	t *testing.T
	*vaulttest.Memory
	most, applies int
}

func (d *narrow) Scan(ctx context.Context, prefix, after string, limit int) ([]string, [][]byte, error) {
	d.most = max(d.most, limit)
	return d.Memory.Scan(ctx, prefix, after, limit)
}

func (d *narrow) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	d.most = max(d.most, len(keys))
	return d.Memory.GetMany(ctx, keys)
}

func (d *narrow) Apply(ctx context.Context, puts map[string][]byte, deletes []string) error {
	d.most = max(d.most, len(puts)+len(deletes))
	d.applies++
	return d.Memory.Apply(ctx, puts, deletes)
}

func TestSweepHoldsABoundedNumberOfRecords(t *testing.T) {
	disk, key := &narrow{t: t, Memory: &vaulttest.Memory{}}, &vaulttest.Key{}
	v := open(t, disk, key, start)
	before := disk.Len()
	for i := range 50 {
		b := v.Batch()
		for j := range 100 {
			b.PutUntil(fmt.Sprintf("m/%d/%d", i, j), []byte("text"), start.Add(time.Minute))
		}
		if err := v.Commit(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	disk.most, disk.applies = 0, 0
	// A start a month later: everything is due at once.
	if names := sweep(t, v, start.Add(31*day)); len(names) != 5000 {
		t.Errorf("removed %d", len(names))
	}
	if disk.most > 1100 || disk.applies < 5 {
		t.Errorf("%d records in one step, %d steps", disk.most, disk.applies)
	}
	if disk.Len() != before {
		t.Errorf("%d records are left, want %d", disk.Len(), before)
	}
}
