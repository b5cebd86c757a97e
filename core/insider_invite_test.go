package core_test

import (
	"bytes"
	"crypto/rand"
	"time"

	"hearth/core"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/hearthtest"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// founding is a group that an evil stranger founds to invite somebody into it.
type founding struct {
	victim *identity.Chain
	kp     *mls.KeyPackage // the victim's
	door   letter.Door

	state   roster.State
	chains  [][][]byte
	add     []*mls.KeyPackage
	key     identity.DeviceKey // that signs the wrapper
	group   []byte             // MLS group id; nil: random
	epochs  int                // that the group has had before
	wrapper func(*letter.Wrapper)
	tree    func(*letter.Tree, *mls.Group)
}

// plan is an honest invitation of somebody, to be changed before it is sent.
func (m *insider) plan(victim string) *founding {
	m.st.T.Helper()
	f := &founding{key: m.key}
	f.kp, f.victim, f.door = m.claim(victim)
	f.state = roster.NewGroup(roster.NewGroupID(), "trap", m.chain, 3600)
	f.put(m.chain, roster.RoleOwner)
	f.put(f.victim, roster.RoleMember)
	f.add = []*mls.KeyPackage{f.kp}
	return f
}

func (f *founding) put(c *identity.Chain, r roster.Role) {
	f.state.Put(c, r)
	f.chains = append(f.chains, c.Entries())
}

// invite founds the group, its room, and sends the invitation.
func (m *insider) invite(f *founding) {
	m.st.T.Helper()
	g, err := mls.NewGroup(mls.GroupConfig{Suite: core.Suite, GroupID: f.group, Extensions: roster.Extensions(f.state), Limits: core.Limits()},
		m.member, mls.Lifetime{NotAfter: 1 << 40})
	m.must(err)
	for range f.epochs {
		p, err := g.Commit(mls.CommitOptions{})
		m.must(err)
		g = p.Staged().Apply()
	}
	pending, err := g.Commit(mls.CommitOptions{Add: f.add})
	m.must(err)
	m.Room, m.Seat, m.Secret = wire.NewRoomID(f.door.ID.Region()), wire.NewSeatID(f.door.ID.Region()), wire.NewSecret()
	token := m.token(pending.Staged())
	seat, secret := wire.NewSeatID(m.Room.Region()), wire.NewSecret()
	m.must(m.raw.Ask(wire.OpRoomCreate, wire.RoomCreate{Room: m.Room, TokenHash: token.Hash(), Payload: pending.Message(),
		Seats: []wire.NewSeat{{ID: m.Seat, Hash: m.Secret.Hash()}, {ID: seat, Hash: secret.Hash(), Provisional: true}}}, new(wire.Appended)))
	m.Group = pending.Staged().Apply()
	tree := letter.Tree{Ratchet: pending.RatchetTree(), Chains: f.chains}
	if f.tree != nil {
		f.tree(&tree, m.Group)
	}
	blob, ref, err := letter.SealTree(tree)
	m.must(err)
	ref.Blob, err = m.st.PutBlob(m.Room, token, blob)
	m.must(err)
	w := letter.Wrapper{Welcome: pending.Welcome(f.kp.Ref()), Tree: ref, Server: f.door.Server, Room: m.Room, Epoch: wire.Epoch(m.Group.Epoch()),
		Seat: seat, SeatSecret: secret, State: f.state.Encode(), Account: m.chain.Account(), Chain: m.chain.Entries()}
	if f.wrapper != nil {
		f.wrapper(&w)
	}
	body, err := letter.SealWelcome(f.kp, f.key, w)
	m.must(err)
	payload, err := letter.Seal(f.door, letter.KindWelcome, body)
	m.must(err)
	m.must(m.knock(f.door, payload))
}

// knock posts to a door.
func (m *insider) knock(door letter.Door, payload []byte) error {
	m.st.T.Helper()
	return m.raw.Ask(wire.OpDoorPost, wire.DoorPost{Door: door.ID, Key: door.Key, Payload: payload, TTL: 3600}, new(wire.Appended))
}

// isRequest tells requests from other events.
func isRequest(e core.Event) bool { return e.Type == core.EventRequest }

// trap is an invitation of mallory's to erin; frank is somebody whom she has
// nothing to do with.
func trap(name string, change func(f *founding, m, frank *insider), then func(st *stage, erin *hearthtest.Person), edits ...hearthtest.Edit) hearthtest.Deviation {
	return deviation(name, func(st *stage) {
		erin := st.Person("erin")
		frank, m := stranger(st, st.Person("frank")), stranger(st, st.Person("mallory"))
		f := m.plan("erin")
		change(f, m, frank)
		m.invite(f)
		then(st, erin)
		rooms, err := erin.Client.Rooms(erin.Patience())
		m.must(err)
		if len(rooms) > 0 {
			st.T.Errorf("erin is in %d conversations", len(rooms))
		}
	}, edits...)
}

// unasked: the invitation is not even shown.
func unasked(st *stage, erin *hearthtest.Person) {
	st.T.Helper()
	if e, ok := erin.TryAwait(hearthtest.Patience, isRequest); ok {
		st.T.Errorf("erin is shown a request of %s for %q", e.From, e.Name)
	}
}

// unjoined: the invitation is shown; accepting it shows that it is forged.
func unjoined(st *stage, erin *hearthtest.Person) {
	st.T.Helper()
	if a, err := erin.Client.Accept(erin.Patience(), erin.Request()); err == nil {
		st.T.Errorf("erin is in: %s", a.State)
	}
}

// What an evil inviter, or a stranger, can do.
var inviteDeviations = []hearthtest.Deviation{
	trap("an invitation in another's name", func(f *founding, m, frank *insider) {
		f.put(frank.chain, roster.RoleMember)
		f.wrapper = func(w *letter.Wrapper) { w.Account, w.Chain = frank.chain.Account(), frank.chain.Entries() }
	}, unasked, edit("core/letter/welcome.go", "if chain.SignedBy(w.Device, identity.LabelWrapper, wire.Encode(wrapperTBS{Ref: ref, Wrapper: s.Body}), s.Signature) != nil {", "if len(s.Body)+len(ref) == 0 {"),
		edit("core/knock.go", "if live, err := p.live(inv.Device); err != nil || !live {", "if _, err := p.live(inv.Device); err != nil {")),

	trap("an invitation by another than who signed the group", func(f *founding, m, frank *insider) {
		f.put(frank.chain, roster.RoleMember)
		f.key = frank.key
		f.wrapper = func(w *letter.Wrapper) { w.Account, w.Chain = frank.chain.Account(), frank.chain.Entries() }
	}, unjoined, edit("core/join.go", "signer.Account != inv.Account || signer.Device != inv.Device", "signer.Account == (wire.AccountID{})")),

	trap("an invitation under another state", func(f *founding, m, frank *insider) {
		f.wrapper = func(w *letter.Wrapper) {
			s := f.state.Clone()
			s.Name = "the friendly one"
			w.State = s.Encode()
		}
	}, unjoined, edit("core/roster/roster.go", "if !equalExtensions(exts, Extensions(s)) {", "if false {")),

	trap("an invitation without the one who is invited", func(f *founding, m, frank *insider) {
		f.state.Drop(f.victim.Account())
	}, unasked, edit("core/knock.go", "return st, mine && theirs", "return st, (mine || true) && theirs")),

	trap("a group with somebody who knows nothing of it", func(f *founding, m, frank *insider) {
		// Frank's account and credential, with a key of mallory's.
		f.put(frank.chain, roster.RoleMember)
		kp, _ := m.forged(frank.chain.CredentialOf(frank.key.ID()))
		f.add = append(f.add, kp)
	}, unjoined, proves),

	trap("a member's chain that is another's", func(f *founding, m, frank *insider) {
		f.state.Put(frank.chain, roster.RoleMember)
		for i := range f.state.Members {
			if f.state.Members[i].Account == frank.chain.Account() {
				f.state.Members[i].Head = m.chain.Head() // there is no such chain
			}
		}
		f.chains = append(f.chains, frank.chain.Entries())
	}, unjoined, edit("core/roster/roster.go", "if !ok || c.Head() != m.Head {", "if !ok {")),

	trap("a tree that is not the group's", func(f *founding, m, frank *insider) {
		f.put(frank.chain, roster.RoleMember)
		// Carol before erin, so that frank takes the place beside her, and no
		// path leads elsewhere.
		carol, chain, _ := m.claim("carol")
		f.put(chain, roster.RoleMember)
		f.add = []*mls.KeyPackage{carol, f.kp}
		kp, _, err := mls.NewKeyPackage(core.Suite, frank.member, mls.Lifetime{NotAfter: 1 << 40}, nil)
		m.must(err)
		f.tree = func(t *letter.Tree, g *mls.Group) {
			p, err := g.Commit(mls.CommitOptions{Add: []*mls.KeyPackage{kp}, NoPath: true})
			m.must(err)
			t.Ratchet = p.RatchetTree()
		}
	}, unjoined, edit("mls/join.go", "if !bytes.Equal(tree.rootHash(), info.context.treeHash) {", "if bytes.Equal(nil, info.context.treeHash) {")),

	deviation("a KeyPackage used for two invitations", func(st *stage) {
		erin := st.Person("erin")
		m := stranger(st, st.Person("mallory"))
		first := m.plan("erin")
		m.invite(first)
		second := m.plan("erin")
		second.kp, second.add = first.kp, first.add
		m.invite(second)
		one, two := erin.Request(), erin.Request()
		if _, err := erin.Client.Accept(erin.Patience(), one); err != nil {
			st.T.Fatal(err)
		}
		if a, err := erin.Client.Accept(erin.Patience(), two); err == nil {
			st.T.Errorf("erin joins twice by one KeyPackage: %s", a.State)
		}
	}, edit("core/join.go", "s.del(packageName(rq.Ref)) // the init key", "_ = 0 // the init key")),

	deviation("an invitation in the place of a group", func(st *stage) {
		// Carol, a plain member, founds a group with the same id, owned by
		// herself.
		inPlace(st, func(f *founding, m *insider) {})
	}, standing),

	deviation("an invitation in the place of a group's room", func(st *stage) {
		inPlace(st, func(f *founding, m *insider) {
			in, err := st.Bob.Client.Inside(st.Group)
			m.must(err)
			f.group = in.Group.GroupID()
			f.wrapper = func(w *letter.Wrapper) { w.Room, w.Seat, w.SeatSecret = in.Room, in.Seat, in.Secret }
		})
	}, standing),

	deviation("another conversation in a group's room", func(st *stage) {
		inPlace(st, func(f *founding, m *insider) {
			in, err := st.Bob.Client.Inside(st.Group)
			m.must(err)
			f.state.ID = roster.NewGroupID()
			f.wrapper = func(w *letter.Wrapper) { w.Room = in.Room }
		})
	}, standing),

	deviation("a forged word that somebody declines", func(st *stage) {
		st.Person("dave")
		_, err := st.Alice.Client.GroupAdd(st.Alice.Patience(), st.Group, []string{"dave"})
		m := turn(st, st.Carol, st.Group)
		m.must(err)
		in, err := st.Alice.Client.Inside(st.Group)
		m.must(err)
		dave := account(st.Person("dave"))
		e, err := in.Roster.NewLeave(m.key, dave)
		m.must(err)
		body, err := letter.NewAnswer(m.key, letter.Answer{Conversation: in.Conv, Ref: []byte("ref"), Account: dave, Leave: e.Encode()})
		m.must(err)
		_, _, door := m.claim("alice")
		payload, err := letter.Seal(door, letter.KindAnswer, body)
		m.must(err)
		m.must(m.knock(door, payload))
		st.Sleep(time.Minute)
		if n := len(st.Alice.Members(st.Group)); n != 4 {
			st.T.Errorf("alice lists %d members, want 4", n)
		}
		_, err = st.Alice.Client.GroupRemove(st.Alice.Patience(), st.Group, []string{"dave"})
		m.must(err)
		st.Net.Online("carol")
		st.Sleep(hearthtest.Patience)
	}, signs, edit("core/letter/signed.go", "|| c.SignedBy(device, label, s.Body, s.Signature) != nil {", "|| len(s.Body) == 0 {")),

	deviation("a device put into a chain", func(st *stage) {
		// The server shows erin a device of bob's that bob never took in.
		erin := st.Person("erin")
		key, chain, _, err := st.Bob.Client.Identity()
		if err != nil {
			st.T.Fatal(err)
		}
		_, entry, err := chain.AddDevice(key, identity.NewDeviceKey().Candidate(chain.Account()))
		if err != nil {
			st.T.Fatal(err)
		}
		st.Net.Tamper(func(l *hearthtest.Link, d hearthtest.Direction, f wire.Frame) []wire.Frame {
			var rec wire.AccountRecord
			if l.Person == "erin" && d == hearthtest.ToClient && f.Op == wire.OpAccountGet && wire.Decode(f.Body, &rec) == nil {
				rec.Chain = append(rec.Chain, badSignature(entry))
				f.Body = wire.Encode(rec)
			}
			return []wire.Frame{f}
		})
		if s, err := erin.TrySend("bob", "for one pair of eyes"); err == nil {
			st.T.Errorf("erin's first message is %s, want it refused", s.State)
		}
	}, edit("identity/chain.go", "return fmt.Errorf(\"%w: an entry's signature\", ErrInvalid)", "_ = s")),

	deviation("a flood of letters", func(st *stage) {
		// What strangers may leave has an end, and it is not that of friends.
		erin := st.Person("erin")
		st.Alice.Befriend(erin)
		m := stranger(st, st.Person("mallory"))
		st.Net.Offline("erin")
		_, _, door := m.claim("erin")
		var err error
		taken := 0
		for ; taken < 100 && err == nil; taken++ {
			b := make([]byte, 4096)
			rand.Read(b)
			err = m.knock(door, b)
		}
		if !isCode(err, wire.Full) {
			st.T.Errorf("after %d letters: got %v, want full", taken, err)
		}
		g, err := st.Alice.Client.GroupNew(st.Alice.Patience(), "cellar", []string{"erin"})
		m.must(err)
		st.Net.Online("erin")
		if room := erin.Accept(); room != g.Room {
			st.T.Error("erin accepts something else")
		}
	}, edit("store/door.go", "if c.waiting >= c.Quota || (c.Uses > 0", "if (c.Uses > 0")),

	deviation("a link after its last use", func(st *stage) {
		m := stranger(st, st.Person("mallory"))
		door := link(st, m, 2, 0)
		for i := range 2 {
			m.must(m.knock(door, []byte{byte(i)}))
		}
		if err := m.knock(door, []byte("once more")); !isCode(err, wire.Full) {
			st.T.Errorf("got %v, want full", err)
		}
	}, edit("store/door.go", "(c.Uses > 0 && c.used >= c.Uses)", "false")),

	deviation("a link after its end", func(st *stage) {
		m := stranger(st, st.Person("mallory"))
		door := link(st, m, 0, time.Hour)
		m.must(m.knock(door, []byte("in time")))
		st.Sleep(2 * time.Hour)
		m.raw = st.Raw("insider")
		if err := m.knock(door, []byte("too late")); !isCode(err, wire.Denied) {
			st.T.Errorf("got %v, want denied", err)
		}
		if err := m.raw.Ask(wire.OpDoorClaim, wire.DoorClaim{Door: door.ID, Key: door.Key}, new(wire.DoorClaimed)); !isCode(err, wire.Denied) {
			st.T.Errorf("a claim: got %v, want denied", err)
		}
	}, edit("store/door.go", "(c.Until == 0 || now.Unix() < c.Until)", "(c.Until == 0 || true)")),

	deviation("a letter that is too large", func(st *stage) {
		m := stranger(st, st.Person("mallory"))
		_, _, door := m.claim("bob")
		if err := m.knock(door, make([]byte, wire.MaxKnock+1)); !isCode(err, wire.BadInput) {
			st.T.Errorf("got %v, want bad_input", err)
		}
	}, edit("store/door.go", "checkPost(req.Payload, wire.MaxKnock, req.TTL, wire.MaxTTL)", "checkPost(req.Payload, wire.MaxFrame, req.TTL, wire.MaxTTL)")),
}

// badSignature is a chain's entry with its last byte changed, which is of the
// signature.
func badSignature(entry []byte) []byte {
	b := bytes.Clone(entry)
	b[len(b)-1] ^= 1
	return b
}

// standing takes out that a conversation in which a device stands is not
// replaced by an invitation.
var standing = edit("core/join.go", "if err := s.standing(cv, inv, j); err != nil {", "if err := error(nil); err != nil {")

// inPlace has carol invite bob into a group that passes for the one that they
// are in. Whatever he answers, he is where he was.
func inPlace(st *stage, change func(f *founding, m *insider)) {
	st.T.Helper()
	m := turn(st, st.Carol, st.Group)
	before := group(st, st.Bob)
	f := m.plan("bob")
	f.state = roster.NewGroup(m.Roster.State().ID, "kitchen", m.chain, 3600)
	f.state.Put(f.victim, roster.RoleMember)
	f.epochs = 9 // so that it looks newer
	change(f, m)
	m.invite(f)
	id := st.Bob.Request()
	if a, err := st.Bob.Client.Accept(st.Bob.Patience(), id); err == nil {
		st.T.Errorf("bob accepts it: %s", a.State)
	}
	if got := group(st, st.Bob); got.Name != before.Name || len(got.Members) != len(before.Members) || got.Retention != before.Retention {
		st.T.Errorf("bob sees the group as\n%+v, want\n%+v", got, before)
	}
	st.Alice.Send(st.Group, "to all")
	st.Bob.Expect("to all")
}

// link has alice hand out a link, and opens it.
func link(st *stage, m *insider, uses int, expire time.Duration) letter.Door {
	st.T.Helper()
	inv, err := st.Alice.Client.Invite(st.Alice.Patience(), uses, expire)
	m.must(err)
	l, err := letter.ParseInvitation(inv.Link)
	m.must(err)
	return l.Doors[0].On(l.Server)
}
