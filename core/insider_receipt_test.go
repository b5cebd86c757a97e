package core_test

import (
	"time"

	"hearth/content"
	"hearth/core"
	"hearth/hearthtest"
)

// Receipts that must not be believed. More of them, which no member could send,
// are in receipt_test.go.
var receiptDeviations = []hearthtest.Deviation{
	deviation("a receipt that goes back", func(st *stage) {
		st.Alice.Receipts(true)
		m := turn(st, st.Carol, st.Group)
		id := messageID(m, st.Alice.Send(st.Group, "for carol").ID)
		m.receipt(content.Receipt{Read: []content.MessageID{id}})
		m.receipt(content.Receipt{Delivered: []content.MessageID{id}})
		m.afterwards(st.Alice)
		if got := markOf(m, st.Alice, "for carol"); got != core.StateRead {
			st.T.Errorf("what carol has read is %q for alice", got)
		}
	}, edit("core/marks.go", "k.State >= state", "k.State == state")),

	deviation("a receipt of who was blocked", func(st *stage) {
		st.Alice.Receipts(true)
		m := turn(st, st.Carol, st.Group)
		if _, err := st.Alice.Client.Block(st.Alice.Patience(), "carol"); err != nil {
			st.T.Fatal(err)
		}
		id := messageID(m, st.Alice.Send(st.Group, "for bob").ID)
		m.receipt(content.Receipt{Read: []content.MessageID{id}})
		st.Sleep(time.Second)
		if got := markOf(m, st.Alice, "for bob"); got != "" {
			st.T.Errorf("alice has blocked carol and hears that it is %q", got)
		}
	}, edit("core/marks.go", "err != nil || p.Blocked", "err != nil || p == nil")),

	unheard("garbage where a receipt must be", func(m *insider, _ string) {
		m.say(content.KindReceipt, []byte("garbage"))
	}, edit("core/marks.go", "rc, err := content.ParseReceipt(body)\n\tif err != nil {\n\t\treturn false, nil", "rc, err := content.ParseReceipt(body)\n\tif err != nil {\n\t\treturn false, err")),
}

func messageID(m *insider, text string) content.MessageID {
	m.st.T.Helper()
	id, err := content.ParseMessageID(text)
	m.must(err)
	return id
}

func (m *insider) receipt(r content.Receipt) {
	m.st.T.Helper()
	body, err := r.Encode()
	m.must(err)
	m.say(content.KindReceipt, body)
}

// markOf returns what a person's client says of its own message and the
// insider; "" for nothing.
func markOf(m *insider, p *hearthtest.Person, text string) string {
	m.st.T.Helper()
	events, err := p.Client.History(p.Patience(), m.st.Group, 0)
	m.must(err)
	for _, e := range events {
		for _, k := range e.Receipts {
			if e.Text == text && k.Account == m.chain.Account().String() {
				return k.State
			}
		}
	}
	return ""
}
