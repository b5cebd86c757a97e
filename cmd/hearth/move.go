package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) groupMoveCommand() *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use:   "move ROOM --server URL",
		Short: "Take a conversation to another house",
		Args:  exactly(1, "one ROOM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if server == "" {
				return wire.Errorf(wire.BadInput, "--server is missing").WithNext("name the house's address with --server URL")
			}
			var m core.Moved
			if err := a.call(cmd.Context(), "group.move", rpc.GroupMoveParams{Room: args[0], Server: server}, &m); err != nil {
				return err
			}
			return show(a, m, func(w io.Writer, m core.Moved) {
				if m.State == core.MoveDone {
					fmt.Fprintln(w, "Moved. The others follow by themselves.")
				} else {
					fmt.Fprintln(w, "It is on its way, and goes on by itself.")
				}
				facts(w, "room", m.Room, "house", m.Server)
			})
		},
	}
	cmd.Flags().StringVar(&server, "server", "", "the house's address")
	return cmd
}
