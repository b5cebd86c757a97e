package wire

import (
	"bytes"
	"testing"
)

func TestEntryTailMakesTheSameFrame(t *testing.T) {
	seat := NewSeatID(1)
	for _, e := range []Entry{
		{},
		{Handle: 23, Number: 1, Kind: KindPost, Epoch: 1, Payload: []byte("x")},
		{Handle: 1 << 31, Number: 1 << 40, Kind: KindCommit, Epoch: 300, Payload: make([]byte, 70000), Add: []SeatID{seat}, Remove: []SeatID{seat}, Seat: &seat},
	} {
		tail := EntryTail(e)
		if got, want := AppendEntryFrame(nil, e.Handle, tail), NewFrame(OpEntry, 0, e); !bytes.Equal(got, want) {
			t.Errorf("handle %d: got %x, want %x", e.Handle, got[:20], want[:20])
		}
		back, err := EntryOfTail(tail)
		if err != nil || back.Handle != 0 || back.Number != e.Number || !bytes.Equal(back.Payload, e.Payload) {
			t.Errorf("handle %d: read back %v, %v", e.Handle, back.Number, err)
		}
	}
	if _, err := EntryOfTail(nil); err == nil {
		t.Error("an empty tail was read")
	}
}
