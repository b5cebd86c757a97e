package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hearth/wire"
)

// Accounts is the directory: chains, public names, knock doors, and the
// operator's invitations. It holds public keys and what people chose to make
// public; it never names a room or a seat, knock doors excepted.
//
// Signatures are checked by the caller, outside of any transaction; every
// method here is one transaction, on disk when it returns nil.
type Accounts struct {
	db   *sql.DB
	step Step
}

// OpenAccounts opens the directory in dir. step is for tests; nil otherwise.
func OpenAccounts(ctx context.Context, dir string, step Step) (*Accounts, error) {
	if step == nil {
		step = plainStep
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, asWire(fmt.Errorf("make the data folder: %w", err))
	}
	db, err := openSQLite(ctx, filepath.Join(dir, "accounts.db"), 4, accountsSchema, accountsVersion)
	if err != nil {
		return nil, err
	}
	return &Accounts{db: db, step: step}, nil
}

// Close releases the database.
func (a *Accounts) Close() error { return a.db.Close() }

// Account is what the directory knows of one account.
type Account struct {
	ID    wire.AccountID
	Name  string // "" without a public name
	Chain [][]byte
	// Knocks are its knock doors, at most one a device.
	Knocks []wire.Knock
}

// Head identifies a chain's newest entry: the SHA-256 of its bytes.
type Head = wire.SecretHash

// inTx runs f in one write transaction.
func (a *Accounts) inTx(ctx context.Context, what string, f func(*sql.Tx) error) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return asWire(fmt.Errorf("%s: %w", what, err))
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return asWire(fmt.Errorf("%s: %w", what, err))
	}
	if err := a.step("accounts commit", tx.Commit); err != nil {
		return asWire(fmt.Errorf("%s: %w", what, err))
	}
	return nil
}

// Create adds an account with the first entry of its chain, and its name if it
// has one. The same account with the same name again is no error, and spends no
// invitation; a name in use, or one that looks like it, is ErrTaken. invitation,
// if not nil, is the hash of one that must have a use left on that day.
func (a *Accounts) Create(ctx context.Context, id wire.AccountID, entry []byte, name, skeleton string, invitation *wire.SecretHash, today Day) error {
	return a.inTx(ctx, "create an account", func(tx *sql.Tx) error {
		var has string
		err := tx.QueryRowContext(ctx, `SELECT name FROM accounts WHERE account = $1`, id[:]).Scan(&has)
		switch {
		case err == nil && has == name:
			return nil
		case err == nil:
			return wire.ErrTaken
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if name != "" {
			var n int
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM names WHERE name = $1 OR skeleton = $2`, name, skeleton).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				return wire.ErrTaken
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO names (name, skeleton, account) VALUES ($1, $2, $3)`, name, skeleton, id[:]); err != nil {
				return err
			}
		}
		if invitation != nil {
			if err := spend(ctx, tx, *invitation, today); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO accounts (account, head, length, made, name) VALUES ($1, $2, 1, $3, $4)`, id[:], id[:], today, name); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO chain (account, position, entry) VALUES ($1, 1, $2)`, id[:], entry)
		return err
	})
}

func spend(ctx context.Context, tx *sql.Tx, hash wire.SecretHash, today Day) error {
	res, err := tx.ExecContext(ctx, `UPDATE invitations SET uses = uses - 1 WHERE hash = $1 AND uses > 0 AND until >= $2`, hash[:], today)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(wire.ErrDenied, err)
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM invitations WHERE uses = 0 OR until < $1`, today)
	return err
}

// Invite adds an operator's invitation by its hash: uses accounts, through the
// day until.
func (a *Accounts) Invite(ctx context.Context, hash wire.SecretHash, uses int, until Day) error {
	return a.inTx(ctx, "add an invitation", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO invitations (hash, uses, until) VALUES ($1, $2, $3)
			ON CONFLICT (hash) DO UPDATE SET uses = excluded.uses, until = excluded.until`, hash[:], uses, until)
		return err
	})
}

// Chain returns an account's chain, or ErrNotFound.
func (a *Accounts) Chain(ctx context.Context, id wire.AccountID) ([][]byte, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT entry FROM chain WHERE account = $1 ORDER BY position`, id[:])
	if err != nil {
		return nil, asWire(fmt.Errorf("read a chain: %w", err))
	}
	defer rows.Close()
	var out [][]byte
	for rows.Next() {
		var e []byte
		if err := rows.Scan(&e); err != nil {
			return nil, asWire(fmt.Errorf("read a chain: %w", err))
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, asWire(fmt.Errorf("read a chain: %w", err))
	}
	if len(out) == 0 {
		return nil, wire.ErrNotFound
	}
	return out, nil
}

// Replace puts a chain that was verified in the place of the one with head old,
// keeping the entries that both begin with. Another head by now: ErrStale. A
// closed account loses its name's knock doors; the chain stays as a tombstone.
func (a *Accounts) Replace(ctx context.Context, id wire.AccountID, old, head Head, keep int, chain [][]byte, closed bool) error {
	return a.inTx(ctx, "append to a chain", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE accounts SET head = $1, length = $2 WHERE account = $3 AND head = $4`, head[:], len(chain), id[:], old[:])
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(wire.ErrStale, err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM chain WHERE account = $1 AND position > $2`, id[:], keep); err != nil {
			return err
		}
		for i := keep; i < len(chain); i++ {
			if _, err := tx.ExecContext(ctx, `INSERT INTO chain (account, position, entry) VALUES ($1, $2, $3)`, id[:], i+1, chain[i]); err != nil {
				return err
			}
		}
		if closed {
			_, err = tx.ExecContext(ctx, `DELETE FROM knocks WHERE account = $1`, id[:])
		}
		return err
	})
}

// Get returns an account with a public name, by that name or by its id. For all
// others the answer is ErrNotFound, as for one that does not exist.
func (a *Accounts) Get(ctx context.Context, name string, id *wire.AccountID) (*Account, error) {
	var raw []byte
	acc := &Account{}
	var err error
	if id != nil {
		err = a.db.QueryRowContext(ctx, `SELECT account, name FROM names WHERE account = $1`, id[:]).Scan(&raw, &acc.Name)
	} else {
		err = a.db.QueryRowContext(ctx, `SELECT account, name FROM names WHERE name = $1`, name).Scan(&raw, &acc.Name)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, wire.ErrNotFound
	}
	if err != nil {
		return nil, asWire(fmt.Errorf("look an account up: %w", err))
	}
	copy(acc.ID[:], raw)
	if acc.Chain, err = a.Chain(ctx, acc.ID); err != nil {
		return nil, err
	}
	rows, err := a.db.QueryContext(ctx, `SELECT door, key, sealing FROM knocks WHERE account = $1 ORDER BY device`, acc.ID[:])
	if err != nil {
		return nil, asWire(fmt.Errorf("read knock doors: %w", err))
	}
	defer rows.Close()
	for rows.Next() {
		var door, key, sealing []byte
		if err := rows.Scan(&door, &key, &sealing); err != nil {
			return nil, asWire(fmt.Errorf("read knock doors: %w", err))
		}
		acc.Knocks = append(acc.Knocks, wire.Knock{Door: wire.RoomID(door), Key: wire.SecretFrom(key), Sealing: wire.SecretFrom(sealing)})
	}
	return acc, rows.Err()
}

// SetKnock sets the knock door of an account's device, or takes it away. The
// chain must still have the head under which the device was found live, else
// ErrStale; an account without a name has no knock doors: ErrDenied.
func (a *Accounts) SetKnock(ctx context.Context, id wire.AccountID, head Head, device []byte, k *wire.Knock) error {
	return a.inTx(ctx, "set a knock door", func(tx *sql.Tx) error {
		var now []byte
		var name string
		if err := tx.QueryRowContext(ctx, `SELECT head, name FROM accounts WHERE account = $1`, id[:]).Scan(&now, &name); err != nil {
			return errors.Join(wire.ErrDenied, err)
		}
		if Head(now) != head {
			return wire.ErrStale
		}
		if k == nil {
			_, err := tx.ExecContext(ctx, `DELETE FROM knocks WHERE account = $1 AND device = $2`, id[:], device)
			return err
		}
		if name == "" {
			return wire.ErrDenied
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO knocks (account, device, door, key, sealing) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (account, device) DO UPDATE SET door = excluded.door, key = excluded.key, sealing = excluded.sealing`,
			id[:], device, k.Door[:], k.Key.Reveal(), k.Sealing.Reveal())
		return err
	})
}

// DropKnocks takes away the knock doors of devices that are no longer live.
func (a *Accounts) DropKnocks(ctx context.Context, id wire.AccountID, devices [][]byte) error {
	return a.inTx(ctx, "drop knock doors", func(tx *sql.Tx) error {
		for _, d := range devices {
			if _, err := tx.ExecContext(ctx, `DELETE FROM knocks WHERE account = $1 AND device = $2`, id[:], d); err != nil {
				return err
			}
		}
		return nil
	})
}
