package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) detailsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "details ROOM ID",
		Short: "Show who has got and read a message, and when it ends",
		Args:  exactly(2, "ROOM and ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var d core.Details
			if err := a.call(cmd.Context(), "details", rpc.DetailsParams{Room: args[0], ID: args[1]}, &d); err != nil {
				return err
			}
			return show(a, d, a.detailWords)
		},
	}
}

func (a *app) detailWords(w io.Writer, d core.Details) {
	e := d.Message
	fmt.Fprintf(w, "%s: %s\n", word(firstOf(e.Nickname, e.From, e.Account)), a.newEventPrinter().said(e))
	ends := until(e.Expires)
	if e.AfterReading > 0 {
		ends = fmt.Sprintf("%s after it is read", quantity(int(e.AfterReading), "second", "seconds"))
	}
	edited := ""
	if e.Edited != nil {
		edited = when(*e.Edited)
	}
	facts(w, "sent", when(e.Sent), "edited", edited, "ends", ends, "state", e.State)
	for _, m := range append(e.Receipts, d.Waiting...) {
		who := word(firstOf(m.Nickname, m.Handle, m.Account))
		switch m.State {
		case core.StateDelivered:
			fmt.Fprintf(w, "  %s has got it, %s\n", who, when(m.At))
		case core.StateRead:
			fmt.Fprintf(w, "  %s has read it, %s\n", who, when(m.At))
		default:
			fmt.Fprintf(w, "  %s has not said\n", who)
		}
	}
}
