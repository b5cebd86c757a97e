package main

import (
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) searchCommand() *cobra.Command {
	var p rpc.SearchParams
	cmd := &cobra.Command{
		Use:   "search WORDS…",
		Short: "Find messages, on this device alone",
		Long: "Find messages that hold all these words, or parts of words, in their text, their\n" +
			"sender's name or their group's. The newest come first. Nothing is asked of a server.",
		Args: atLeast(1, "WORDS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Words = strings.Join(args, " ")
			v := a.newEventPrinter()
			v.ids = true
			return printList(a, cmd, "search", p, func(e core.Event) error { return show(a, e, v.words) })
		},
	}
	cmd.Flags().StringVar(&p.Room, "room", "", "look in one room (default all)")
	cmd.Flags().IntVar(&p.Limit, "limit", 0, "at most so many (default 50)")
	return cmd
}
