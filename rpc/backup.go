package rpc

import (
	"context"

	"hearth/core"
)

// BackupCreateParams are those of backup.create.
type BackupCreateParams struct {
	To string `json:"to,omitempty"` // a file, in full, or "server"; the last one's by default
}

func backupCreate(ctx context.Context, c Core, p BackupCreateParams) (core.Backup, error) {
	return c.BackupCreate(ctx, core.BackupOptions{To: p.To})
}

// BackupReadParams are those of backup.verify and backup.restore.
type BackupReadParams struct {
	From     string `json:"from,omitempty"`     // a file, in full, or "server"; to verify, the last one's by default
	Server   string `json:"server,omitempty"`   // the server's URL, with "server", where the home has no account
	Words    string `json:"words,omitempty"`    // what opens it; a home opens its own without
	Recovery string `json:"recovery,omitempty"` // the recovery key's, where words are the backup's own
	Older    bool   `json:"older,omitempty"`    // take one that is not the newest
	// RevokeOthers: to restore, take all other devices out of the account.
	RevokeOthers bool `json:"revoke_others,omitempty"`
}

func (p BackupReadParams) options() core.RestoreOptions {
	return core.RestoreOptions{From: p.From, Server: p.Server, Words: p.Words, Recovery: p.Recovery, Older: p.Older, RevokeOthers: p.RevokeOthers}
}

func backupVerify(ctx context.Context, c Core, p BackupReadParams) (core.Restored, error) {
	return c.BackupVerify(ctx, p.options())
}

func backupRestore(ctx context.Context, c Core, p BackupReadParams) (core.Restored, error) {
	if err := need("from", p.From); err != nil {
		return core.Restored{}, err
	}
	if err := need("words", p.Words); err != nil {
		return core.Restored{}, err
	}
	return c.BackupRestore(ctx, p.options())
}
