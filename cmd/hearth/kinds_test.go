package main

import (
	"slices"
	"strings"
	"testing"

	"hearth/content"
	"hearth/rpc"
)

// TestEveryKindOfContentHasAMethodAndACommand: what one can be sent, a program and a
// person at a terminal can send.
func TestEveryKindOfContentHasAMethodAndACommand(t *testing.T) {
	root := new(app).root()
	for _, k := range content.Kinds() {
		s := k.Spec()
		if k == content.Unknown {
			continue // it is received only
		}
		if !slices.Contains(rpc.Methods(), s.Method) {
			t.Errorf("%s: there is no method %q", k, s.Method)
		}
		words := strings.Fields(s.Command)
		cmd, left, err := root.Find(words)
		if err != nil || len(words) == 0 || len(left) > 0 || cmd.CommandPath() != "hearth "+s.Command {
			t.Errorf("%s: there is no command %q", k, s.Command)
		}
	}
}
