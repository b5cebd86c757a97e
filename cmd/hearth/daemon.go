package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"hearth/wire"
)

func (a *app) daemonCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "daemon",
		Short: "Stay connected, so that other commands answer at once",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.connect(ctx, staying)
			if err != nil {
				return err
			}
			if s.owner == nil {
				return errors.Join(wire.Errorf(wire.HomeInUse, "another hearth stays in this home already").WithNext("use that one, or stop it first"), s.close())
			}
			a.note("Connected. Other commands come through here. Stop it with Ctrl-C.")
			var ended error
			select {
			case <-ctx.Done():
			case ended = <-s.owner.ran:
				s.owner.ran <- nil // close waits for it
			}
			err = s.close()
			if ended != nil && !errors.Is(ended, context.Canceled) {
				return ended
			}
			return err
		},
	}
}
