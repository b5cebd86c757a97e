package mls

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hexBytes is a binary value of the vector files.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return err
	}
	raw, err := hex.DecodeString(*s)
	*h = raw
	return err
}

// loadVectors reads one file of official vectors into v. The files are kept
// beside the repository; in a plain clone they are absent and the test says so.
// In CI their absence is a failure.
func loadVectors(t *testing.T, file string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "shared", "vectors", "mls", file))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("official vectors %s: %v", file, err)
		}
		t.Skipf("official vectors are not here (%v); they are kept beside the repository", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// vectorCount counts the cases of one file by suite.
type vectorCount struct {
	file string
	ran  map[Suite]int
	skip map[Suite]int
}

// skippedSuites are the suites of RFC 9420 that this package doesn't have:
// 4 and 6 need X448 and Ed448.
var skippedSuites = []Suite{4, 6}

func countVectors(file string) *vectorCount {
	return &vectorCount{file, map[Suite]int{}, map[Suite]int{}}
}

// params counts a case; ok is false for a case of a skipped suite. A case of
// any other suite that the package doesn't have fails the test.
func (c *vectorCount) params(t *testing.T, s Suite) (p *suiteParams, ok bool) {
	t.Helper()
	if slices.Contains(skippedSuites, s) {
		c.skip[s]++
		return nil, false
	}
	p, err := s.params()
	if err != nil {
		t.Fatalf("suite %d: %v", s, err)
	}
	c.ran[s]++
	return p, true
}

// done logs the counts and fails unless exactly so many cases ran and were
// skipped.
func (c *vectorCount) done(t *testing.T, wantRan, wantSkipped int) {
	t.Helper()
	ran, skipped := 0, 0
	var by []string
	for _, s := range []Suite{1, 2, 3, 4, 5, 6, 7} {
		if c.ran[s] > 0 {
			by = append(by, fmt.Sprintf("suite %d: %d", s, c.ran[s]))
		}
		if c.skip[s] > 0 {
			by = append(by, fmt.Sprintf("suite %d: %d skipped", s, c.skip[s]))
		}
		ran += c.ran[s]
		skipped += c.skip[s]
	}
	t.Logf("%s: %d cases passed, %d skipped (%s)", c.file, ran, skipped, strings.Join(by, ", "))
	if ran != wantRan || skipped != wantSkipped {
		t.Errorf("%s: ran %d and skipped %d cases, want %d and %d", c.file, ran, skipped, wantRan, wantSkipped)
	}
}

func wantBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %x, want %x", what, got, want)
	}
}
