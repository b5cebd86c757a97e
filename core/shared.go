package core

import (
	"bytes"
	"cmp"
	"time"

	"hearth/core/vault"
)

// Values that the account's devices keep equal: settings, names given to people,
// drafts. They travel in the self room, to a device that was away with what it
// missed, and those that stay in backups. Whatever way and in whatever order a
// device hears of them, the one that was set last counts
// (docs/decisions/0034-the-newest-counts.md).

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

const (
	// backKept is how long a device remembers that a value was taken back: longer
	// than another may be away and come back with it.
	backKept = 100 * 24 * time.Hour
	// maxSettingName bounds a name, and maxSettingAt a time: the year 9999.
	maxSettingName = 128
	maxSettingAt   = 253402300799999
)

func settingName(name string) string { return vault.Name("shared", b64([]byte(name))) }

// later reports whether a value takes the place of another. Of two that were set
// in the same millisecond all devices choose the same.
func (v *setting) later(known setting) bool {
	return cmp.Or(cmp.Compare(v.At, known.At), bytes.Compare(v.Value, known.Value), cmp.Compare(v.Until, known.Until)) > 0
}

// putSetting keeps a value, and does what follows from it here.
func (s *step) putSetting(v setting) error {
	if v.Until != 0 && v.Until <= s.c.now().Unix() {
		v.Value, v.Until = nil, 0
	}
	until := v.Until
	if len(v.Value) == 0 {
		until = s.c.now().Add(backKept).Unix()
	}
	s.putUntil(settingName(v.Name), v, until)
	if v.Name == receiptsSetting {
		return s.forgetAllOwing()
	}
	return nil
}

// shareSetting keeps a value on all devices of the account until it ends. An
// empty value takes it back.
func (s *step) shareSetting(name string, value []byte, until int64) error {
	known, err := s.sharedValue(name)
	if err != nil || bytes.Equal(known.Value, value) && known.Until == until {
		return err
	}
	v := setting{Name: name, Value: value, At: max(s.c.now().UnixMilli(), known.At+1), Until: until}
	if err := s.putSetting(v); err != nil {
		return err
	}
	if s.tellSoon(v) {
		return nil
	}
	return s.shareValue(v)
}

// heardSetting takes in what another device of the account has set, unless
// something newer is here.
func (s *step) heardSetting(v setting) error {
	if len(v.Name) > maxSettingName || v.At > maxSettingAt {
		return nil
	}
	known, err := s.sharedValue(v.Name)
	if err != nil || !v.later(known) {
		return err
	}
	return s.putSetting(v)
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
