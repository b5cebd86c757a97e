package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) typingCommand() *cobra.Command {
	var p rpc.TypingParams
	cmd := &cobra.Command{
		Use:   "typing ROOM",
		Short: "Tell those who are there that you are writing something",
		Args:  exactly(1, "one ROOM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Room = args[0]
			var t core.Told
			if err := a.call(cmd.Context(), "typing", p, &t); err != nil {
				return err
			}
			return show(a, t, func(w io.Writer, t core.Told) {
				if t.Told {
					fmt.Fprintln(w, "Told.")
				} else {
					fmt.Fprintln(w, "Nobody was told: it was just said, or you give no receipts there.")
				}
			})
		},
	}
	cmd.Flags().BoolVar(&p.Stopped, "stopped", false, "tell them that you have stopped")
	return cmd
}
