package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"hearth/core/lock"
	"hearth/core/vault"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) passphraseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "passphrase",
		Short: "Choose what opens your account on this device",
		Args:  cobra.ArbitraryArgs,
		RunE:  needsSubcommand,
	}
	cmd.AddCommand(a.passphraseSetCommand(), a.passphraseRemoveCommand())
	return cmd
}

func (a *app) passphraseSetCommand() *cobra.Command {
	var from, keyFile string
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Put your account behind a passphrase, or change it",
		Long: `Put your account on this device behind a passphrase, or change it. From then on the folder shows nothing to who
doesn't know it. It is never sent anywhere, and nobody can reset it.

It is asked for on a terminal, without showing it. Programs give it as a line on standard input (after a line with the
present one, if there is one), or name files with --passphrase-file and --new-passphrase-file.

With --key-file F a file opens the account in place of a passphrase: keep it on a stick. It is made if it is not there.`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			var s lock.Status
			err := a.inSession(ctx, func(in *session) error {
				return a.inside(ctx, in, func() error {
					p := rpc.PassphraseParams{}
					if err := in.Call(ctx, "lock.status", rpc.None{}, &s); err != nil {
						return err
					}
					if s.Locked {
						return lock.ErrLocked
					}
					if s.Protection != "none" {
						now, err := a.credential(ctx, s)
						if err != nil {
							return err
						}
						p.CurrentPassphrase, p.CurrentKey = now.Passphrase, now.Key
					}
					var err error
					if keyFile != "" {
						if from != "" {
							return wire.Errorf(wire.BadInput, "a passphrase or a key file, not both").WithNext("leave one of the two flags out")
						}
						p.Key, p.KeyFile, err = makeKeyFile(keyFile)
					} else {
						p.Passphrase, err = a.newPassphrase(ctx, from)
					}
					if err != nil {
						return err
					}
					return in.Call(ctx, "passphrase.set", p, &s)
				})
			})
			if err != nil {
				return err
			}
			return show(a, s, func(w io.Writer, s lock.Status) {
				fmt.Fprintln(w, "Your account here opens with that alone from now on. Nobody can reset it.")
				lockWords(w, s)
			})
		},
	}
	cmd.Flags().StringVar(&from, "new-passphrase-file", "", "a file that holds the new passphrase; - is standard input")
	cmd.Flags().StringVar(&keyFile, "key-file", "", "a file that opens the account in place of a passphrase")
	return cmd
}

func (a *app) passphraseRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove",
		Short: "Leave your account on this device open",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			var s lock.Status
			err := a.inSession(ctx, func(in *session) error {
				return a.inside(ctx, in, func() error {
					if err := in.Call(ctx, "lock.status", rpc.None{}, &s); err != nil || s.Protection == "none" {
						return err
					}
					if s.Locked {
						return lock.ErrLocked
					}
					now, err := a.credential(ctx, s)
					if err != nil {
						return err
					}
					return in.Call(ctx, "passphrase.remove", now, &s)
				})
			})
			if err != nil {
				return err
			}
			return show(a, s, lockWords)
		},
	}
}

// makeKeyFile reads a key file, or makes a new one, and returns its content and
// its full path. It is durable before anything depends on it.
func makeKeyFile(name string) (content, path string, err error) {
	path, err = filepath.Abs(name)
	if err != nil {
		return "", "", keyFileError(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		b, err := readSmall(path)
		if err != nil {
			return "", "", err
		}
		if _, err := vault.FromKeyFile(b); err != nil {
			return "", "", err
		}
		return string(b), path, nil
	}
	if err != nil {
		return "", "", keyFileError(err)
	}
	b := vault.NewKeyFile()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", "", keyFileError(errors.Join(err, os.Remove(path)))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", "", keyFileError(err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return "", "", keyFileError(err)
	}
	return string(b), path, nil
}

func keyFileError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return wire.Errorf(wire.BadInput, "the key file can't be used: %w", err).WithNext("check its path, and that the stick is there")
}
