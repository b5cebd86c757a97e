package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) registerCommand() *cobra.Command {
	var p rpc.RegisterParams
	cmd := &cobra.Command{
		Use:   "register [NAME] --server URL",
		Short: "Make your account in a house",
		Args:  between(0, 1, "at most one NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.Server == "" {
				return wire.Errorf(wire.BadInput, "the house is missing").WithNext("name it with --server URL, such as --server http://localhost:8420")
			}
			if len(args) == 1 {
				p.Name = args[0]
			}
			var r core.Registered
			if err := a.call(cmd.Context(), "register", p, &r); err != nil {
				return err
			}
			return show(a, r, registered)
		},
	}
	cmd.Flags().StringVar(&p.Server, "server", "", "the address of the house")
	cmd.Flags().StringVar(&p.Invite, "invite", "", "an invitation from whoever keeps the house, where one is asked for")
	return cmd
}

func registered(w io.Writer, r core.Registered) {
	if r.Handle == "" {
		fmt.Fprintln(w, "Your account is made. It has no name; people reach you by your account or a link.")
	} else {
		fmt.Fprintf(w, "You are %s.\n", word(r.Handle))
	}
	facts(w, "account", r.Account, "device", r.Device)
	fmt.Fprintln(w, "Write these words on paper. If you lose every device, they let you in again. They are not shown a second time:")
	fmt.Fprintf(w, "  %s\n", r.Recovery)
}
