package lock

import (
	"bytes"
	"encoding/json"
	"time"

	"hearth/core/vault"
	"hearth/wire"
)

// settings are what must be known of a home while it is locked. They lie in
// clear and say nothing about anybody. Who can write in the folder can change
// them; that one could change the program as well.
type settings struct {
	// After is how long the home is idle before it locks itself; 0: never.
	After time.Duration
	// KeyFile is where the key file lies that opens the home; "" if it has a
	// passphrase, or nothing.
	KeyFile string
}

// settingsFile is how they lie there: one line of JSON.
type settingsFile struct {
	Version int    `json:"version"`
	After   string `json:"lock_after,omitempty"`
	KeyFile string `json:"key_file,omitempty"`
}

const settingsVersion = 1

func (s settings) marshal() []byte {
	f := settingsFile{Version: settingsVersion, KeyFile: s.KeyFile}
	if s.After > 0 {
		f.After = s.After.String()
	}
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // strings
	}
	return append(b, '\n')
}

func parseSettings(b []byte) (settings, error) {
	damaged := &wire.Error{Code: wire.Damaged, Message: "the settings of this home can't be read",
		Next: "remove the file settings in the home folder, then set again when the home locks itself"}
	var f settingsFile
	if err := json.Unmarshal(b, &f); err != nil {
		return settings{}, damaged
	}
	if f.Version > settingsVersion {
		return settings{}, &wire.Error{Code: wire.Unsupported, Message: "the settings of this home were written by a newer version of hearth",
			Next: "use that version, or a newer one"}
	}
	s := settings{KeyFile: f.KeyFile}
	if f.After != "" {
		var err error
		if s.After, err = time.ParseDuration(f.After); err != nil || s.After <= 0 {
			return settings{}, damaged
		}
	}
	if !bytes.Equal(s.marshal(), b) { // one form for each value
		return settings{}, damaged
	}
	return s, nil
}

func loadSettings(place vault.KeyFile) (settings, error) {
	if place == nil {
		return settings{}, nil
	}
	b, err := place.Load()
	if err != nil || b == nil {
		return settings{}, err
	}
	return parseSettings(b)
}

func (s settings) store(place vault.KeyFile) error {
	if place == nil {
		return nil
	}
	return place.Store(s.marshal())
}
