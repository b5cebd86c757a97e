package main

import (
	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) historyCommand() *cobra.Command {
	var p rpc.HistoryParams
	var ids bool
	cmd := &cobra.Command{
		Use:   "history ROOM",
		Short: "Show what was said in a room",
		Args:  exactly(1, "one ROOM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Room = args[0]
			v := a.newEventPrinter()
			v.ids = ids
			return printList(a, cmd, "history", p, func(e core.Event) error { return show(a, e, v.words) })
		},
	}
	cmd.Flags().IntVar(&p.Limit, "limit", 0, "only the newest so many (default all)")
	cmd.Flags().BoolVar(&ids, "ids", false, "show each message's id, for edit, delete, react and --reply")
	return cmd
}

// printList asks for a list and prints each of its items; an empty one prints
// nothing.
func printList[T any](a *app, cmd *cobra.Command, method string, params any, print func(T) error) error {
	var l rpc.List[T]
	if err := a.call(cmd.Context(), method, params, &l); err != nil {
		return err
	}
	a.noteStale(l.Fresh)
	for _, v := range l.Items {
		if err := print(v); err != nil {
			return err
		}
	}
	return nil
}
