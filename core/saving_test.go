package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/core/archive"
	"hearth/core/backup"
	"hearth/core/lane"
	"hearth/identity"
	"hearth/wire"
)

// memoryPlaces is a file system.
type memoryPlaces map[string][]byte

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

func (p memoryPlaces) Open(_ context.Context, place string) (PlaceFile, int64, error) {
	b, ok := p[place]
	if !ok {
		return nil, 0, wire.Errorf(wire.NotFound, "no such file")
	}
	return memoryFile{bytes.NewReader(b)}, int64(len(b)), nil
}

func (p memoryPlaces) Write(_ context.Context, place string, fill func(io.Writer) error) error {
	var b bytes.Buffer
	if err := fill(&b); err != nil {
		return err
	}
	p[place] = b.Bytes()
	return nil
}

// savers are two people who talk; alice has made a backup.
type savers struct {
	*world
	t          *testing.T
	alice, bob *home
	room       string
	recovery   string
	phrase     string
}

func newSavers(t *testing.T) *savers {
	t.Helper()
	w := newWorld(t)
	v := &savers{world: w, t: t, alice: w.home("alice"), bob: w.person("bob")}
	v.alice.start()
	r, err := v.alice.c.Register(v.alice.ctx(), RegisterOptions{Name: "alice", Server: testServer})
	if err != nil {
		t.Fatal(err)
	}
	v.recovery = r.Recovery
	v.bob.receipts(false) // a receipt changes a message that was saved before
	v.room = v.alice.send("bob", "MARKER hello").Room
	v.bob.accept()
	v.bob.send("alice", "MARKER hello back")
	v.alice.got()
	v.phrase = v.backup("a").Phrase
	return v
}

func (v *savers) backup(to string) Backup {
	v.t.Helper()
	b, err := v.alice.c.BackupCreate(v.alice.ctx(), BackupOptions{To: to})
	if err != nil {
		v.t.Fatalf("backup: %v", err)
	}
	return b
}

func (v *savers) restore(o RestoreOptions) (*home, Restored, error) {
	v.t.Helper()
	h := v.home("again")
	h.start()
	r, err := h.c.BackupRestore(h.ctx(), o)
	return h, r, err
}

func (v *savers) history(h *home) (out []string) {
	v.t.Helper()
	events, err := h.c.History(h.ctx(), v.room, 0)
	if err != nil {
		v.t.Fatalf("history: %v", err)
	}
	return texts(events)
}

func TestBackupBringsEverythingBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		if len(strings.Fields(v.phrase)) != 18 {
			t.Errorf("the phrase has %d words", len(strings.Fields(v.phrase)))
		}
		if bytes.Contains(v.places["a"], []byte("MARKER")) || bytes.Contains(v.places["a"], []byte("alice")) {
			t.Error("something lies in clear in the backup")
		}
		if again := v.backup("a"); again.Phrase != "" {
			t.Error("the phrase was shown a second time")
		}
		before, err := v.alice.c.Whoami()
		if err != nil {
			t.Fatal(err)
		}
		v.alice.stop() // and lost
		h, r, err := v.restore(RestoreOptions{From: "a", Words: v.recovery})
		if err != nil {
			t.Fatalf("restore: %v", err)
		}
		if r.Account != before.Account || r.Handle != before.Handle || r.Newest != "yes" || r.Ended != 0 || r.Device == before.Device || r.Device == "" {
			t.Errorf("restored %+v of %+v", r, before)
		}
		if got := v.history(h); !slices.Equal(got, []string{"MARKER hello", "MARKER hello back"}) {
			t.Errorf("history: %q", got)
		}
		rooms, err := h.c.Rooms(h.ctx())
		rooms = slices.DeleteFunc(rooms, func(r Room) bool { return r.Kind == KindSelf }) // founded for it
		if err != nil || len(rooms) != 1 || rooms[0].Room != v.room || len(rooms[0].Members) != 2 {
			t.Errorf("rooms: %+v, %v", rooms, err)
		}
		// The device is one of the account's, for everybody to see.
		id, _ := wire.ParseAccountID(r.Account)
		var rec wire.AccountRecord
		if err := v.bob.c.net.To(testServer, lane.Accounts).Do(v.bob.ctx(), wire.OpAccountGet, wire.AccountGet{Account: &id}, &rec); err != nil {
			t.Fatal(err)
		}
		chain, err := identity.VerifyFor(id, rec.Chain)
		if err != nil || len(chain.Devices()) != 2 || chain.Devices()[1].ID.String() != r.Device || !chain.Devices()[1].Live {
			t.Errorf("chain: %v, %v", chain, err)
		}
		// Its rooms let it in, and it says so.
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		h.send("bob", "I am back")
		v.bob.send(v.room, "welcome back")
		if got := texts(v.bob.got()); !slices.Contains(got, "I am back") {
			t.Errorf("bob: %q", got)
		}
		if got := h.got(); !slices.Contains(texts(got), "welcome back") || !slices.Contains(codes(got), NoticeRejoined) {
			t.Errorf("the restored device: %q, %q", texts(got), codes(got))
		}
		// It survives a restart, and can be found.
		h.stop()
		h.start()
		if who, err := h.c.Whoami(); err != nil || who.Account != before.Account || who.Device != r.Device {
			t.Errorf("whoami: %+v, %v", who, err)
		}
		// The lineage goes on: the same words open the next one.
		if b, err := h.c.BackupCreate(h.ctx(), BackupOptions{}); err != nil || b.Phrase != "" || b.To != "a" {
			t.Errorf("backup by the restored device: %+v, %v", b, err)
		}
		if _, err := h.c.BackupVerify(h.ctx(), RestoreOptions{From: "a", Words: v.phrase}); err != nil {
			t.Errorf("verify with the phrase: %v", err)
		}
	})
}

func TestBackupIsIncremental(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		first := v.places["a"]
		for day := range 5 {
			time.Sleep(24 * time.Hour)
			for i := range 3 {
				v.alice.send("bob", fmt.Sprintf("day %d, %d", day, i))
			}
		}
		b := v.backup("a")
		if b.Changed >= b.Segments || b.Segments < 7 {
			t.Errorf("%d of %d segments were written", b.Changed, b.Segments)
		}
		f, err := backup.Open(memoryFile{bytes.NewReader(first)}, int64(len(first)), mustWords(t, v.phrase).BackupRoot())
		if err != nil {
			t.Fatal(err)
		}
		old, kept := f.Chunks(), 0
		for _, g := range f.Manifest.Segments {
			for _, ch := range g.Chunks {
				if b, ok := old(ch); ok && bytes.Contains(v.places["a"], b) {
					kept++
				}
			}
		}
		if kept == 0 {
			t.Error("nothing of the first backup lies in the second as it was")
		}
		time.Sleep(time.Minute)
		if b := v.backup("a"); b.Changed > 0 {
			t.Errorf("nothing has changed, and %d segments were written", b.Changed)
		}
		if got := v.backup("b"); got.Changed != got.Segments {
			t.Errorf("at another place only %d of %d segments were written", got.Changed, got.Segments)
		}
		v.alice.stop()
		h, _, err := v.restore(RestoreOptions{From: "b", Words: v.recovery})
		if err != nil {
			t.Fatal(err)
		}
		if got := v.history(h); len(got) != 17 {
			t.Errorf("%d messages, want 17", len(got))
		}
	})
}

func mustWords(t *testing.T, s string) identity.RecoveryKey {
	t.Helper()
	k, err := identity.ParseRecovery(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestBackupsEnd: what has ended is in no copy of a backup, with all words and
// everything that the server still holds; shortly before, it is.
func TestBackupsEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		for _, x := range []struct {
			text   string
			expire time.Duration
		}{{"one hour", time.Hour}, {"ten hours", 10 * time.Hour}, {"ten days", 10 * 24 * time.Hour}} {
			if _, err := v.alice.c.Send(v.alice.ctx(), SendOptions{To: "bob", Text: x.text, Expire: x.expire}); err != nil {
				t.Fatal(err)
			}
		}
		v.backup("a")
		copied := bytes.Clone(v.places["a"])
		v.alice.stop()
		has := func() (out []string) {
			// What anybody gets out of the copy, whatever their clock says.
			f, err := backup.Open(memoryFile{bytes.NewReader(copied)}, int64(len(copied)), mustWords(t, v.recovery).BackupRoot())
			if err != nil {
				t.Fatal(err)
			}
			for err == nil {
				err = f.Next(func(g backup.Segment) (wire.Secret, bool, error) {
					b, err := v.blobs.Get(t.Context(), "", *g.Key)
					return wire.SecretFrom(b), err == nil, nil
				}, func(_ backup.Segment, entries []archive.Entry) error {
					for _, e := range entries {
						for _, text := range []string{"MARKER hello", "one hour", "ten hours", "ten days"} {
							if bytes.Contains(e.Value, []byte(text)) && !slices.Contains(out, text) {
								out = append(out, text)
							}
						}
					}
					return nil
				})
			}
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			slices.Sort(out)
			return out
		}
		if got := has(); !slices.Equal(got, []string{"MARKER hello", "ten days", "ten hours"}) {
			t.Errorf("at first: %q", got)
		}
		time.Sleep(8 * time.Hour)
		if got := has(); !slices.Contains(got, "ten hours") {
			t.Errorf("after 8 hours: %q", got)
		}
		time.Sleep(2 * time.Hour)
		if got := has(); slices.Contains(got, "ten hours") {
			t.Errorf("after 10 hours: %q", got)
		}
		time.Sleep(8 * 24 * time.Hour)
		if got := has(); !slices.Contains(got, "ten days") {
			t.Errorf("after 8 days: %q", got)
		}
		time.Sleep(2 * 24 * time.Hour)
		if got := has(); !slices.Equal(got, []string{"MARKER hello"}) {
			t.Errorf("after 10 days: %q", got)
		}
		time.Sleep(20 * 24 * time.Hour)
		if got := has(); len(got) > 0 {
			t.Errorf("after 30 days: %q", got)
		}
		v.places["copy"] = copied
		h, r, err := v.restore(RestoreOptions{From: "copy", Words: v.recovery})
		if err != nil || r.Ended == 0 {
			t.Fatalf("restore: %+v, %v", r, err)
		}
		if got := v.history(h); len(got) > 0 {
			t.Errorf("history: %q", got)
		}
	})
}

// TestBackupsThatAreRefused: each with its own error, and nothing is left in the
// home.
func TestBackupsThatAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		old := bytes.Clone(v.places["a"])
		carol := v.person("carol")
		other, err := carol.c.BackupCreate(carol.ctx(), BackupOptions{To: "carol"})
		if err != nil {
			t.Fatal(err)
		}
		v.alice.send("bob", "later")
		v.backup("a")
		good := v.places["a"]
		at := func(f func(b []byte) []byte) string {
			name := fmt.Sprintf("bad %d", len(v.places))
			v.places[name] = f(bytes.Clone(good))
			return name
		}
		flip := func(n int) string {
			return at(func(b []byte) []byte { b[n] ^= 1; return b })
		}
		v.places["old"], v.places["empty"], v.places["picture"] = old, nil, bytes.Repeat([]byte("GIF89a"), 10000)
		// The first segment of an old backup in the new one's place.
		spliced := at(func(b []byte) []byte { copy(b[len(b)/2:], old[len(old)/2:]); return b })
		huge := at(func(b []byte) []byte { copy(b[len("hearth backup\n"):], "\xff\xff\xff\xff"); return b })
		tail := at(func(b []byte) []byte { copy(b[len(b)-4:], "\x7f\xff\xff\xff"); return b })
		for name, c := range map[string]struct {
			o    RestoreOptions
			want wire.Code
		}{
			"no such file":      {RestoreOptions{From: "nowhere", Words: v.recovery}, wire.NotFound},
			"another's words":   {RestoreOptions{From: "a", Words: other.Phrase}, wire.Denied},
			"another's backup":  {RestoreOptions{From: "carol", Words: v.recovery}, wire.Denied},
			"mistyped words":    {RestoreOptions{From: "a", Words: strings.Replace(v.recovery, " ", " b", 1)}, wire.BadInput},
			"the phrase alone":  {RestoreOptions{From: "a", Words: v.phrase}, wire.Denied},
			"phrase twice":      {RestoreOptions{From: "a", Words: v.phrase, Recovery: v.phrase}, wire.Denied},
			"another recovery":  {RestoreOptions{From: "a", Words: v.phrase, Recovery: other.Phrase}, wire.Denied},
			"an older one":      {RestoreOptions{From: "old", Words: v.recovery}, wire.Stale},
			"empty":             {RestoreOptions{From: "empty", Words: v.recovery}, wire.BadInput},
			"a picture":         {RestoreOptions{From: "picture", Words: v.recovery}, wire.BadInput},
			"cut at the end":    {RestoreOptions{From: at(func(b []byte) []byte { return b[:len(b)-1] }), Words: v.recovery}, wire.Damaged},
			"cut in the middle": {RestoreOptions{From: at(func(b []byte) []byte { return b[:len(b)/2] }), Words: v.recovery}, wire.Damaged},
			"one more byte":     {RestoreOptions{From: at(func(b []byte) []byte { return append(b, 0) }), Words: v.recovery}, wire.Damaged},
			"flipped in a part": {RestoreOptions{From: flip(len(good) / 2), Words: v.recovery}, wire.Damaged},
			"flipped manifest":  {RestoreOptions{From: flip(len(good) - 100), Words: v.recovery}, wire.Damaged},
			"spliced":           {RestoreOptions{From: spliced, Words: v.recovery}, wire.Damaged},
			"a huge head":       {RestoreOptions{From: huge, Words: v.recovery}, wire.Damaged},
			"a huge tail":       {RestoreOptions{From: tail, Words: v.recovery}, wire.Damaged},
		} {
			h := v.home("again")
			h.start()
			_, err := h.c.BackupRestore(h.ctx(), c.o)
			var e *wire.Error
			if !errors.As(err, &e) || e.Code != c.want || e.Message == "" {
				t.Errorf("%s: got %v, want %s", name, err, c.want)
			}
			items, err := h.c.vault.Scan(t.Context(), "", "", 10)
			if err != nil || len(items) > 0 {
				t.Errorf("%s: %d records were left, %v", name, len(items), err)
			}
			h.stop()
		}
		// An older one is taken if that is wanted, and the phrase with the
		// recovery key's words does as well.
		_, r, err := v.restore(RestoreOptions{From: "old", Words: v.phrase, Recovery: v.recovery, Older: true})
		if err != nil || r.Newest != "no" {
			t.Errorf("the older one: %+v, %v", r, err)
		}
	})
}

func TestRestoreIntoAHomeThatHasAnAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		if _, err := v.bob.c.BackupRestore(v.bob.ctx(), RestoreOptions{From: "a", Words: v.recovery}); code(err) != wire.Taken {
			t.Errorf("got %v, want taken", err)
		}
	})
}

// TestRestoreCutShort: the server goes away in the middle; a second call goes on.
func TestRestoreCutShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		v.alice.stop()
		v.cut()
		h, _, err := v.restore(RestoreOptions{From: "a", Words: v.recovery})
		if code(err) != wire.Unreachable {
			t.Fatalf("got %v, want unreachable", err)
		}
		h.stop()
		v.mend()
		h.start()
		r, err := h.c.BackupRestore(h.ctx(), RestoreOptions{From: "a", Words: v.recovery})
		if err != nil {
			t.Fatalf("again: %v", err)
		}
		if got := v.history(h); len(got) != 2 || r.Items == 0 {
			t.Errorf("history: %q", got)
		}
	})
}

func TestTheWeeklyTrial(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		time.Sleep(8 * 24 * time.Hour)
		synctest.Wait()
		if got := codes(v.alice.got()); slices.Contains(got, NoticeBackup) {
			t.Errorf("a good backup: %q", got)
		}
		v.places["a"][len(v.places["a"])/2] ^= 1
		time.Sleep(7 * 24 * time.Hour)
		synctest.Wait()
		if got := codes(v.alice.got()); !slices.Contains(got, NoticeBackup) {
			t.Errorf("a damaged one: %q", got)
		}
		rooms, err := v.alice.c.Rooms(v.alice.ctx())
		if err != nil || len(rooms) != 1 {
			t.Errorf("rooms: %+v, %v", rooms, err)
		}
		if _, err := v.alice.c.BackupVerify(v.alice.ctx(), RestoreOptions{}); code(err) != wire.Damaged {
			t.Errorf("verify: %v", err)
		}
		v.backup("")
		if r, err := v.alice.c.BackupVerify(v.alice.ctx(), RestoreOptions{}); err != nil || r.Newest != "yes" || r.Items == 0 {
			t.Errorf("verify: %+v, %v", r, err)
		}
	})
}

// newOwner is an owner of a group with others.
func newOwner(t *testing.T, w *world, name string, others ...*home) *savers {
	t.Helper()
	v := &savers{world: w, t: t, alice: w.home(name)}
	v.alice.start()
	r, err := v.alice.c.Register(v.alice.ctx(), RegisterOptions{Name: name, Server: testServer})
	if err != nil {
		t.Fatal(err)
	}
	v.recovery = r.Recovery
	var names []string
	for _, h := range others {
		names = append(names, h.name)
	}
	g, err := v.alice.c.GroupNew(v.alice.ctx(), "Choir", names)
	if err != nil {
		t.Fatal(err)
	}
	v.room = g.Room
	for _, h := range others {
		h.accept()
	}
	time.Sleep(time.Minute)
	return v
}

func TestBackupAtTheServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		v.alice.send("bob", "today")
		if b := v.backup(ServerPlace); b.To != ServerPlace || b.Changed != b.Segments {
			t.Errorf("first: %+v", b)
		}
		before := len(v.blobs.m)
		time.Sleep(24 * time.Hour)
		v.alice.send("bob", "tomorrow")
		b := v.backup("")
		if b.Changed == 0 || b.Changed >= b.Segments {
			t.Errorf("second: %+v", b)
		}
		if n := len(v.blobs.m) - before; n > 4 {
			t.Errorf("%d more blobs: what is not needed was not dropped", n)
		}
		if r, err := v.alice.c.BackupVerify(v.alice.ctx(), RestoreOptions{}); err != nil || r.Newest != "yes" {
			t.Errorf("verify: %+v, %v", r, err)
		}
		if r, err := v.alice.c.BackupVerify(v.alice.ctx(), RestoreOptions{From: ServerPlace, Words: v.phrase}); err != nil || r.Newest != "yes" {
			t.Errorf("verify with the phrase: %+v, %v", r, err)
		}
		v.alice.stop()
		for name, c := range map[string]struct {
			o    RestoreOptions
			want wire.Code
		}{
			"no server":   {RestoreOptions{From: ServerPlace, Words: v.recovery}, wire.BadInput},
			"other words": {RestoreOptions{From: ServerPlace, Server: testServer, Words: identity.NewRecoveryKey().Words()}, wire.NotFound},
		} {
			h, _, err := v.restore(c.o)
			if code(err) != c.want {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
			h.stop()
		}
		h, _, err := v.restore(RestoreOptions{From: ServerPlace, Server: testServer, Words: v.recovery})
		if err != nil {
			t.Fatal(err)
		}
		if got := v.history(h); !slices.Equal(got, []string{"MARKER hello", "MARKER hello back", "today", "tomorrow"}) {
			t.Errorf("history: %q", got)
		}
		if b, err := h.c.BackupCreate(h.ctx(), BackupOptions{}); err != nil || b.To != ServerPlace {
			t.Errorf("the next one: %+v, %v", b, err)
		}
	})
}
