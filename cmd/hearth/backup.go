package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) backupCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "backup", Short: "Keep a copy only you can open", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	cmd.AddCommand(a.backupCreateCommand(), a.backupVerifyCommand(), a.backupRestoreCommand())
	return cmd
}

func (a *app) backupCreateCommand() *cobra.Command {
	var p rpc.BackupCreateParams
	cmd := &cobra.Command{
		Use:   "create [--to FILE|server]",
		Short: "Write a backup, or bring the last one up to date",
		Long: `Write a backup, or bring the last one up to date.

It holds your account, the people you know, your conversations and the messages
that have not ended; no keys of this device. What is in it ends with your
messages: copies of the file, too, for what opens its messages lies on your
house's server and is destroyed there in time. Only words open it: those that are
shown once, with the first backup, or those of your registration.`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if p.To, err = place(p.To); err != nil {
				return err
			}
			var b core.Backup
			if err := a.call(cmd.Context(), "backup.create", p, &b); err != nil {
				return err
			}
			return show(a, b, backupWords)
		},
	}
	cmd.Flags().StringVar(&p.To, "to", "", "the file, or server for your house (default: where the last one went)")
	return cmd
}

// place names a file in full, for the process that owns the home may be in
// another folder.
func place(name string) (string, error) {
	if name == "" || name == core.ServerPlace {
		return name, nil
	}
	return inFull(name)
}

// inFull names a file so that it is the same one from any folder.
func inFull(name string) (string, error) {
	full, err := filepath.Abs(name)
	if err != nil {
		return "", wire.Errorf(wire.BadInput, "the file can't be found: %w", err).WithNext("name it in full")
	}
	return full, nil
}

func backupWords(w io.Writer, b core.Backup) {
	fmt.Fprintf(w, "The backup is written: %s.\n", quantity(b.Items, "thing", "things"))
	facts(w, "in", word(b.To), "made", when(b.Made))
	if b.Phrase != "" {
		fmt.Fprintln(w, "Write these words on paper. They open the backup, and so do those of your registration. They are not shown a second time:")
		fmt.Fprintf(w, "  %s\n", b.Phrase)
	}
}

func (a *app) backupVerifyCommand() *cobra.Command {
	var p rpc.BackupReadParams
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Restore a backup for trial",
		Args:  between(0, 1, "at most one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				var err error
				if p.From, err = place(args[0]); err != nil {
					return err
				}
			}
			var r core.Restored
			if err := a.call(cmd.Context(), "backup.verify", p, &r); err != nil {
				return err
			}
			return show(a, r, func(w io.Writer, r core.Restored) {
				fmt.Fprintf(w, "The backup is good: %s.\n", quantity(r.Items, "thing", "things"))
				restoredFacts(w, r)
			})
		},
	}
	cmd.Flags().StringVar(&p.Words, "words", "", "the words that open it (a home opens its own without)")
	cmd.Flags().BoolVar(&p.Older, "older", false, "though a newer one was made")
	return cmd
}

func (a *app) backupRestoreCommand() *cobra.Command {
	var p rpc.BackupReadParams
	cmd := &cobra.Command{
		Use:   "restore FILE|server",
		Short: "Begin again on this device with a backup",
		Long: `Begin again on this device with a backup.

This home becomes a new device of your account. The words are asked for, or read
from standard input; those of your registration are enough. With the backup's own
words give those of your registration with --recovery: they let the device in.

If your devices are lost or stolen, give --revoke-others: they are taken out of
your account, whatever is done on them meanwhile.`,
		Args: between(1, 1, "a FILE, or server"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if p.From, err = place(args[0]); err != nil {
				return err
			}
			if p.Words == "" {
				a.note("The words:")
				if p.Words, err = a.line(); err != nil {
					return err
				}
			}
			var r core.Restored
			if err := a.call(cmd.Context(), "backup.restore", p, &r); err != nil {
				return err
			}
			return show(a, r, func(w io.Writer, r core.Restored) {
				fmt.Fprintf(w, "You are back: %s.\n", quantity(r.Items, "thing", "things"))
				restoredFacts(w, r)
				fmt.Fprint(w, "Your conversations let this device in again, one after another. ")
				if p.RevokeOthers {
					fmt.Fprintln(w, "It is the only device of your account now.")
				} else {
					fmt.Fprintln(w, "If you lost a device, take it out of your account.")
				}
			})
		},
	}
	cmd.Flags().StringVar(&p.Words, "words", "", "the words (others on this machine may see them: better let them be asked for)")
	cmd.Flags().StringVar(&p.Server, "server", "", "the address of the house that holds it, with server")
	cmd.Flags().StringVar(&p.Recovery, "recovery", "", "the words of your registration, with the backup's own")
	cmd.Flags().BoolVar(&p.Older, "older", false, "though a newer one was made")
	cmd.Flags().BoolVar(&p.RevokeOthers, "revoke-others", false, "take all your other devices out of the account")
	return cmd
}

// line reads one line of standard input.
func (a *app) line() (string, error) {
	s, err := a.secretLine()
	if s = strings.TrimSpace(s); s == "" {
		return "", wire.Errorf(wire.BadInput, "nothing was typed: %v", err).WithNext("type the words, or give them with --words")
	}
	return s, nil
}

func restoredFacts(w io.Writer, r core.Restored) {
	newest := map[string]string{"yes": "yes", "no": "no: a newer one was made", "unknown": "not known: the house can't be asked"}[r.Newest]
	facts(w, "of", firstOf(r.Handle, r.Account), "device", r.Device, "made", when(r.Made), "newest", newest)
	if r.Ended > 0 {
		fmt.Fprintln(w, "Some of its messages have ended since.")
	}
}
