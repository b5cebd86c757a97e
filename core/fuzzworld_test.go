package core_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"hearth/content"
	"hearth/core"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/hearthtest"
	"hearth/mls"
	"hearth/wire"
)

// TestFuzzedWorld is that of hearthtest with members who turn evil.
func TestFuzzedWorld(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	hearthtest.Fuzz(t, within{})
}

// within looks into clients for a fuzzed world.
type within struct{}

// Authenticator implements hearthtest.Within.
func (within) Authenticator(p *hearthtest.Person, conversation string) ([]byte, error) {
	in, err := p.Client.Inside(conversation)
	if err != nil {
		return nil, err
	}
	return in.Group.EpochAuthenticator(), nil
}

// Betray implements hearthtest.Within. The member's client is offline meanwhile
// and goes on in the same home: it will find that its leaf was used.
func (within) Betray(w *hearthtest.World, p *hearthtest.Person, conversation string, rng *mathrand.Rand) (deed string, err error) {
	d := deeds[rng.IntN(len(deeds))]
	defer func() {
		switch r := recover().(type) {
		case nil:
		case givenUp:
			err = r.error
		default:
			panic(r)
		}
	}()
	m := &insider{st: &stage{World: w}, p: p, giveUp: true}
	w.Net.Offline(p.Name)
	w.Sleep(time.Second)
	m.Inside, err = p.Client.Inside(conversation)
	m.must(err)
	m.key, m.chain, m.member, err = p.Client.Identity()
	m.must(err)
	m.raw = w.RawAt("insider", m.Server)
	defer m.raw.Close()
	d.do(m, rng)
	return d.name, nil
}

// givenUp is why a deed could not be done.
type givenUp struct{ error }

// deeds are what a member does who has turned on the others.
var deeds = []struct {
	name string
	do   func(m *insider, rng *mathrand.Rand)
}{
	{"garbage committed", func(m *insider, _ *mathrand.Rand) {
		b := make([]byte, 3000)
		rand.Read(b)
		m.sendCommit(b, wire.NewSecret().Hash(), nil, nil)
	}},
	{"a commit that nobody may make", func(m *insider, _ *mathrand.Rand) {
		m.commit(mls.CommitOptions{ReInit: &mls.ReInit{GroupID: []byte("the next one"), Version: 1, Suite: core.Suite, Extensions: m.Group.Extensions()}})
	}},
	{"a commit that only some can open", func(m *insider, rng *mathrand.Rand) {
		all := m.Group.Members()
		victim := all[rng.IntN(len(all))]
		if victim.Index == m.Group.OwnLeaf() {
			return
		}
		m.commit(mls.CommitOptions{}) // after it our tree knows its hashes
		n, ok := m.Group.Member(victim.Index)
		if !ok {
			return
		}
		other, _ := m.forged(m.chain.CredentialOf(m.key.ID()))
		n.EncryptionKey = bytes.Clone(other.Leaf().EncryptionKey)
		m.commit(mls.CommitOptions{})
		m.say(content.KindContent, text(m, "evil to some"))
	}},
	{"posts that nobody can open", func(m *insider, rng *mathrand.Rand) {
		for range 1 + rng.IntN(20) {
			b := make([]byte, 1+rng.IntN(2000))
			rand.Read(b)
			m.post(b)
		}
	}},
	{"garbage in messages", func(m *insider, rng *mathrand.Rand) {
		for i := range 3 {
			b := make([]byte, 1+rng.IntN(500))
			rand.Read(b)
			m.post(m.seal(b))
			m.say(content.KindContent, b)
			m.say(content.EnvelopeKind(i+1), b)
		}
	}},
	{"counts that jump", func(m *insider, rng *mathrand.Rand) {
		m.Count += rng.Uint64N(100)
		m.say(content.KindContent, text(m, fmt.Sprintf("evil %d", m.Count)))
		m.say(content.KindContent, text(m, "evil elsewhere"), func(e *content.Envelope) { e.CommitHash[0] ^= 1 })
	}},
	{"another seat announced", func(m *insider, _ *mathrand.Rand) {
		m.say(content.KindAnnounce, core.Announcement(wire.NewSeatID(m.Room.Region())))
	}},
	{"a false alarm", func(m *insider, _ *mathrand.Rand) {
		m.notice(letter.NoticeOutOfStep, []byte("I can't follow"))
	}},
	{"a founding that leads nowhere", func(m *insider, _ *mathrand.Rand) {
		st := m.Roster.State()
		says := roster.Founding{Conversation: st.ID, Generation: st.Generation + 1, Base: m.Group.Epoch(), Transcript: core.CommitHash(m.Group)}
		rand.Read(says.Info[:])
		if me, ok := st.Member(m.chain.Account()); ok && me.Role != roster.RoleMember {
			says.Base -= 2 // theirs would count
		}
		m.notice(letter.NoticeFounding, says.Encode())
	}},
}
