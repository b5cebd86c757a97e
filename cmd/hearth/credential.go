package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"hearth/core/lock"
	"hearth/rpc"
	"hearth/wire"
)

// What opens a home comes from a terminal, without being shown, from a file that
// is named, from the key file that the home knows, or as a line on standard
// input: never from the command line or the environment, where other programs
// read it.

// maxCredential bounds a file or a line that holds one, in bytes.
const maxCredential = 4096

// keyPrefix is how a key file begins; a file that is named holds either.
const keyPrefix = "hearth-key-"

// inSession carries out f in a session of the home. When the owner that it
// joined ends before it began, f is carried out again with the next.
func (a *app) inSession(ctx context.Context, f func(*session) error) error {
	for {
		s, err := a.connect(ctx, passing)
		if err != nil {
			return err
		}
		err = f(s)
		closed := s.close()
		switch {
		case errors.Is(err, rpc.ErrLeaving):
			continue
		case err != nil:
			return err
		}
		return closed
	}
}

// inside carries out f. If the home is locked and nobody else owns it, this
// process opens it for its own run, with what it was given, or asks a person.
func (a *app) inside(ctx context.Context, s *session, f func() error) error {
	if s.owner == nil {
		return f()
	}
	if err := a.unlockQuietly(ctx, s); err != nil {
		return err
	}
	err := f()
	if !errors.Is(err, lock.ErrLocked) {
		return err
	}
	if !a.mayAsk() {
		return lock.ErrLocked.WithNext("give the passphrase with --passphrase-file FILE; or start hearth daemon, and hearth unlock opens it for all commands")
	}
	if err := a.unlock(ctx, s, s.status()); err != nil {
		return err
	}
	return f()
}

// status says how the home stands that this process owns.
func (s *session) status() lock.Status {
	now, _ := s.owner.client.Watch()
	return now
}

// unlockQuietly opens a home that this process owns if nobody needs to be asked.
func (a *app) unlockQuietly(ctx context.Context, s *session) error {
	now := s.status()
	if !now.Locked || a.startLocked {
		return nil
	}
	if a.passphraseFile == "" {
		if now.KeyFile == "" {
			return nil
		}
		if _, err := os.Stat(now.KeyFile); err != nil {
			return nil // the stick isn't there
		}
	}
	return a.unlock(ctx, s, now)
}

// tries is how often a person may mistype.
const tries = 3

// unlock opens a home that is locked.
func (a *app) unlock(ctx context.Context, s *session, now lock.Status) error {
	for try := 1; ; try++ {
		c, err := a.credential(ctx, now)
		if err != nil {
			return err
		}
		err = s.Call(ctx, "unlock", c, nil)
		if err == nil {
			return nil
		}
		a.known = nil
		if !a.typed || try == tries || asError(err).Code != wire.Denied {
			return err
		}
		a.note("%s", sentence(asError(err).Message))
	}
}

// credential returns what opens the home. What was read once is not asked for
// again.
func (a *app) credential(ctx context.Context, now lock.Status) (c rpc.CredentialParams, err error) {
	if a.known != nil {
		return *a.known, nil
	}
	switch {
	case a.passphraseFile != "":
		c, err = a.fromFile(a.passphraseFile)
	case now.Protection == "key_file" && now.KeyFile != "":
		c, err = a.fromFile(now.KeyFile)
	case now.Protection == "key_file":
		err = wire.Errorf(wire.Locked, "a key file opens this home").WithNext("name it with --passphrase-file FILE")
	default:
		c.Passphrase, err = a.ask(ctx, "Passphrase: ")
	}
	if err == nil {
		a.known = &c
	}
	return c, err
}

// fromFile reads a passphrase, the first line, or a key file.
func (a *app) fromFile(name string) (c rpc.CredentialParams, err error) {
	if name == "-" {
		line, err := a.secretLine()
		if strings.HasPrefix(line, keyPrefix) {
			return rpc.CredentialParams{Key: line + "\n"}, err
		}
		return rpc.CredentialParams{Passphrase: line}, err
	}
	b, err := readSmall(name)
	if err != nil {
		return c, err
	}
	if strings.HasPrefix(string(b), keyPrefix) {
		return rpc.CredentialParams{Key: string(b)}, nil
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return c, errNoPassphrase
	}
	return rpc.CredentialParams{Passphrase: line}, nil
}

var errNoPassphrase = wire.Errorf(wire.BadInput, "there is no passphrase there").WithNext("write it in the first line")

// readSmall reads a file that holds a passphrase or a key.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, keyFileError(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCredential))
	if err != nil {
		return nil, keyFileError(err)
	}
	return b, nil
}

// newPassphrase reads the passphrase that the home shall have.
func (a *app) newPassphrase(ctx context.Context, from string) (string, error) {
	if from != "" {
		c, err := a.fromFile(from)
		return c.Passphrase, err
	}
	first, err := a.ask(ctx, "New passphrase: ")
	if err != nil || !a.typed {
		return first, err
	}
	again, err := a.ask(ctx, "The same again: ")
	if err == nil && again != first {
		err = wire.Errorf(wire.BadInput, "the two are not the same").WithNext("run the command again; nothing was changed")
	}
	return first, err
}

// mayAsk reports whether there is a person to ask.
func (a *app) mayAsk() bool {
	f, ok := a.in.(*os.File)
	return ok && !a.json && isTerminal(f)
}

// ask reads a passphrase from the person at the terminal, or a line from
// standard input.
func (a *app) ask(ctx context.Context, prompt string) (string, error) {
	f, ok := a.in.(*os.File)
	if !ok || !isTerminal(f) {
		return a.secretLine()
	}
	a.typed = true
	restore, err := hideTyping(f)
	if err != nil {
		return "", wire.Errorf(wire.Internal, "the terminal would show what you type: %w", err).WithNext("use --passphrase-file FILE")
	}
	defer restore()
	io.WriteString(a.err, prompt)
	defer io.WriteString(a.err, "\n")
	got := make(chan string, 1)
	failed := make(chan error, 1)
	go func() {
		line, err := a.secretLine()
		if err != nil {
			failed <- err
			return
		}
		got <- line
	}()
	select {
	case line := <-got:
		return line, nil
	case err := <-failed:
		return "", err
	case <-ctx.Done(): // the process ends, and the reader with it
		return "", ctx.Err()
	}
}

// secretLine reads one line of standard input.
func (a *app) secretLine() (string, error) {
	if a.lines == nil {
		a.lines = bufio.NewReaderSize(a.in, maxCredential)
	}
	b, err := a.lines.ReadSlice('\n')
	line := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", wire.Errorf(wire.BadInput, "that line is too long for a passphrase").WithNext("give the passphrase as one line")
	case line == "":
		return "", errNoPassphrase
	case err != nil && !errors.Is(err, io.EOF):
		return "", err
	}
	return line, nil
}
