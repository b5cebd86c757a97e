package lock

import (
	"bytes"
	"testing"
	"time"
)

func FuzzParseSettings(f *testing.F) {
	f.Add(settings{}.marshal())
	f.Add(settings{After: 15 * time.Minute, KeyFile: "/media/stick/hearth.key"}.marshal())
	f.Add([]byte(`{"version":1,"lock_after":"-1s"}` + "\n"))
	f.Add([]byte(`{"version":2}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseSettings(b); err == nil && !bytes.Equal(s.marshal(), b) {
			t.Errorf("accepted %q", b)
		}
	})
}
