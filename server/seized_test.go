package server

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// TestASeizedFolderOpensAndJoinsNothing searches every byte of the folder, while
// the server runs and after it has stopped, for secrets and for values that
// stand on both sides.
func TestASeizedFolderOpensAndJoinsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := w.client()
		a := newAccount(t)
		c.must(wire.OpAccountCreate, create(a, "alice"), nil)
		r := c.room(2)
		d, _ := c.door(wire.DoorClass{ID: wire.ClassID{1}, Quota: 9})
		knock := &wire.Knock{Door: d.id, Key: wire.NewSecret(), Sealing: wire.NewSecret()}
		q := wire.AccountKnock{Account: a.Chain.Account(), Knock: knock}
		a.Device.SignKnock(c.welcome.Challenge, &q)
		c.must(wire.OpAccountKnock, q, nil)
		c.must(wire.OpDoorPost, d.post("knock"), &wire.Appended{})
		c.send(r, "one")
		com, moved := r.commit(0, "commit")
		k := newKey()
		com.Add = []wire.NewSeat{k.seat()}
		c.must(wire.OpRoomCommit, com, &wire.Appended{})
		old := r.token
		moved()
		c.must(wire.OpSeatOpen, r.open(1, 1), &wire.SeatOpened{})

		account := a.Chain.Account()
		device := a.Device.ID()
		look := func(when string) {
			t.Helper()
			for name, secret := range map[string]wire.Secret{"a seat's secret": r.seats[0].secret, "another": k.secret, "a post token": r.token, "an old token": old, "a door's seat": d.seat.secret, "a class's key": d.key} {
				if f := w.anyForm(secret.Reveal()); len(f) > 0 {
					t.Errorf("%s: %s is in %v", when, name, f)
				}
			}
			for _, f := range w.anyForm(account[:]) {
				if filepath.Base(f) != "accounts.db" && filepath.Base(f) != "accounts.db-wal" {
					t.Errorf("%s: an account's id is in %s", when, f)
				}
			}
			for _, f := range w.anyForm(device[:]) {
				if filepath.Base(f) != "accounts.db" && filepath.Base(f) != "accounts.db-wal" {
					t.Errorf("%s: a device's id is in %s", when, f)
				}
			}
			for name, id := range map[string][]byte{"a room's id": r.id[:], "a seat's id": r.seats[0].id[:], "another's": k.id[:], "a door's seat": d.seat.id[:]} {
				for _, f := range w.anyForm(id) {
					if b := filepath.Base(f); b == "accounts.db" || b == "accounts.db-wal" {
						t.Errorf("%s: %s is in %s", when, name, f)
					}
				}
			}
		}
		look("running")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		look("after a checkpoint")
		w.stop()
		look("stopped")
		w.start()
	})
}

// anyForm lists the files that hold b, raw or in hexadecimal or base64.
func (w *world) anyForm(b []byte) []string {
	var out []string
	forms := [][]byte{b, []byte(hex.EncodeToString(b)), []byte(base64.RawURLEncoding.EncodeToString(b)), []byte(base64.StdEncoding.EncodeToString(b))}
	filepath.Walk(w.cfg.Dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return nil
		}
		data, _ := os.ReadFile(path)
		for _, f := range forms {
			if bytes.Contains(data, f) {
				out = append(out, path)
				break
			}
		}
		return nil
	})
	return out
}
