package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) inviteCommand() *cobra.Command {
	var p rpc.InviteParams
	cmd := &cobra.Command{
		Use:   "invite",
		Short: "Make a link with which people reach you",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var i core.Invitation
			if err := a.call(cmd.Context(), "invite", p, &i); err != nil {
				return err
			}
			return show(a, i, linkWords)
		},
	}
	linkFlags(cmd, &p.Uses, &p.Expire)
	cmd.AddCommand(a.inviteRevokeCommand())
	return cmd
}

func (a *app) inviteRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke LINK",
		Short: "Take a link back, to you or into a group",
		Args:  exactly(1, "one LINK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var i core.Invitation
			if err := a.call(cmd.Context(), "invite.revoke", rpc.LinkParams{Link: args[0]}, &i); err != nil {
				return err
			}
			return show(a, i, func(w io.Writer, _ core.Invitation) {
				fmt.Fprintln(w, "Taken back. It lets nobody in any more.")
			})
		},
	}
}

// linkWords shows a link and whom it lets in.
func linkWords(w io.Writer, i core.Invitation) {
	fmt.Fprintln(w, i.Link)
	who := "anybody who has it"
	if i.Uses > 0 {
		who = quantity(i.Uses, "person", "people")
	}
	end := ""
	if i.Expires != nil {
		end = ", until " + when(*i.Expires)
	}
	fmt.Fprintf(w, "It lets in %s%s. Give it only to whom you mean.\n", who, end)
}

// linkFlags bound a link.
func linkFlags(cmd *cobra.Command, uses *int, expire *string) {
	cmd.Flags().IntVar(uses, "uses", 0, "how many people may use it (default no limit)")
	cmd.Flags().StringVar(expire, "expire", "", "when it ends, such as 7d (default never)")
}
