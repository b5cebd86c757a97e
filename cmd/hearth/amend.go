package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) editCommand() *cobra.Command {
	var p rpc.EditParams
	cmd := &cobra.Command{
		Use:   "edit ROOM ID TEXT…",
		Short: "Give a message of yours another text",
		Args:  atLeast(3, "ROOM, ID and TEXT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Room, p.ID, p.Text = args[0], args[1], strings.Join(args[2:], " ")
			return a.amend(cmd, "edit", p, "Changed.")
		},
	}
	cmd.Flags().BoolVar(&p.Format, "format", false, formatHelp)
	return cmd
}

func (a *app) deleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete ROOM ID",
		Short: "Take a message of yours away, on every device of everybody",
		Long: "Take a message of yours away, on every device of everybody. Hearth does so on all\n" +
			"devices that run it; what somebody has copied or photographed is theirs to delete.",
		Args: exactly(2, "ROOM and ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.amend(cmd, "delete", rpc.DeleteParams{Room: args[0], ID: args[1]}, "Deleted.")
		},
	}
}

func (a *app) reactCommand() *cobra.Command {
	var p rpc.ReactParams
	cmd := &cobra.Command{
		Use:   "react ROOM ID EMOJI",
		Short: "React to a message",
		Args:  exactly(3, "ROOM, ID and EMOJI"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Room, p.ID, p.Reaction = args[0], args[1], args[2]
			return a.amend(cmd, "react", p, "Sent.")
		},
	}
	cmd.Flags().BoolVar(&p.Remove, "remove", false, "take the reaction back")
	return cmd
}

func (a *app) forwardCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "forward ROOM ID TO",
		Short: "Send a message on to somebody else; the copy ends when it does",
		Args:  exactly(3, "ROOM, ID and TO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.amend(cmd, "forward", rpc.ForwardParams{Room: args[0], ID: args[1], To: args[2]}, "Sent.")
		},
	}
}

// amend says something of a message and prints how far that has come.
func (a *app) amend(cmd *cobra.Command, method string, params any, done string) error {
	var s core.Sent
	if err := a.call(cmd.Context(), method, params, &s); err != nil {
		return err
	}
	return show(a, s, func(w io.Writer, s core.Sent) {
		if s.State != core.StateSent {
			done = "Waiting to be sent. It goes by itself the next time there is a connection."
		}
		fmt.Fprintln(w, done)
	})
}
