package core_test

import (
	"strconv"
	"testing"
	"time"

	"hearth/core"
	"hearth/hearthtest"
	"hearth/wire"
)

// TestMovedBeforeTheAnswer: a group moves while somebody has not answered its
// invitation, so that two requests lead to it, the old room's and the new one's.
// Whichever is accepted, in whichever order, leads to where the others are.
func TestMovedBeforeTheAnswer(t *testing.T) {
	for i, order := range [][]int{{0}, {1}, {0, 1}, {1, 0}} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			hearthtest.Run(t, func(w *hearthtest.World) {
				away := w.Server("away")
				bob, carol := w.Person("bob"), w.Person("carol")
				alice, room := kitchen(w, bob)
				if _, err := alice.Client.GroupAdd(alice.Patience(), room, []string{"carol"}); err != nil {
					t.Fatal(err)
				}
				w.Sleep(time.Minute)
				if _, err := alice.Client.GroupMove(alice.Patience(), room, away.URL); err != nil {
					t.Fatal(err)
				}
				reaches(w, room, "over here", alice, bob)
				w.Sleep(time.Minute)
				asked, err := carol.Client.Requests(carol.Patience())
				if err != nil || len(asked) != 2 {
					t.Fatalf("carol is asked %+v, %v", asked, err)
				}
				for _, n := range order {
					_, err := carol.Client.Accept(carol.Patience(), asked[n].ID)
					if err != nil && !isCode(err, wire.Taken) && !isCode(err, wire.NotFound) {
						t.Errorf("accepting request %d: %v", n, err)
					}
				}
				w.Sleep(time.Hour)
				reaches(w, room, "there you are", alice, bob, carol)
				reaches(w, room, "here I am", carol, alice, bob)
				agreed(w, room, alice, bob, carol)
				if left, err := carol.Client.Requests(carol.Patience()); err != nil || len(left) > 0 {
					t.Errorf("carol is still asked %+v, %v", left, err)
				}
				for _, e := range carol.Seen() {
					if e.Type == core.EventNotice && e.Code != core.NoticeMoved {
						t.Errorf("carol is told %s", e.Code)
					}
				}
			})
		})
	}
}
