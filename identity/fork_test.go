package identity

import (
	"errors"
	"testing"
)

// TestForks walks through protocol §7: what voids what, and what is a fork.
func TestForks(t *testing.T) {
	a := newAccount(t)
	thief := NewDeviceKey()
	one := a.Chain
	stolen := must(t)(one.AddDevice(a.Device, thief.Candidate(one.Account())))
	honest := must(t)(one.MoveServer(a.Device, "https://b.example"))
	longer := must(t)(stolen.MoveServer(thief, "https://c.example"))
	_, rescue, err := one.MoveServer(a.Recovery, "https://d.example")
	if err != nil {
		t.Fatal(err)
	}
	rescued, err := longer.Append(rescue)
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := rescued.Device(thief.ID()); ok || rescued.Len() != 2 || rescued.Position() != (Position{Recovery: 1, Length: 2}) {
		t.Errorf("a voided device is still there: %+v, position %+v", d, rescued.Position())
	}
	if rescued.Position().Compare(longer.Position()) <= 0 {
		t.Error("a recovery-signed entry must outrank a longer chain")
	}
	if _, err := longer.Append(rescue); err != nil || longer.Len() != 3 {
		t.Error("appending changed the chain it was called on")
	}
	otherRescue := must(t)(one.MoveServer(a.Recovery, "https://e.example"))
	settled := must(t)(honest.MoveServer(a.Recovery, "https://f.example"))

	for name, row := range map[string]struct {
		a, b *Chain
		want Relation
	}{
		"the same":                     {longer, longer, Same},
		"a prefix":                     {one, longer, Behind},
		"two device-signed successors": {stolen, honest, Fork},
		"two device-signed successors, one longer":          {longer, honest, Fork},
		"a recovery-signed entry voids":                     {rescued, longer, Ahead},
		"two recovery-signed successors":                    {rescued, otherRescue, Fork},
		"a recovery-signed entry behind one branch decides": {settled, longer, Ahead},
		"another account":                                   {one, newAccount(t).Chain, Other},
	} {
		if got := row.a.Compare(row.b); got != row.want {
			t.Errorf("%s: got %d, want %d", name, got, row.want)
		}
		back := map[Relation]Relation{Ahead: Behind, Behind: Ahead, Same: Same, Fork: Fork, Other: Other}
		if got := row.b.Compare(row.a); got != back[row.want] {
			t.Errorf("%s, the other way: got %d, want %d", name, got, back[row.want])
		}
	}

	for name, row := range map[string]struct {
		from, to *Chain
		entries  int
	}{
		"entries to append":         {one, longer, 2},
		"an entry that voids":       {longer, rescued, 1},
		"the other branch, settled": {longer, settled, 3},
	} {
		since := row.to.Since(row.from)
		if len(since) != row.entries {
			t.Errorf("%s: %d entries travel, want %d", name, len(since), row.entries)
		}
		got, err := row.from.Follow(since)
		if err != nil || got.Head() != row.to.Head() {
			t.Errorf("%s: does not lead there: %v", name, err)
		}
	}
	for name, row := range map[string]struct {
		from    *Chain
		entries [][]byte
	}{
		"nothing":                  {one, nil},
		"what is known":            {one, one.Entries()},
		"an older state":           {longer, stolen.Entries()},
		"a fork":                   {longer, honest.Entries()},
		"a fork's last entry":      {longer, honest.EntriesFrom(1)},
		"a fork by recovery":       {rescued, otherRescue.Entries()},
		"another account's chain":  {one, newAccount(t).Chain.Entries()},
		"a voiding and a voided":   {one, append(rescued.EntriesFrom(1), longer.EntriesFrom(1)...)},
		"good entries, then a bad": {one, append(longer.EntriesFrom(1), []byte{0})},
	} {
		if c, err := row.from.Follow(row.entries); !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrNotNext) {
			t.Errorf("%s: got %v, %v", name, c, err)
		}
	}
	if stolen.Since(honest) != nil || one.Since(longer) != nil || longer.Since(longer) != nil {
		t.Error("entries lead to a chain that is not ahead")
	}
}
