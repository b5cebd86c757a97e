package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) draftCommand() *cobra.Command {
	clear := false
	cmd := &cobra.Command{
		Use:   "draft TO [TEXT…]",
		Short: "Keep a text that is not to be sent yet, or show it",
		Long: "Keep a text that is not to be sent yet, or show it. All your devices have it, until\n" +
			"something is sent there, or as long as a message there would last.",
		Args: atLeast(1, "TO, and maybe TEXT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := rpc.DraftParams{To: args[0]}
			if len(args) > 1 || clear {
				text := strings.Join(args[1:], " ")
				p.Text = &text
			}
			if clear && len(args) > 1 {
				return wire.Errorf(wire.BadInput, "--clear takes the draft away").WithNext("give TEXT or --clear")
			}
			var d core.Draft
			if err := a.call(cmd.Context(), "draft", p, &d); err != nil {
				return err
			}
			return show(a, d, func(w io.Writer, d core.Draft) {
				if d.Text == "" {
					fmt.Fprintln(w, "There is no draft.")
					return
				}
				fmt.Fprintln(w, plain(d.Text))
				facts(w, "room", d.Room, "ends", until(d.Expires))
			})
		},
	}
	cmd.Flags().BoolVar(&clear, "clear", false, "take it away")
	return cmd
}
