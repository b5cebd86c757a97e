package core

import (
	"context"

	"hearth/core/vault"
)

// preferences are what the person has set for this home.
type preferences struct {
	_ struct{} `cbor:",toarray"`
	// NoReceipts: no receipts are sent, and none are heard. Both, because people
	// expect that who does not say what they have read is not told what others
	// have.
	NoReceipts bool
}

var preferencesName = vault.Name("settings")

func (s *step) preferences() (p preferences, err error) {
	_, err = s.get(preferencesName, &p)
	return p, err
}

// HomeSettings answers Configure.
type HomeSettings struct {
	Receipts bool `json:"receipts"`
}

// SettingsChange says what Configure changes; nil fields stay.
type SettingsChange struct {
	Receipts *bool
}

// Configure changes the home's settings, and returns them all.
func (c *Client) Configure(ctx context.Context, ch SettingsChange) (out HomeSettings, err error) {
	err = c.step(ctx, func(s *step) error {
		if _, err := s.me(); err != nil {
			return err
		}
		p, err := s.preferences()
		if err != nil {
			return err
		}
		if ch.Receipts != nil && *ch.Receipts == p.NoReceipts {
			p.NoReceipts = !*ch.Receipts
			s.put(preferencesName, p)
			if err := s.forgetAllOwing(); err != nil {
				return err
			}
		}
		out.Receipts = !p.NoReceipts
		return nil
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
