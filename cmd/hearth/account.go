package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) accountCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "account", Short: "End your account", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	cmd.AddCommand(a.accountDeleteCommand())
	return cmd
}

// remains says what a deletion cannot take back.
const remains = `What remains: the house keeps your account's id, its list of devices and the
day it was made, so that nobody can take your place, and your public name, which
nobody else gets. What you sent stays with those you sent it to, until it ends
there. Backups and exports of yours lie where you put them.`

func (a *app) accountDeleteCommand() *cobra.Command {
	var p rpc.AccountDeleteParams
	cmd := &cobra.Command{
		Use:   "delete",
		Short: "Delete your account, on all your devices and for good",
		Long: `Delete your account, on all your devices and for good.

You leave every conversation, your account is closed, and this home is emptied.
To take your conversations with you, use hearth export first.

` + remains,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.Confirm == "" {
				a.note("This cannot be undone. %s\nType your name, or your account's id, to delete it:", remains)
				var err error
				if p.Confirm, err = a.line(); err != nil {
					return err
				}
			}
			var d core.Deleted
			if err := a.call(cmd.Context(), "account.delete", p, &d); err != nil {
				return err
			}
			return show(a, d, func(w io.Writer, d core.Deleted) {
				fmt.Fprintln(w, "Your account is deleted, and this home is empty. You may delete its folder.")
				if d.Left < d.Rooms {
					fmt.Fprintf(w, "%s could not be told now; the others there see it from your account.\n", quantity(d.Rooms-d.Left, "conversation", "conversations"))
				}
				fmt.Fprintln(w, remains)
			})
		},
	}
	cmd.Flags().StringVar(&p.Confirm, "confirm", "", "your name or account id, instead of being asked")
	return cmd
}
