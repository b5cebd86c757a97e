package hearthtest

import (
	"bytes"
	"net/http"

	"hearth/core"
	"hearth/wire"
)

// fresh returns two people beside the stage: erin, who has not spoken with
// anybody, and mallory, whom the server helps.
func fresh(st *Stage) (erin, mallory *Person) { return st.Person("erin"), st.Person("mallory") }

// recordOf asks the server for somebody's record, as anyone may.
func recordOf(st *Stage, name string) wire.AccountRecord {
	st.T.Helper()
	r := st.Raw("the test")
	defer r.Close()
	return r.Record(name)
}

// mustRefuse sends a first message that must not go out.
func mustRefuse(st *Stage, from *Person, to string) {
	st.T.Helper()
	if s, err := from.TrySend(to, "for one pair of eyes"); err == nil {
		st.T.Errorf("%s's first message to %s is %s, want a refusal", from.Name, to, s.State)
	}
}

// What a server can do with accounts, invitations and answers.
var peopleDeviations = []Deviation{
	{"another account under a known name", func(st *Stage) {
		_, mallory := fresh(st)
		_ = mallory
		rec := recordOf(st, "mallory")
		onAnswer(st.World, st.Alice, wire.OpAccountGet, func(r *wire.AccountRecord) { r.Chain, r.Knocks = rec.Chain, rec.Knocks })
		st.Sound()
	}, []Edit{
		{"core/find.go", "if err != nil || known != nil && len(known.Doors)+len(known.Knocks) > 0 {", "if err != nil {"},
		{"core/find.go", "if known && pinned != p.Account {", "if known && pinned == (wire.AccountID{}) {"},
	}},

	{"another name in the answer", func(st *Stage) {
		erin, _ := fresh(st)
		rec := recordOf(st, "mallory")
		onAnswer(st.World, erin, wire.OpAccountGet, func(r *wire.AccountRecord) { *r = rec })
		mustRefuse(st, erin, "bob")
	}, []Edit{{"core/find.go", "get.Name != \"\" && rec.Name != get.Name || ", ""}}},

	{"a KeyPackage of somebody else", func(st *Stage) {
		erin, _ := fresh(st)
		// The server holds the sealing key of a public door, so it can seal
		// what it likes: here, what mallory's door hands out.
		bob, mallory := recordOf(st, "bob"), recordOf(st, "mallory")
		onAnswer(st.World, erin, wire.OpAccountGet, func(r *wire.AccountRecord) {
			if bytes.Equal(r.Chain[0], bob.Chain[0]) {
				r.Knocks = mallory.Knocks
			}
		})
		mustRefuse(st, erin, "bob")
	}, []Edit{
		{"core/found.go", "chain, err := identity.VerifyFor(p.Account, entries)", "chain, err := identity.Verify(entries)"},
		{"core/found.go", "c, err := identity.VerifyFor(inv.Account, inv.Chain)", "c, err := identity.Verify(inv.Chain)"},
		{"core/commit.go", "chain, err := identity.VerifyFor(inv.Account, inv.Chain)", "chain, err := identity.Verify(inv.Chain)"},
		{"core/found.go", "default:\n\t\t\treturn inv, device, errBadPackage\n\t\t}", "}"},
	}},

	{"a KeyPackage handed out twice", func(st *Stage) {
		erin, mallory := fresh(st)
		var first *wire.DoorClaimed
		again := func(c *wire.DoorClaimed) {
			if first == nil {
				first = &wire.DoorClaimed{Sealed: bytes.Clone(c.Sealed)}
				return
			}
			*c = *first
		}
		onAnswer(st.World, erin, wire.OpDoorClaim, again)
		onAnswer(st.World, mallory, wire.OpDoorClaim, again)
		erin.Send("carol", "the first")
		st.Carol.Accept()
		mallory.TrySend("carol", "the second")
		if e, ok := st.Carol.TryAwait(Patience, func(e core.Event) bool { return e.Type == core.EventRequest }); ok {
			st.T.Errorf("carol gets a request that no key of hers opens: %q", e.Text)
		}
		erin.Send("carol", afterIt)
		st.Carol.Expect(afterIt)
	}, []Edit{{"core/join.go", "s.del(packageName(rq.Ref)) // the init key", "_ = 0 // the init key"}}},

	{"an invitation again", func(st *Stage) {
		erin, _ := fresh(st)
		st.onEntry(erin, wire.KindKnock, func(e wire.Entry) []wire.Entry {
			again := e
			again.Number++
			return []wire.Entry{e, again}
		})
		st.Carol.Send("erin", "knock")
		erin.Request()
		if _, ok := erin.TryAwait(Patience, func(e core.Event) bool { return e.Type == core.EventRequest }); ok {
			st.T.Error("erin gets the request twice")
		}
	}, []Edit{{"core/knock.go", "if again, err := s.has(seen); err != nil || again {", "if _, err := s.has(seen); err != nil {"}}},

	{"a server of another version", func(st *Stage) {
		onAnswer(st.World, st.Stranger("frank"), wire.OpHello, func(h *wire.Welcome) { h.Version++ })
		frank := st.people["frank"]
		_, err := frank.Client.Register(frank.Patience(), core.RegisterOptions{Name: "frank", Server: st.World.Server("home").URL})
		if !isCode(err, wire.WrongServer) && !isCode(err, wire.Unsupported) {
			st.T.Errorf("got %v, want wrong_server or unsupported", err)
		}
	}, []Edit{{"core/lane/session.go", "s.welcome.Version != wire.Version || ", ""}}},
}

// sealedDeviations have no check of ours to take out: what stops them is that
// nobody but the one it is for can open a thing, or change it.
var sealedDeviations = []Deviation{
	{"an invitation for another", func(st *Stage) {
		erin, mallory := fresh(st)
		var taken []byte
		st.onEntry(erin, wire.KindKnock, func(e wire.Entry) []wire.Entry {
			taken = bytes.Clone(e.Payload)
			return []wire.Entry{e}
		})
		st.Carol.Send("erin", "for erin")
		erin.Request()
		st.onEntry(mallory, wire.KindKnock, func(e wire.Entry) []wire.Entry {
			e.Payload = taken
			return []wire.Entry{e}
		})
		st.Carol.Send("mallory", "for mallory")
		mallory.ExpectNever("for erin", Patience)
	}, nil},

	{"a tree blob swapped", func(st *Stage) {
		erin, _ := fresh(st)
		st.Carol.Send("erin", "knock")
		id := erin.Request()
		st.Net.TamperBlobs(func(method string, body []byte) []byte {
			if method == http.MethodGet && len(body) > 0 {
				body = bytes.Clone(body)
				body[len(body)/2] ^= 1
			}
			return body
		})
		if a, err := erin.Client.Accept(erin.Patience(), id); err == nil {
			st.T.Errorf("erin is in, with a tree that the server changed: %s", a.State)
		}
		st.Net.TamperBlobs(nil)
	}, nil},
}
