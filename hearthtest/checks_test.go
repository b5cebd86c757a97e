package hearthtest

import (
	"testing"
)

func TestEveryCheckMatters(t *testing.T) { Checks(t, allDeviations(), "hearthtest") }
