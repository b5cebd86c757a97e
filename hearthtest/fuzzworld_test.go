package hearthtest

import "testing"

// TestFuzzedWorld: that of package core knows evil members too.
func TestFuzzedWorld(t *testing.T) { Fuzz(t, nil) }
