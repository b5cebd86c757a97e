package identity

import (
	"bytes"
	"errors"
	"testing"

	"hearth/wire"
)

const home = "https://a.example"

func newAccount(t testing.TB) Created {
	t.Helper()
	a, err := NewAccount(home)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// must returns the chain of a signing method that is to succeed.
func must(t testing.TB) func(c *Chain, raw []byte, err error) *Chain {
	return func(c *Chain, _ []byte, err error) *Chain {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestChainGrowsAndVerifies(t *testing.T) {
	a := newAccount(t)
	second, third := NewDeviceKey(), NewDeviceKey()
	next := NewRecoveryKey()
	c := a.Chain
	c = must(t)(c.AddDevice(a.Device, second.Candidate(c.Account())))
	c = must(t)(c.AddDevice(second, third.Candidate(c.Account())))
	c = must(t)(c.RevokeDevice(third, a.Device.ID()))
	c = must(t)(c.SetRecovery(a.Recovery, next.Public()))
	c = must(t)(c.MoveServer(second, "http://localhost:8420"))
	c = must(t)(c.RevokeDevice(next, second.ID()))

	again, err := Verify(c.Entries())
	if err != nil {
		t.Fatal(err)
	}
	if again.Head() != c.Head() || again.Account() != a.Chain.Account() || again.Account() != wire.AccountID(a.Chain.Head()) {
		t.Error("a verified chain differs from the one that was built, or its id is not the hash of its first entry")
	}
	if got, want := again.Position(), (Position{Recovery: 2, Length: 7}); got != want {
		t.Errorf("position %+v, want %+v", got, want)
	}
	if again.Server() != "http://localhost:8420" || again.Recovery() != next.Public() {
		t.Error("home server or recovery key is not the newest")
	}
	live := map[DeviceID]bool{}
	for _, d := range again.Devices() {
		live[d.ID] = d.Live
	}
	if len(live) != 3 || live[a.Device.ID()] || live[second.ID()] || !live[third.ID()] {
		t.Errorf("live devices are %v", live)
	}
	if d, ok := again.Device(third.ID()); !ok || d.Key != third.Public() || d.Added != (Position{Length: 3}) {
		t.Errorf("third device is %+v", d)
	}
	was, ok := again.Prefix(Position{Length: 2})
	if d, _ := was.Device(a.Device.ID()); !ok || was.Len() != 2 || !d.Live {
		t.Error("a prefix does not show the chain as it was")
	}
	if _, ok := again.Prefix(Position{Recovery: 1, Length: 2}); ok {
		t.Error("a prefix at a position that never was")
	}
	if c := must(t)(c.Close(third)); !c.Closed() || c.live() != 0 {
		t.Error("a closed account has live devices")
	}
}

// TestChainRefuses names every rule of a chain with an entry that breaks it.
func TestChainRefuses(t *testing.T) {
	a, b := newAccount(t), newAccount(t)
	second, third := NewDeviceKey(), NewDeviceKey()
	account := a.Chain.Account()
	two := must(t)(a.Chain.AddDevice(a.Device, second.Candidate(account)))
	revoked := must(t)(two.RevokeDevice(a.Device, second.ID()))
	closed := must(t)(two.Close(a.Device))
	recovered := must(t)(two.MoveServer(a.Recovery, home))
	seal := func(c *Chain, by Signer, kind Kind, body any) []byte {
		return sealEntry(by, uint32(c.Len()+1), c.Head(), kind, body)
	}
	add := func(d Candidate) addBody { return addBody{Device: d.ID, Key: d.Key, Proof: d.Proof} }
	other := func(change func(*entry)) []byte {
		e := entry{Version: entryVersion, Number: 3, Prev: two.Head(), Kind: KindMove, Body: wire.Encode(moveBody{Server: home})}
		change(&e)
		a.Device.sign(&e)
		return wire.Encode(e)
	}
	full := two
	for range MaxDevices - 2 {
		full = must(t)(full.AddDevice(a.Device, NewDeviceKey().Candidate(account)))
	}
	impostor := DeviceKey{id: a.Device.ID(), seed: second.seed}

	for name, row := range map[string]struct {
		chain *Chain
		entry []byte
		want  error
	}{
		"a device that is not in the chain signs":          {two, seal(two, third, KindMove, moveBody{Server: home}), ErrInvalid},
		"a device of another account signs":                {two, seal(two, b.Device, KindMove, moveBody{Server: home}), ErrInvalid},
		"a revoked device signs":                           {revoked, seal(revoked, second, KindMove, moveBody{Server: home}), ErrInvalid},
		"another key signs under a device's id":            {two, seal(two, impostor, KindMove, moveBody{Server: home}), ErrInvalid},
		"another recovery key signs":                       {two, seal(two, b.Recovery, KindMove, moveBody{Server: home}), ErrInvalid},
		"the old recovery key signs after its replacement": {must(t)(two.SetRecovery(a.Recovery, b.Recovery.Public())), nil, ErrInvalid},
		"a device sets the recovery key":                   {two, seal(two, a.Device, KindRecovery, recoveryBody{Recovery: b.Recovery.Public()}), ErrInvalid},
		"the recovery key is replaced by itself":           {two, seal(two, a.Recovery, KindRecovery, recoveryBody{Recovery: a.Recovery.Public()}), ErrInvalid},
		"the recovery key becomes a device's key":          {two, seal(two, a.Recovery, KindRecovery, recoveryBody{Recovery: second.Public()}), ErrInvalid},
		"a device is added without its proof":              {two, seal(two, a.Device, KindAdd, addBody{Device: third.ID(), Key: third.Public(), Proof: make([]byte, 64)}), ErrInvalid},
		"a device is added by its proof for another":       {two, seal(two, a.Device, KindAdd, add(third.Candidate(b.Chain.Account()))), ErrInvalid},
		"a device is added twice":                          {two, seal(two, a.Device, KindAdd, add(second.Candidate(account))), ErrInvalid},
		"a revoked device is added again":                  {revoked, seal(revoked, a.Device, KindAdd, add(second.Candidate(account))), ErrInvalid},
		"a key is added again under another id":            {revoked, seal(revoked, a.Device, KindAdd, add(DeviceKey{id: third.id, seed: second.seed}.Candidate(account))), ErrInvalid},
		"a device id is added again with another key":      {two, seal(two, a.Device, KindAdd, add(DeviceKey{id: second.id, seed: third.seed}.Candidate(account))), ErrInvalid},
		"more devices than an account may have":            {full, seal(full, a.Device, KindAdd, add(third.Candidate(account))), ErrInvalid},
		"an unknown device is revoked":                     {two, seal(two, a.Device, KindRevoke, revokeBody{Device: third.ID()}), ErrInvalid},
		"a device is revoked twice":                        {revoked, seal(revoked, a.Device, KindRevoke, revokeBody{Device: second.ID()}), ErrInvalid},
		"a device revokes the last live one":               {revoked, seal(revoked, a.Device, KindRevoke, revokeBody{Device: a.Device.ID()}), ErrInvalid},
		"an entry follows the closing one":                 {closed, seal(closed, a.Device, KindMove, moveBody{Server: home}), ErrInvalid},
		"the recovery key follows the closing entry":       {closed, seal(closed, a.Recovery, KindMove, moveBody{Server: home}), ErrInvalid},
		"a home server that is no URL":                     {two, seal(two, a.Device, KindMove, moveBody{Server: "a.example"}), ErrInvalid},
		"a home server with a path":                        {two, seal(two, a.Device, KindMove, moveBody{Server: "https://a.example/x"}), ErrInvalid},
		"a second first entry":                             {two, b.Chain.Entries()[0], ErrInvalid},
		"a device-signed entry follows an older one":       {two, seal(a.Chain, a.Device, KindMove, moveBody{Server: home}), ErrNotNext},
		"recovery-signed, behind a recovery-signed one":    {recovered, seal(two, a.Recovery, KindMove, moveBody{Server: "https://b.example"}), ErrNotNext},
		"an entry of another chain":                        {two, seal(must(t)(b.Chain.MoveServer(b.Device, home)), b.Device, KindClosed, closedBody{}), ErrNotNext},
		"a number that leaves a gap":                       {two, other(func(e *entry) { e.Number = 4 }), ErrNotNext},
		"a number beyond all":                              {two, other(func(e *entry) { e.Number = 1 << 31 }), ErrNotNext},
		"number zero":                                      {two, other(func(e *entry) { e.Number = 0 }), ErrInvalid},
		"a previous hash that is not the head's":           {two, other(func(e *entry) { e.Prev[0] ^= 1 }), ErrNotNext},
		"an unknown version":                               {two, other(func(e *entry) { e.Version = 2 }), ErrInvalid},
		"an unknown kind":                                  {two, other(func(e *entry) { e.Kind = 7 }), ErrInvalid},
		"a body of another kind":                           {two, other(func(e *entry) { e.Kind = KindRevoke }), ErrInvalid},
		"a body in a longer form":                          {two, other(func(e *entry) { e.Body = append([]byte{0x98, 1}, e.Body[1:]...) }), ErrInvalid},
		"a trailing byte":                                  {two, append(other(func(*entry) {}), 0), ErrInvalid},
		"a signature over other content":                   {two, bytes.Replace(other(func(*entry) {}), []byte("a.example"), []byte("b.example"), 1), ErrInvalid},
		"an entry larger than all":                         {two, make([]byte, wire.MaxChainEntry+1), ErrInvalid},
		"a signer of a wrong length": {two, func() []byte {
			e := entry{Version: 1, Number: 3, Prev: two.Head(), Kind: KindClosed, Body: wire.Encode(closedBody{}), Signer: make([]byte, 15)}
			return wire.Encode(e)
		}(), ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if row.entry == nil {
				row.entry = seal(row.chain, a.Recovery, KindMove, moveBody{Server: home})
			}
			head := row.chain.Head()
			if _, err := row.chain.Append(row.entry); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if row.chain.Head() != head {
				t.Error("a refused entry changed the chain")
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	a, b := newAccount(t), newAccount(t)
	moved := must(t)(a.Chain.MoveServer(a.Device, home))
	_, over, err := a.Chain.MoveServer(a.Recovery, home)
	if err != nil {
		t.Fatal(err)
	}
	forged := a
	forged.Device = DeviceKey{id: a.Device.id, seed: b.Device.seed}
	body := createBody{Device: a.Device.ID(), Key: a.Device.Public(), Recovery: a.Recovery.Public(), Server: home}
	same := body
	same.Recovery = body.Key
	elsewhere := body
	elsewhere.Server = "ftp://a.example"
	for name, entries := range map[string][][]byte{
		"no entries":                                 nil,
		"a chain without its first entry":            moved.Entries()[1:],
		"entries out of order":                       {moved.Entries()[1], moved.Entries()[0]},
		"an entry twice":                             {moved.Entries()[0], moved.Entries()[1], moved.Entries()[1]},
		"a first entry that its device did not sign": {sealEntry(forged.Device, 1, Hash{}, KindCreate, body)},
		"a first entry signed by the recovery key":   {sealEntry(a.Recovery, 1, Hash{}, KindCreate, body)},
		"a first entry of number two":                {sealEntry(a.Device, 2, Hash{}, KindCreate, body)},
		"a first entry that follows something":       {sealEntry(a.Device, 1, Hash{1}, KindCreate, body)},
		"one key for device and recovery":            {sealEntry(a.Device, 1, Hash{}, KindCreate, same)},
		"a home server of another scheme":            {sealEntry(a.Device, 1, Hash{}, KindCreate, elsewhere)},
		"a chain that holds voided entries":          append(moved.Entries(), over),
	} {
		if _, err := Verify(entries); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := VerifyFor(b.Chain.Account(), a.Chain.Entries()); !errors.Is(err, ErrInvalid) {
		t.Errorf("another account's chain: got %v", err)
	}
}

// A02: a server that adds a device to someone's list holds no key that could
// sign the entry, and a chain of its own making has another account id.
func TestA02ServerCannotInjectDevice(t *testing.T) {
	victim, server := newAccount(t), newAccount(t)
	ghost := NewDeviceKey()
	body := addBody{Device: ghost.ID(), Key: ghost.Public(), Proof: ghost.Candidate(victim.Chain.Account()).Proof}
	for name, by := range map[string]Signer{
		"by the ghost itself":               ghost,
		"by a device of the server's":       server.Device,
		"by a recovery key of the server's": server.Recovery,
		"under the victim device's id":      DeviceKey{id: victim.Device.ID(), seed: ghost.seed},
	} {
		raw := sealEntry(by, 2, victim.Chain.Head(), KindAdd, body)
		if _, err := victim.Chain.Append(raw); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
		if _, err := Verify(append(victim.Chain.Entries(), raw)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s, whole chain: got %v, want it refused", name, err)
		}
	}
	if _, err := VerifyFor(victim.Chain.Account(), server.Chain.Entries()); err == nil {
		t.Error("another chain passed for the victim's")
	}
}

// TestChainHasAnEnd: a chain is bounded, and a recovery-signed entry at an
// earlier place makes room again.
func TestChainHasAnEnd(t *testing.T) {
	a := newAccount(t)
	c := a.Chain
	for c.Len() < MaxEntries {
		c = must(t)(c.MoveServer(a.Device, home))
	}
	if _, _, err := c.MoveServer(a.Device, home); !errors.Is(err, ErrInvalid) {
		t.Errorf("entry %d: got %v, want it refused", MaxEntries+1, err)
	}
	_, rescue, err := a.Chain.MoveServer(a.Recovery, home)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.Append(rescue); err != nil || c.Len() != 2 {
		t.Errorf("a rescue of a full chain: %v", err)
	}
}
