package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"

	"hearth/identity"
	"hearth/store"
	"hearth/wire"
)

// createAccount registers an account (protocol §7). The signature is checked
// before any transaction.
func (s *Server) createAccount(ctx context.Context, q *wire.AccountCreate) error {
	if len(q.Entry) == 0 || len(q.Entry) > wire.MaxChainEntry {
		return errInput("a chain entry is empty or too large")
	}
	chain, err := identity.Verify([][]byte{q.Entry})
	if err != nil {
		return wire.Errorf(wire.BadInput, "the first chain entry is not valid: %w", err)
	}
	var name, skeleton string
	if q.Name != "" {
		if name, err = identity.ParseName(q.Name); err != nil || name != q.Name {
			return wire.Errorf(wire.BadInput, "that name cannot be a handle").WithNext("use 1 to 32 lower-case letters and digits of one script")
		}
		skeleton = identity.Skeleton(name)
	}
	var invitation *wire.SecretHash
	switch s.cfg.Registration {
	case Closed:
		return wire.Errorf(wire.Denied, "this server takes no new accounts").WithNext("ask its operator, or choose another server")
	case ByInvitation:
		h := inviteHash(q.Invite)
		invitation = &h
	}
	now := s.cfg.Now()
	if !s.created.take(s.cfg.Limits.Accounts, now) {
		return wire.ErrFull
	}
	err = s.accounts.Create(ctx, chain.Account(), q.Entry, name, skeleton, invitation, store.DayOf(now))
	if invitation != nil && errors.Is(err, wire.ErrDenied) {
		return wire.Errorf(wire.Denied, "the invitation does not open this server").WithNext("ask its operator for another")
	}
	return err
}

// appendAccount adds an entry to a chain. Entries follow the current head; one
// that the recovery key signed may follow an earlier entry and voids what the
// devices signed after it (protocol §7).
func (s *Server) appendAccount(ctx context.Context, q *wire.AccountAppend) error {
	if len(q.Entry) == 0 || len(q.Entry) > wire.MaxChainEntry {
		return errInput("a chain entry is empty or too large")
	}
	old, err := s.chain(ctx, q.Account)
	if err != nil {
		return err
	}
	if identity.Hash(sha256.Sum256(q.Entry)) == old.Head() {
		return nil // repeated
	}
	if !old.Contains(identity.Hash(q.Head)) {
		return wire.ErrStale
	}
	next, err := old.Append(q.Entry)
	switch {
	case errors.Is(err, identity.ErrNotNext):
		return wire.ErrStale
	case err != nil:
		return wire.Errorf(wire.BadInput, "the chain entry is not valid: %w", err)
	}
	entries := next.Entries()
	keep := common(old.Entries(), entries)
	if err := s.accounts.Replace(ctx, q.Account, wire.SecretHash(old.Head()), wire.SecretHash(next.Head()), keep, entries, next.Closed()); err != nil {
		return err
	}
	var dead [][]byte
	for _, d := range old.Devices() {
		if now, ok := next.Device(d.ID); !ok || !now.Live {
			dead = append(dead, d.ID[:])
		}
	}
	if len(dead) == 0 {
		return nil
	}
	return s.accounts.DropKnocks(ctx, q.Account, dead)
}

// common is how many entries both chains begin with.
func common(a, b [][]byte) int {
	n := 0
	for n < len(a) && n < len(b) && string(a[n]) == string(b[n]) {
		n++
	}
	return n
}

// chain reads and verifies a chain. An account that is not here is denied, as
// one that may not be changed is.
func (s *Server) chain(ctx context.Context, id wire.AccountID) (*identity.Chain, error) {
	entries, err := s.accounts.Chain(ctx, id)
	if errors.Is(err, wire.ErrNotFound) {
		return nil, wire.ErrDenied
	}
	if err != nil {
		return nil, err
	}
	return identity.VerifyFor(id, entries)
}

func (s *Server) getAccount(ctx context.Context, q *wire.AccountGet) (*wire.AccountRecord, error) {
	if (q.Name == "") == (q.Account == nil) {
		return nil, errInput("an account is asked for by its name or by its id")
	}
	acc, err := s.accounts.Get(ctx, q.Name, q.Account)
	if err != nil {
		return nil, err
	}
	return &wire.AccountRecord{Name: acc.Name, Chain: acc.Chain, Knocks: acc.Knocks}, nil
}

// setKnock sets a device's knock door. The connection's challenge is in what is
// signed, so that nothing can be replayed.
func (s *Server) setKnock(ctx context.Context, challenge []byte, q *wire.AccountKnock) error {
	if q.Knock != nil && (len(q.Knock.Key.Reveal()) == 0 || len(q.Knock.Sealing.Reveal()) == 0) {
		return errInput("a knock door lacks its keys")
	}
	chain, err := s.chain(ctx, q.Account)
	if err != nil {
		return err
	}
	if err := chain.VerifyKnock(challenge, *q); err != nil {
		return wire.ErrDenied
	}
	return s.accounts.SetKnock(ctx, q.Account, wire.SecretHash(chain.Head()), q.Device, q.Knock)
}

var inviteEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// newInviteCode returns a fresh code: 16 random bytes in base32, lower case.
func newInviteCode() string {
	var b [16]byte
	rand.Read(b[:])
	return strings.ToLower(inviteEncoding.EncodeToString(b[:]))
}

// inviteHash is what the directory keeps of a code. Codes are random, so a plain
// hash suffices.
func inviteHash(code string) wire.SecretHash {
	return sha256.Sum256([]byte("hearth operator invitation v1\x00" + strings.ToLower(strings.TrimSpace(code))))
}
