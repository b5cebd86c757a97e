package letter

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"hearth/identity"
	"hearth/wire"
)

func (p person) join() Join {
	return Join{Link: wire.NewSecret(), Account: p.Chain.Account(), Chain: p.Chain.Entries(),
		KeyPackage: p.kp.Marshal(), Door: newDoor(), Text: "your neighbour"}
}

func TestJoinSaysWhoAsks(t *testing.T) {
	alice, bob := newPerson(t), newPerson(t)
	j := alice.join()
	got, chain, err := ParseJoin(must(NewJoin(alice.Device, j)))
	j.Version, j.Device = JoinVersion, alice.Device.ID()
	if err != nil || !reflect.DeepEqual(got, j) || chain.Account() != j.Account {
		t.Fatalf("got %+v, %v", got, err)
	}
	sign := func(key identity.DeviceKey, edit func(*Join)) []byte {
		j := alice.join()
		j.Version, j.Device = JoinVersion, key.ID()
		edit(&j)
		b := wire.Encode(j)
		return wire.Encode(signed{Body: b, Signature: key.Sign(identity.LabelJoin, b)})
	}
	for name, body := range map[string][]byte{
		"signed by another":             sign(bob.Device, func(*Join) {}),
		"signed as another":             sign(bob.Device, func(j *Join) { j.Device = alice.Device.ID() }),
		"for another account":           sign(alice.Device, func(j *Join) { j.Account = bob.Chain.Account() }),
		"another's chain":               sign(alice.Device, func(j *Join) { j.Chain = bob.Chain.Entries() }),
		"another's KeyPackage":          sign(alice.Device, func(j *Join) { j.KeyPackage = bob.kp.Marshal() }),
		"no KeyPackage":                 sign(alice.Device, func(j *Join) { j.KeyPackage = nil }),
		"a KeyPackage that is none":     sign(alice.Device, func(j *Join) { j.KeyPackage = []byte("kp") }),
		"no link":                       sign(alice.Device, func(j *Join) { j.Link = wire.Secret{} }),
		"no door":                       sign(alice.Device, func(j *Join) { j.Door = Door{} }),
		"a long text":                   sign(alice.Device, func(j *Join) { j.Text = strings.Repeat("x", MaxJoinText+1) }),
		"another version":               sign(alice.Device, func(j *Join) { j.Version++ }),
		"signed under another label":    wire.Encode(signed{Body: wire.Encode(j), Signature: alice.Device.Sign(identity.LabelAnswer, wire.Encode(j))}),
		"an answer":                     must(NewAnswer(alice.Device, Answer{Ref: []byte("r"), Accept: true})),
		"nothing":                       nil,
		"changed behind the signature":  bytes.Replace(must(NewJoin(alice.Device, alice.join())), []byte("neighbour"), []byte("nephewour"), 1),
		"more behind its end":           append(must(NewJoin(alice.Device, alice.join())), 0),
		"cut before its end":            must(NewJoin(alice.Device, alice.join()))[:200],
		"an empty chain":                sign(alice.Device, func(j *Join) { j.Chain = nil }),
		"more entries than a chain has": sign(alice.Device, func(j *Join) { j.Chain = make([][]byte, wire.MaxChain+1) }),
	} {
		_, _, err := ParseJoin(body)
		wantRefused(t, name, err)
	}
}
