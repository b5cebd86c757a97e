package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core/lock"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) lockCommand() *cobra.Command {
	var after string
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "Close your account on this device",
		Long: `Close your account on this device: nothing of it can be read, on disk or in memory, until you open it again with
hearth unlock. It needs a passphrase (hearth passphrase set).

Without hearth daemon an account with a passphrase is always closed: each command asks for it.`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s lock.Status
			var err error
			if cmd.Flags().Changed("after") {
				err = a.call(cmd.Context(), "lock.after", rpc.LockAfterParams{After: after}, &s)
			} else {
				err = a.callAsIs(cmd.Context(), "lock", rpc.None{}, &s)
			}
			if err != nil {
				return err
			}
			return show(a, s, lockWords)
		},
	}
	cmd.Flags().StringVar(&after, "after", "", "only say how long hearth daemon may be idle before it locks by itself, such as 15m; 0s is never")
	return cmd
}

func (a *app) unlockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unlock",
		Short: "Open your account on this device",
		Long: `Open your account in hearth daemon. The passphrase is asked for on a terminal, without showing it; programs give it as
a line on standard input, or name a file that holds it with --passphrase-file.`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			var s lock.Status
			err := a.inSession(ctx, func(in *session) error {
				if err := in.Call(ctx, "lock.status", rpc.None{}, &s); err != nil || !s.Locked {
					return err
				}
				if in.owner != nil {
					return wire.Errorf(wire.Locked, "no hearth stays here that could keep it open").
						WithNext("start hearth daemon, which asks for the passphrase; or give it to one command with --passphrase-file FILE")
				}
				return a.unlock(ctx, in, s)
			})
			if err != nil {
				return err
			}
			s.Locked = false
			return show(a, s, lockWords)
		},
	}
}

// lockWords says how a home stands.
func lockWords(w io.Writer, s lock.Status) {
	switch {
	case s.Locked:
		fmt.Fprintln(w, "Locked.")
	case s.Protection == "none":
		fmt.Fprintln(w, "Open. There is no passphrase.")
	default:
		fmt.Fprintln(w, "Open.")
	}
	opens := ""
	switch s.Protection {
	case "passphrase":
		opens = "a passphrase"
	case "key_file":
		opens = word(firstOf(s.KeyFile, "a key file"))
	}
	facts(w, "opens with", opens, "locks itself after", s.After)
}
