package peertest

import (
	"encoding/base64"
)

// A member is a client of either kind, in one group. Its messages are
// MLSMessages. Whoever drives it decides which of several commits wins: commit
// changes nothing until apply.
type member interface {
	name() string
	theirs() bool
	keyPackage() []byte
	create(groupID []byte, extensions []extension) error
	commit(plan) (made, error)
	apply() error
	drop() error
	propose(p proposal, public bool) (message []byte, err error)
	process(message []byte) (outcome, error)
	join(welcome, tree []byte) error
	groupInfo(inlineTree bool) ([]byte, error)
	joinExternally(groupInfo, tree []byte) (commit []byte, err error)
	encrypt(data []byte) (message []byte, err error)
	status() (status, error)
	tree() ([]byte, error)
	forget()
}

// A plan is what goes into a commit; empty, it is an update of the committer.
// Proposals received since the last commit go in by reference.
type plan struct {
	proposals  []proposal
	inlineTree bool // the Welcome carries the ratchet tree
	public     bool // as a PublicMessage
	newLeaf    bool // with another credential, signature key and leaf extensions; ours only
}

// What a commit gave.
type made struct {
	message []byte
	welcome func(keyPackage []byte) []byte
	tree    []byte
}

// An outcome of processing a message.
type outcome struct {
	kind    string // application, proposal, commit
	data    []byte
	removed bool // the commit removed the one who processed it
}

// A status is what all members must have in common after a commit, but for the
// last field.
type status struct {
	epoch         uint64
	authenticator string
	exported      string
	treeHash      string
	transcript    string

	own uint32
}

// The exported value that members compare.
const exportLabel = "hearth peertest"

var exportContext = []byte("a context")

// psks are the external pre-shared keys that everybody holds, by id.
var psks = map[string][]byte{"first": []byte("a pre-shared key of any length"), "second": make([]byte, 32)}

// A guest is a member in ts-mls.
type guest struct {
	peer  *peer
	id    string
	suite uint16
	kp    []byte
}

func newGuest(p *peer, s uint16, id string) (*guest, error) {
	a, err := p.call(call{Op: "keyPackage", Client: id, Suite: s, Identity: []byte(id)})
	if err != nil {
		return nil, err
	}
	return &guest{peer: p, id: id, suite: s, kp: a.KeyPackage}, nil
}

func (g *guest) name() string       { return g.id }
func (g *guest) theirs() bool       { return true }
func (g *guest) keyPackage() []byte { return g.kp }

func (g *guest) call(c call) (answer, error) {
	c.Client = g.id
	c.PSKs = encodedPSKs
	return g.peer.call(c)
}

// encodedPSKs is psks with its keys in base64, as the driver looks them up.
var encodedPSKs = func() map[string][]byte {
	m := map[string][]byte{}
	for id, psk := range psks {
		m[base64.StdEncoding.EncodeToString([]byte(id))] = psk
	}
	return m
}()

func (g *guest) create(groupID []byte, extensions []extension) error {
	_, err := g.call(call{Op: "create", GroupID: groupID, Extensions: extensions})
	return err
}

func (g *guest) commit(p plan) (made, error) {
	a, err := g.call(call{Op: "commit", Proposals: p.proposals, InlineTree: p.inlineTree, Public: p.public})
	if err != nil {
		return made{}, err
	}
	return made{message: a.Message, welcome: func([]byte) []byte { return a.Welcome }, tree: a.Tree}, nil
}

func (g *guest) apply() error { return g.do("apply") }
func (g *guest) drop() error  { return g.do("drop") }
func (g *guest) forget()      { g.do("forget") }

func (g *guest) do(op string) error {
	_, err := g.call(call{Op: op})
	return err
}

func (g *guest) propose(p proposal, public bool) ([]byte, error) {
	a, err := g.call(call{Op: "propose", Proposal: &p, Public: public})
	return a.Message, err
}

func (g *guest) process(message []byte) (outcome, error) {
	a, err := g.call(call{Op: "process", Message: message})
	return outcome{kind: a.Kind, data: a.Data, removed: a.Removed}, err
}

func (g *guest) join(welcome, tree []byte) error {
	_, err := g.call(call{Op: "join", Welcome: welcome, Tree: tree})
	return err
}

func (g *guest) groupInfo(inlineTree bool) ([]byte, error) {
	a, err := g.call(call{Op: "groupInfo", InlineTree: inlineTree})
	return a.Message, err
}

func (g *guest) joinExternally(groupInfo, tree []byte) ([]byte, error) {
	a, err := g.call(call{Op: "joinExternally", GroupInfo: groupInfo, Tree: tree})
	return a.Message, err
}

func (g *guest) encrypt(data []byte) ([]byte, error) {
	a, err := g.call(call{Op: "encrypt", Data: data})
	return a.Message, err
}

func (g *guest) status() (status, error) {
	a, err := g.call(call{Op: "status", Label: exportLabel, Context: exportContext})
	if err != nil {
		return status{}, err
	}
	return status{a.Epoch, string(a.Authenticator), string(a.Exported), string(a.TreeHash), string(a.Transcript), a.OwnIndex}, nil
}

func (g *guest) tree() ([]byte, error) {
	a, err := g.call(call{Op: "tree"})
	return a.Tree, err
}
