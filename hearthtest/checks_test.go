package hearthtest

import (
	"testing"
)

func TestEveryCheckMatters(t *testing.T) {
	Checks(t, "hearthtest", map[string][]Deviation{"TestDeviations": allDeviations()})
}
