package peertest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// install is what somebody types to get the peer.
const install = "npm ci --prefix mls/peertest/tsmls"

// A peer is one Node process with any number of ts-mls clients in it. Calls are
// answered one by one, in order.
type peer struct {
	mu    sync.Mutex
	in    io.WriteCloser
	out   *bufio.Reader
	spent map[string]time.Duration // waiting for answers, by operation
}

// startPeer runs the driver until the test ends. Where Node or its packages are
// missing it skips the test, or fails it with CI=true.
func startPeer(t testing.TB) *peer {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("tsmls/node_modules/ts-mls")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the ts-mls peer is not there: %v; run %q", err, install)
		}
		t.Skipf("the ts-mls peer is not there: %v; run %q", err, install)
	}
	// go test answers from its cache while the files that the test itself opened
	// are unchanged: what only Node reads is opened here for that reason.
	for _, name := range []string{"peer.mjs", "suites.mjs", "bench.mjs", "fixes.mjs", "package-lock.json"} {
		if _, err := os.ReadFile(filepath.Join("tsmls", name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(node, "--max-old-space-size=2048", "--import", "./tsmls/fixes.mjs", "tsmls/peer.mjs")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start node: %v", err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v", err)
		}
	})
	return &peer{in: in, out: bufio.NewReaderSize(out, 1<<20), spent: map[string]time.Duration{}}
}

// A call is one request to the driver; only the fields an operation reads are set.
type call struct {
	Op             string            `json:"op"`
	Client         string            `json:"client,omitempty"`
	Suite          uint16            `json:"suite,omitempty"`
	Identity       []byte            `json:"identity,omitempty"`
	GroupID        []byte            `json:"groupId,omitempty"`
	LeafExtensions []extension       `json:"leafExtensions,omitempty"`
	Extensions     []extension       `json:"extensions,omitempty"`
	Proposals      []proposal        `json:"proposals,omitempty"`
	Proposal       *proposal         `json:"proposal,omitempty"`
	InlineTree     bool              `json:"inlineTree,omitempty"`
	Public         bool              `json:"public,omitempty"`
	Message        []byte            `json:"message,omitempty"`
	Welcome        []byte            `json:"welcome,omitempty"`
	GroupInfo      []byte            `json:"groupInfo,omitempty"`
	Tree           []byte            `json:"tree,omitempty"`
	Data           []byte            `json:"data,omitempty"`
	Label          string            `json:"label,omitempty"`
	Context        []byte            `json:"context,omitempty"`
	Members        int               `json:"members,omitempty"`
	Provider       string            `json:"provider,omitempty"`
	Rounds         int               `json:"rounds,omitempty"`
	PSKs           map[string][]byte `json:"psks,omitempty"` // by id in base64
	PublicKey      []byte            `json:"publicKey,omitempty"`
	PrivateKey     []byte            `json:"privateKey,omitempty"`
	KEMOutput      []byte            `json:"kemOutput,omitempty"`
	Ciphertext     []byte            `json:"ciphertext,omitempty"`
	Info           []byte            `json:"info,omitempty"`
}

type extension struct {
	Type uint16 `json:"type"`
	Data []byte `json:"data"`
}

// A proposal by value, in the form the driver reads.
type proposal struct {
	Kind       string      `json:"kind"` // add, remove, update, psk, custom, extensions
	KeyPackage []byte      `json:"keyPackage,omitempty"`
	Index      uint32      `json:"index"`
	ID         []byte      `json:"id,omitempty"`
	Type       uint16      `json:"type,omitempty"`
	Data       []byte      `json:"data,omitempty"`
	Extensions []extension `json:"extensions,omitempty"`
}

// An answer of the driver.
type answer struct {
	Error         string             `json:"error"`
	Version       string             `json:"version"`
	KeyPackage    []byte             `json:"keyPackage"`
	Kind          string             `json:"kind"` // application, proposal, commit
	Removed       bool               `json:"removed"`
	Message       []byte             `json:"message"`
	Welcome       []byte             `json:"welcome"`
	Tree          []byte             `json:"tree"`
	Data          []byte             `json:"data"`
	Epoch         uint64             `json:"epoch"`
	Authenticator []byte             `json:"authenticator"`
	Exported      []byte             `json:"exported"`
	TreeHash      []byte             `json:"treeHash"`
	Transcript    []byte             `json:"transcript"`
	OwnIndex      uint32             `json:"ownIndex"`
	Members       []listed           `json:"members"`
	Milliseconds  map[string]float64 `json:"milliseconds"`
	PublicKey     []byte             `json:"publicKey"`
	PrivateKey    []byte             `json:"privateKey"`
	KEMOutput     []byte             `json:"kemOutput"`
	Ciphertext    []byte             `json:"ciphertext"`
}

// A listed member is a leaf with its basic credential.
type listed struct {
	Index    uint32 `json:"index"`
	Identity []byte `json:"identity"`
}

// call asks the driver and waits for its answer.
func (p *peer) call(c call) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	start := time.Now()
	defer func() { p.spent[c.Op] += time.Since(start).Round(time.Millisecond) }()
	line, err := json.Marshal(c)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return answer{}, fmt.Errorf("write to the peer: %w", err)
	}
	line, err = p.out.ReadBytes('\n')
	if err != nil {
		return answer{}, fmt.Errorf("read from the peer: %w", err)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return answer{}, fmt.Errorf("read from the peer: %w", err)
	}
	if a.Error != "" {
		return answer{}, fmt.Errorf("%w: %s: %s", errPeer, c.Op, a.Error)
	}
	return a, nil
}

// errPeer is what ts-mls refuses.
var errPeer = errors.New("ts-mls")
