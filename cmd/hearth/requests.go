package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) requestsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "requests",
		Short: "Show who is at the door",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printList(a, cmd, "requests", rpc.None{}, func(r core.Request) error {
				return show(a, r, func(w io.Writer, r core.Request) {
					fmt.Fprintf(w, "%s  %s\n", when(r.Sent), atTheDoor(word(firstOf(r.Nickname, r.From, r.Account)), r.Kind, r.Name, r.Text))
					fmt.Fprintf(w, "    hearth accept %s\n", r.ID)
				})
			})
		},
	}
}

func (a *app) acceptCommand() *cobra.Command {
	return a.answerCommand("accept", "Let someone in, or come into a group")
}

func (a *app) declineCommand() *cobra.Command {
	return a.answerCommand("decline", "Leave someone outside")
}

func (a *app) answerCommand(method, short string) *cobra.Command {
	return &cobra.Command{
		Use:   method + " ID",
		Short: short,
		Args:  exactly(1, "the ID of a request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r core.Answered
			if err := a.call(cmd.Context(), method, rpc.IDParams{ID: args[0]}, &r); err != nil {
				return err
			}
			return show(a, r, func(w io.Writer, r core.Answered) {
				switch r.State {
				case "accepted":
					fmt.Fprintln(w, "Accepted. You can write to each other now.")
				case "expired":
					fmt.Fprintln(w, "It was open too long and has ended. Ask them to try again.")
				default:
					fmt.Fprintf(w, "%s\n", sentence(word(r.State)))
				}
				facts(w, "room", r.Room)
			})
		},
	}
}
