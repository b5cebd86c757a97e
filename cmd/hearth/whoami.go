package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show your account",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var me core.Identity
			if err := a.call(cmd.Context(), "whoami", rpc.None{}, &me); err != nil {
				return err
			}
			return show(a, me, func(w io.Writer, me core.Identity) {
				if me.Locked {
					fmt.Fprintln(w, "Locked. Who you are is inside.")
					return
				}
				fmt.Fprintf(w, "You are %s.\n", firstOf(word(me.Handle), me.Account))
				facts(w, "account", me.Account, "device", me.Device, "house", me.Server)
			})
		},
	}
}
