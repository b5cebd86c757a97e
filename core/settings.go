package core

import (
	"context"
)

// What a person has set for the account: shared values, so that it holds on all
// of its devices.
const (
	receiptsSetting  = "receipts"  // on or off
	retentionSetting = "retention" // a timer, as people type it
)

const settingOn, settingOff = "on", "off"

// preferences are what the person has set.
type preferences struct {
	// NoReceipts: no receipts are sent, and none are heard. Both, because people
	// expect that who does not say what they have read is not told what others
	// have.
	NoReceipts bool
	// Retention is the timer of the conversations that this account begins,
	// seconds; 0: they are kept.
	Retention uint32
}

func (s *step) preferences() (preferences, error) {
	p := preferences{Retention: retention}
	receipts, err := s.setting(receiptsSetting)
	if err != nil {
		return p, err
	}
	p.NoReceipts = string(receipts) == settingOff
	if receipts == nil {
		// What the account wants is told with the history; until then a device
		// that was linked gives away nothing.
		if p.NoReceipts, err = s.halfLinked(); err != nil {
			return p, err
		}
	}
	timer, err := s.setting(retentionSetting)
	if err != nil || timer == nil {
		return p, err
	}
	if seconds, err := parseRetention(string(timer)); err == nil {
		p.Retention = seconds
	}
	return p, nil
}

// AccountSettings answers Configure.
type AccountSettings struct {
	Receipts bool `json:"receipts"`
	// Retention is the timer of the conversations that this account begins.
	Retention string `json:"retention"`
}

// SettingsChange says what Configure changes; nil fields stay.
type SettingsChange struct {
	Receipts  *bool
	Retention *string // as typed: 1d, 7d, 30d, 1y, keep
}

// Configure changes what is set for the account, on all of its devices, and
// returns all of it.
func (c *Client) Configure(ctx context.Context, ch SettingsChange) (out AccountSettings, err error) {
	var timer string
	if ch.Retention != nil {
		seconds, err := parseRetention(*ch.Retention)
		if err != nil {
			return out, err
		}
		timer = showRetention(seconds)
	}
	err = c.step(ctx, func(s *step) error {
		if _, err := s.me(); err != nil {
			return err
		}
		if ch.Receipts != nil {
			value := settingOff
			if *ch.Receipts {
				value = settingOn
			}
			if err := s.shareSetting(receiptsSetting, []byte(value), 0); err != nil {
				return err
			}
		}
		if ch.Retention != nil {
			if err := s.shareSetting(retentionSetting, []byte(timer), 0); err != nil {
				return err
			}
		}
		p, err := s.preferences()
		out.Receipts, out.Retention = !p.NoReceipts, showRetention(p.Retention)
		return err
	})
	return out, err
}

// forgetAllOwing drops what receipts would have said: off is off for what came
// before, too.
func (s *step) forgetAllOwing() error {
	return s.scan("receipt", func(_ string, b []byte) (bool, error) {
		o := new(owing)
		err := decodeRecord(b, o)
		if err == nil {
			s.forgetOwing(o)
		}
		return err == nil, err
	})
}
