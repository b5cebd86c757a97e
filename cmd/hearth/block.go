package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) blockCommand() *cobra.Command {
	return a.blockingCommand("block", "Stop hearing from someone", "You no longer hear from them.")
}

func (a *app) unblockCommand() *cobra.Command {
	return a.blockingCommand("unblock", "Hear from someone again", "You hear from them again.")
}

func (a *app) blockingCommand(method, short, done string) *cobra.Command {
	return &cobra.Command{
		Use:   method + " WHO",
		Short: short,
		Args:  exactly(1, "one WHO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var b core.Blocking
			if err := a.call(cmd.Context(), method, rpc.WhoParams{Who: args[0]}, &b); err != nil {
				return err
			}
			return show(a, b, func(w io.Writer, b core.Blocking) {
				fmt.Fprintln(w, done)
				facts(w, "account", b.Account)
			})
		},
	}
}
