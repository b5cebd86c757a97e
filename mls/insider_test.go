package mls

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// wrong is one way of breaking one rule of RFC 9420 that a receiver checks. An
// insider, who holds all keys of a member, makes the message; the receiver must
// refuse it, for the reason named, and be the same to the byte afterwards.
type wrong struct {
	section string
	name    string // the rule, as it is broken
	want    error  // matched by errors.Is; for ErrInvalid see text
	text    string // part of the error's text, where the rule has no value of its own
	// One of the two. message is for Process by the victim; attempt does
	// something else (a Join) and returns its error.
	message func(f *fixture) []byte
	attempt func(f *fixture) error
}

// fixture is a group of four with a blank leaf at 3: a (leaf 0) is the insider,
// b (leaf 1) the victim, c and e are at 2 and 4.
type fixture struct {
	testing.TB
	suite         Suite
	p             *suiteParams
	a, b, c, e    *person
	external      *SignatureKey // of the group's only external sender
	old           []byte        // a message of the last epoch, for the victim
	victimOptions []Option

	epoch, ratchets []byte // the victim's state when it was last marked
}

// mark notes the victim's state, which the attempt must leave as it is.
func (f *fixture) mark() {
	f.epoch, f.ratchets = f.b.g.MarshalEpoch(), f.b.g.MarshalRatchets()
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	s := X25519_AES128GCM_SHA256_Ed25519
	p, err := s.params()
	if err != nil {
		t.Fatal(err)
	}
	key, err := GenerateSignatureKey(s)
	if err != nil {
		t.Fatal(err)
	}
	people := testGroupWith(t, GroupConfig{Suite: s, GroupID: []byte("group"), Limits: openLimits, Extensions: []Extension{
		ExternalSendersExtension([]ExternalSender{{key.Public(), BasicCredential([]byte("server"))}})}}, 5)
	f := &fixture{TB: t, suite: s, p: p, a: people[0], b: people[1], c: people[2], e: people[4], external: key}
	if f.old, err = f.a.g.Encrypt([]byte("old"), 0); err != nil {
		t.Fatal(err)
	}
	f.a.commit(CommitOptions{Remove: []LeafIndex{3}}, f.b, f.c, f.e)
	sameEpoch(t, f.a, f.b, f.c, f.e)
	return f
}

// run checks one row.
func (w *wrong) run(t *testing.T) {
	f := newFixture(t)
	var msg []byte
	if w.message != nil {
		msg = w.message(f)
	}
	f.mark()
	var err error
	if w.message != nil {
		_, err = f.b.g.Process(msg, f.victimOptions...)
	} else {
		err = w.attempt(f)
	}
	if err == nil {
		t.Fatalf("accepted; RFC 9420 %s wants it refused", w.section)
	}
	if w.want != nil && !errors.Is(err, w.want) {
		t.Errorf("got %q, want %q", err, w.want)
	}
	if w.text != "" && !strings.Contains(err.Error(), w.text) {
		t.Errorf("got %q, want one with %q", err, w.text)
	}
	if w.want == nil && w.text == "" {
		t.Errorf("the row names no error; got %q", err)
	}
	if !bytes.Equal(f.b.g.MarshalEpoch(), f.epoch) || !bytes.Equal(f.b.g.MarshalRatchets(), f.ratchets) {
		t.Error("the refusal changed the receiver's state")
	}
}

func runWrong(t *testing.T, rows []wrong) {
	t.Helper()
	for i := range rows {
		t.Run(rows[i].section+" "+rows[i].name, rows[i].run)
	}
}

// Every table is counted, and no row stands twice.
func TestNegativeCount(t *testing.T) {
	seen := map[string]bool{}
	n := 0
	for name, rows := range map[string][]wrong{
		"framing": wrongFraming, "proposals": wrongProposals, "commits": wrongCommits,
		"welcomes": wrongWelcomes, "external": wrongExternal,
	} {
		t.Logf("%s: %d rows", name, len(rows))
		n += len(rows)
		for _, r := range rows {
			if seen[r.name] {
				t.Errorf("the row %q stands twice", r.name)
			}
			seen[r.name] = true
			if (r.message == nil) == (r.attempt == nil) {
				t.Errorf("the row %q needs a message or an attempt", r.name)
			}
		}
	}
	t.Logf("%d ways of being wrong in sections 6, 8, 9, 11 and 12", n)
	if n < 325 {
		t.Errorf("got %d rows, want at least 325", n)
	}
}

// What an insider can do.

func (f *fixture) content(from *person, format wireFormat, kind ContentType) *authenticatedContent {
	a := from.g.frame(format, nil)
	a.content.contentType = kind
	a.content.application = []byte("text")
	return a
}

func (f *fixture) app(from *person) *authenticatedContent {
	return f.content(from, wirePrivateMessage, ContentApplication)
}

func (f *fixture) proposal(from *person, format wireFormat, p Proposal) *authenticatedContent {
	a := f.content(from, format, ContentProposal)
	a.content.proposal = &p
	return a
}

func (f *fixture) sign(a *authenticatedContent, by *person) {
	f.Helper()
	f.signWith(a, by.g.sig, &by.g.ctx)
}

func (f *fixture) signWith(a *authenticatedContent, key *SignatureKey, ctx *groupContext) {
	f.Helper()
	if err := a.sign(f.p, key, ctx); err != nil {
		f.Fatal(err)
	}
}

// public frames signed content with a right membership tag.
func (f *fixture) public(a *authenticatedContent) []byte {
	return marshal(&message{public: sealPublic(f.p, a, f.a.g.keys.membership, &f.a.g.ctx)})
}

// private encrypts signed content under a generation of the sender's ratchet.
func (f *fixture) private(a *authenticatedContent, generation uint32) []byte {
	f.Helper()
	return f.privateBody(a, generation, nil, nil)
}

// privateBody is private with hooks on the plaintext and on the sender data.
func (f *fixture) privateBody(a *authenticatedContent, generation uint32, body func([]byte) []byte, data func(*senderData)) []byte {
	f.Helper()
	s := senderData{leaf: a.content.sender.index, generation: generation}
	if data != nil {
		data(&s)
	}
	from := a.content.sender.index
	if from >= f.c.g.secrets.leaves {
		from = 0
	}
	k, err := f.sequence(from).peek(from, a.content.contentType, generation)
	if err != nil {
		f.Fatal(err)
	}
	var e encoder
	a.content.encodeBody(&e)
	a.auth.encode(&e, a.content.contentType)
	if body != nil {
		e.b = body(e.b)
	}
	m := &privateMessage{groupID: a.content.groupID, epoch: a.content.epoch, contentType: a.content.contentType,
		authenticatedData: a.content.authenticatedData}
	m.ciphertext = f.p.seal(k.key, s.guard(k.nonce), m.contentAAD(), e.b)
	f.sealSenderData(m, marshal(&s))
	return marshal(&message{private: m})
}

func (f *fixture) sealSenderData(m *privateMessage, plain []byte) {
	key, nonce := senderDataKey(f.p, f.a.g.keys.senderData, m.ciphertext)
	m.encryptedSenderData = f.p.seal(key, nonce, m.senderAAD(), plain)
}

// sequence is a secret tree that reaches far ahead: e's, who has read nothing.
func (f *fixture) sequence(uint32) *secretTree {
	t := f.c.g.secrets.clone()
	t.limits.MaxForward = 1 << 20
	return t
}

// parsed reads a message back to change it.
func (f *fixture) parsed(b []byte) *message {
	f.Helper()
	m := new(message)
	if err := unmarshal(b, m); err != nil {
		f.Fatal(err)
	}
	return m
}

// list commits proposals by value that no honest client would: they are put
// into an otherwise good commit of a's.
func (f *fixture) list(ps ...Proposal) []byte {
	f.Helper()
	var refs []proposalOrRef
	for i := range ps {
		refs = append(refs, proposalOrRef{proposal: &ps[i]})
	}
	return f.refs(refs...)
}

func (f *fixture) refs(refs ...proposalOrRef) []byte {
	f.Helper()
	return f.insider(insiderCommit{after: func(a *authenticatedContent) { a.content.commit.proposals = refs }})
}

// insiderCommit bends a commit of a's while it is made. All hooks may be nil.
type insiderCommit struct {
	options CommitOptions
	leaf    func(*LeafNode)                        // our new leaf, before its keys and signature
	key     *SignatureKey                          // signs the new leaf in a's place
	joiners []LeafIndex                            // left out of the path, beside those added
	context func(*groupContext)                    // that the path secrets are sealed under
	path    func(t *transition, made *createdPath) // the finished path
	after   func(a *authenticatedContent)          // the content, before its signature
	signer  *SignatureKey                          // signs the content in a's place
	tag     func([]byte) []byte                    // the confirmation tag
	seal    func(a *authenticatedContent) []byte   // frames it, instead of as a PublicMessage
	result  func(next *Group)                      // what the insider makes of it
}

func (f *fixture) insider(h insiderCommit) []byte {
	f.Helper()
	g := f.a.g
	must := func(err error) {
		f.Helper()
		if err != nil {
			f.Fatal(err)
		}
	}
	c, list, err := g.commitProposals(&h.options)
	must(err)
	t, err := g.begin(list, sender{senderMember, uint32(g.own)}, nil, false)
	must(err)
	a := f.content(f.a, wirePublicMessage, ContentCommit)
	a.content.commit = c
	var commitSecret []byte
	if !h.options.NoPath {
		leaf := g.changedLeaf(h.options.Leaf)
		if h.leaf != nil {
			h.leaf(leaf)
		}
		key := g.sig
		if h.key != nil {
			key = h.key
		}
		made, err := t.tree.createPath(g.own, leaf, key, g.ctx.groupID, append(t.added, h.joiners...), func(hash []byte) []byte {
			ctx := t.ctx
			ctx.treeHash = hash
			if h.context != nil {
				h.context(&ctx)
			}
			return marshal(&ctx)
		})
		must(err)
		if h.path != nil {
			h.path(t, made)
		}
		c.path, t.priv, commitSecret = made.path, made.keys, clone(made.commitSecret)
	}
	if h.after != nil {
		h.after(a)
	}
	signer := g.sig
	if h.signer != nil {
		signer = h.signer
	}
	f.signWith(a, signer, &g.ctx)
	sch, err := t.finish(a, g.keys.init, commitSecret, g.psks(h.options.PSKs))
	must(err)
	a.auth.confirmationTag = sch.confirm
	if h.tag != nil {
		a.auth.confirmationTag = h.tag(sch.confirm)
	}
	if h.result != nil {
		h.result(sch.next)
	}
	if h.seal != nil {
		return h.seal(a)
	}
	return f.public(a)
}

// resign signs a leaf of a path again after it was bent.
func (f *fixture) resign(l *LeafNode, key *SignatureKey, groupID []byte, index LeafIndex) {
	f.Helper()
	if err := l.sign(f.p, key, groupID, index); err != nil {
		f.Fatal(err)
	}
}

// newcomer is a person with a KeyPackage that can be bent before it is signed.
func (f *fixture) newcomer(bend func(kp *KeyPackage)) (*person, *KeyPackage, *KeyPackageSecrets) {
	f.Helper()
	j := newPerson(f, f.suite, "newcomer")
	kp, secrets := j.keyPackage()
	if bend != nil {
		bend(kp)
		f.signKeyPackage(kp, j.key)
	}
	return j, kp, secrets
}

func (f *fixture) signKeyPackage(kp *KeyPackage, key *SignatureKey) {
	f.Helper()
	if err := kp.leaf.sign(f.p, key, nil, 0); err != nil {
		f.Fatal(err)
	}
	var e encoder
	kp.encodeUnsigned(&e)
	sig, err := f.p.signWithLabel(key.priv.bytes(), keyPackageLabel, e.b)
	if err != nil {
		f.Fatal(err)
	}
	kp.Signature = sig
}

// added commits the Add of a bent KeyPackage, without the committer's checks.
func (f *fixture) added(bend func(kp *KeyPackage)) []byte {
	f.Helper()
	_, kp, _ := f.newcomer(bend)
	return f.list(Proposal{Type: ProposalAdd, Add: kp})
}

// flip changes one bit.
func flip(b []byte) []byte {
	c := bytes.Clone(b)
	c[len(c)/2] ^= 1
	return c
}

// without takes one value out of a list.
func without(list []uint16, v uint16) []uint16 {
	var out []uint16
	for _, x := range list {
		if x != v {
			out = append(out, x)
		}
	}
	return out
}

// A good message of each forge is accepted: the rows fail for what they bend.
func TestNegativeBaseline(t *testing.T) {
	f := newFixture(t)
	a := f.app(f.a)
	f.sign(a, f.a)
	if _, err := f.b.g.Process(f.private(a, 3)); err != nil {
		t.Errorf("application message: %v", err)
	}
	pr := f.proposal(f.a, wirePublicMessage, Proposal{Type: ProposalRemove, Remove: 2})
	f.sign(pr, f.a)
	if _, err := f.b.g.Process(f.public(pr)); err != nil {
		t.Errorf("proposal: %v", err)
	}
	if _, err := f.b.g.Process(f.insider(insiderCommit{})); err != nil {
		t.Errorf("commit: %v", err)
	}
	_, kp, _ := f.newcomer(func(*KeyPackage) {})
	if _, err := f.b.g.Process(f.insider(insiderCommit{options: CommitOptions{Add: []*KeyPackage{kp}, Remove: []LeafIndex{2}}})); err != nil {
		t.Errorf("commit with proposals: %v", err)
	}
	sealed := f.insider(insiderCommit{seal: func(a *authenticatedContent) []byte {
		a.wireFormat = wirePrivateMessage
		return nil
	}})
	if sealed != nil {
		t.Error("the seal hook was not used")
	}
	if _, err := f.join(invitation{}); err != nil {
		t.Errorf("join: %v", err)
	}
	if _, err := f.b.g.Process(f.outsider(outsiderCommit{})); err != nil {
		t.Errorf("external commit: %v", err)
	}
}

func TestNegativeFraming(t *testing.T)   { runWrong(t, wrongFraming) }
func TestNegativeProposals(t *testing.T) { runWrong(t, wrongProposals) }
func TestNegativeCommits(t *testing.T)   { runWrong(t, wrongCommits) }
func TestNegativeWelcomes(t *testing.T)  { runWrong(t, wrongWelcomes) }
func TestNegativeExternal(t *testing.T)  { runWrong(t, wrongExternal) }
