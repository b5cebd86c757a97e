package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) settingsCommand() *cobra.Command {
	var receipts string
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Show or change your settings",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var p rpc.SettingsParams
			if cmd.Flags().Changed("receipts") {
				on := receipts == "on"
				if !on && receipts != "off" {
					return wire.Errorf(wire.BadInput, "receipts are on or off").WithNext("give --receipts on or --receipts off")
				}
				p.Receipts = &on
			}
			var s core.HomeSettings
			if err := a.call(cmd.Context(), "settings", p, &s); err != nil {
				return err
			}
			return show(a, s, func(w io.Writer, s core.HomeSettings) {
				if s.Receipts {
					fmt.Fprintln(w, "In conversations of up to 8 people the others see what has reached you and what you have read, and you see the same of them.")
					facts(w, "receipts", "on")
				} else {
					fmt.Fprintln(w, "Nobody sees what has reached you or what you have read, and you do not see it of them.")
					facts(w, "receipts", "off")
				}
			})
		},
	}
	cmd.Flags().StringVar(&receipts, "receipts", "", "whether others see what you have got and read, and you what they have: on or off")
	return cmd
}
