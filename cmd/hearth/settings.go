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
	var receipts, timer string
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Show or change your settings, on all your devices",
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
			if cmd.Flags().Changed("retention") {
				p.Retention = &timer
			}
			var s core.AccountSettings
			if err := a.call(cmd.Context(), "settings", p, &s); err != nil {
				return err
			}
			return show(a, s, func(w io.Writer, s core.AccountSettings) {
				if s.Receipts {
					fmt.Fprintln(w, "In conversations of up to 8 people the others see what has reached you and what you have read, and you see the same of them.")
				} else {
					fmt.Fprintln(w, "Nobody sees what has reached you or what you have read, and you do not see it of them.")
				}
				fmt.Fprintf(w, "In the conversations that you begin, %s; whoever is in one may change that there.\n", endWords(s.Retention))
				if p.Retention != nil && s.Retention != "keep" {
					fmt.Fprintln(w, "In those that you come into from now on, they end no later than that on your devices.")
				}
				facts(w, "receipts", onOff(s.Receipts), "time", s.Retention)
			})
		},
	}
	cmd.Flags().StringVar(&receipts, "receipts", "", "whether others see what you have got and read, and you what they have: on or off")
	cmd.Flags().StringVar(&timer, "retention", "", "how long messages last in the conversations that you begin, and at most on your devices in those that you come into: 1d, 7d, 30d, 1y or keep")
	return cmd
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
