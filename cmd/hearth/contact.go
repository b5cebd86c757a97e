package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) contactCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "contact", Short: "Keep the people you know", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	cmd.AddCommand(&cobra.Command{
		Use:   "add LINK",
		Short: "Follow someone's link",
		Args:  exactly(1, "one LINK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c core.Contact
			if err := a.call(cmd.Context(), "contact.add", rpc.ContactAddParams{Link: args[0]}, &c); err != nil {
				return err
			}
			return show(a, c, func(w io.Writer, c core.Contact) {
				fmt.Fprintf(w, "%s is among your contacts%s.\n", firstOf(word(firstOf(c.Nickname, c.Handle)), c.Account), checked(c.Verified))
				facts(w, "account", c.Account)
			})
		},
	})
	cmd.AddCommand(a.contactListCommand(), a.contactShareCommand())
	return cmd
}

// checked says whether a person was verified.
func checked(verified bool) string {
	if verified {
		return ", checked"
	}
	return ", not checked yet"
}
