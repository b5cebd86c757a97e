package core

import (
	"time"

	"hearth/core/vault"
)

// Values that the account's devices keep equal: settings, names given to people,
// drafts. They travel in the self room, where the last one posted counts, and to
// a device that was away with what it missed, where the newest counts.

// setting is one shared value.
type setting struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value []byte // empty: it was taken back
	// At is when it was set, Unix milliseconds: later than what it replaces.
	At int64
	// Until is when it ends, Unix seconds; 0: it stays.
	Until int64
}

// backKept is how long a device remembers that a value was taken back: longer
// than another may be away and come back with it.
const backKept = 100 * 24 * time.Hour

func settingName(name string) string { return vault.Name("shared", b64([]byte(name))) }

// putSetting keeps a value.
func (s *step) putSetting(v setting) {
	until := v.Until
	if len(v.Value) == 0 {
		until = s.c.now().Add(backKept).Unix()
	}
	s.putUntil(settingName(v.Name), v, until)
}

// shareSetting keeps a value on all devices of the account until it ends. An
// empty value takes it back.
func (s *step) shareSetting(name string, value []byte, until int64) error {
	known, err := s.sharedValue(name)
	if err != nil {
		return err
	}
	v := setting{Name: name, Value: value, At: max(s.c.now().UnixMilli(), known.At+1), Until: until}
	s.putSetting(v)
	return s.share(item(syncSetting, v))
}

// arrivedSetting takes in a value from an archive, unless a newer one is here.
func (s *step) arrivedSetting(v setting) error {
	known, err := s.sharedValue(v.Name)
	if err == nil && v.At > known.At {
		s.putSetting(v)
	}
	return err
}

func (s *step) sharedValue(name string) (v setting, err error) {
	_, err = s.get(settingName(name), &v)
	return v, err
}

// setting returns a shared value; nil if there is none.
func (s *step) setting(name string) ([]byte, error) {
	v, err := s.sharedValue(name)
	return v.Value, err
}
