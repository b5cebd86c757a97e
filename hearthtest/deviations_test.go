package hearthtest

import "testing"

type deviation struct {
	name string
	run  func(w *World)
}

var deviations []deviation
var checks []check

func deviationNamed(n string) *deviation { return nil }
func TestDeviations(t *testing.T)        {}
