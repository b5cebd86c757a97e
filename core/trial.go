package core

import (
	"context"
	"time"

	"hearth/core/vault"
)

// wakeSaving lets the weekly trial look at the time again.
func (c *Client) wakeSaving() {
	select {
	case c.saved <- struct{}{}:
	default:
	}
}

// trialEvery is how often a backup is restored for trial.
const trialEvery = 7 * 24 * time.Hour

// trials tries the last backup once a week, and says so if it fails.
func (c *Client) trials(ctx context.Context) {
	for {
		wait := trialEvery
		err := c.look(ctx, func(s *step) error {
			sv, err := s.savings()
			if err == nil && sv != nil {
				wait = time.Unix(max(sv.Made, sv.Tried), 0).Add(trialEvery).Sub(c.now())
			}
			return err
		})
		if err != nil {
			c.debug("looking for a backup to try failed", err)
		}
		t := time.NewTimer(max(wait, time.Second))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-c.saved:
			t.Stop()
			continue
		case <-t.C:
		}
		if wait > 0 {
			continue
		}
		_, why := c.BackupVerify(ctx, RestoreOptions{})
		if ctx.Err() != nil {
			return
		}
		if err := c.tried(ctx, why); err != nil {
			c.debug("saving a trial's result failed", err)
		}
	}
}

// NoticeBackup: the weekly trial restore of the backup failed.
const NoticeBackup = "backup_failed"

// homeNotices is the conversation in which a home speaks of itself.
var homeNotices = convID{0: 'h', 1: 'o', 2: 'm', 3: 'e'}

func (c *Client) tried(ctx context.Context, why error) error {
	return c.step(ctx, func(s *step) error {
		sv, err := s.savings()
		if err != nil || sv == nil {
			return err
		}
		sv.Tried, sv.Failed = s.c.now().Unix(), ""
		if why == nil {
			s.put(savingsName, sv)
			return nil
		}
		sv.Failed = string(code(why))
		s.put(savingsName, sv)
		cv, err := s.conv(homeNotices)
		if err != nil {
			return err
		}
		if cv == nil {
			cv = &conversation{ID: homeNotices, Kind: KindSelf}
		}
		return s.notice(cv, NoticeBackup, "The backup of this home could not be restored in a trial. Look at it with hearth backup verify, then make another.")
	})
}

// trialHome is an empty home in memory, which reaches only the blobs.
func (c *Client) trialHome(ctx context.Context) (*Client, error) {
	v, err := vault.Open(ctx, newMemoryDisk(), &memoryKey{})
	if err != nil {
		return nil, err
	}
	if err := v.Sweep(ctx, c.now(), nil); err != nil {
		return nil, err
	}
	return &Client{cfg: c.cfg, vault: v, crew: &crew{}, changed: make(chan struct{})}, nil
}
