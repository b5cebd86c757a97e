package mls

import (
	"testing"
)

// greaseTypes are the values that RFC 9420 §13.5 reserves so that nobody comes
// to rely on unknown ones not existing.
func greaseTypes() (all []uint16) {
	for i := range uint16(15) {
		all = append(all, 0x0A0A+0x1010*i)
	}
	return all
}

// Unknown values are carried and ignored wherever they may stand: in
// capabilities, leaf, KeyPackage and GroupInfo extensions, required
// capabilities that all members have.
func TestGrease(t *testing.T) {
	all := greaseTypes()
	bring := func(p *person) Member {
		m := p.member()
		c := &m.Capabilities
		c.Versions = append(c.Versions, all...)
		c.Suites = append(c.Suites, all...)
		c.Extensions = append(c.Extensions, all...)
		c.Proposals = append(c.Proposals, all...)
		c.Credentials = append(c.Credentials, all...)
		for _, x := range all {
			m.LeafExtensions = append(m.LeafExtensions, Extension{Type: x, Data: []byte{1, 2}})
		}
		return m
	}
	s := X25519_AES128GCM_SHA256_Ed25519
	a, b, c := newPerson(t, s, "a"), newPerson(t, s, "b"), newPerson(t, s, "c")
	req := RequiredCapabilities{Extensions: all, Proposals: all}
	var err error
	if a.g, err = NewGroup(GroupConfig{Suite: s, Extensions: []Extension{req.Extension(), {Type: all[3], Data: []byte("x")}}}, bring(a), Lifetime{}); err != nil {
		t.Fatal(err)
	}
	add := func(p *person, others ...*person) {
		t.Helper()
		kp, secrets, err := NewKeyPackage(s, bring(p), Lifetime{}, []Extension{{Type: all[0], Data: []byte{9}}})
		if err != nil {
			t.Fatal(err)
		}
		pc := a.commit(CommitOptions{Add: []*KeyPackage{kp}, InlineTree: true,
			WelcomeGroupInfoExtensions: []Extension{{Type: all[1], Data: []byte{7}}, {Type: 0xFABC}}}, others...)
		var info *GroupInfo
		if p.g, info, err = Join(pc.WelcomeAll(), kp, secrets, JoinOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, ok := findExtension(info.Extensions(), all[1]); !ok {
			t.Error("the GroupInfo lost an extension that we do not know")
		}
	}
	add(b)
	add(c, b)
	sameEpoch(t, a, b, c)
	b.commit(CommitOptions{Custom: []CustomProposal{{Type: all[5], Data: []byte("grease")}}}, a, c)
	sameEpoch(t, a, b, c)
	c.say("hello", a, b)
}
