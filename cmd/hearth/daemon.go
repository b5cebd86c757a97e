package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"hearth/wire"
)

// lockedFlag is the name of the flag that has a daemon start locked.
const lockedFlag = "locked"

func (a *app) daemonCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Stay connected, so that other commands answer at once",
		Args:  exactly(0, ""),
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.daemon(cmd.Context()) },
	}
	cmd.Flags().BoolVar(&a.startLocked, lockedFlag, false, "start locked, and ask for no passphrase")
	return cmd
}

func (a *app) daemon(ctx context.Context) error {
	a.renews = a.renew != nil
	var err error
	if a.left, err = inherit(); err != nil {
		return err
	}
	s, err := a.connect(ctx, staying)
	if err != nil {
		return err
	}
	if s.owner == nil {
		return errors.Join(wire.Errorf(wire.HomeInUse, "another hearth stays in this home already").WithNext("use that one, or stop it first"), s.close())
	}
	if err := a.openForAll(ctx, s); err != nil {
		return errors.Join(err, s.close())
	}
	if s.status().Locked {
		a.note("This account is locked here. Open it with hearth unlock. Stop with Ctrl-C.")
	} else {
		a.note("Connected. Other commands come through here. Stop it with Ctrl-C.")
	}
	var locked <-chan struct{}
	if a.renews {
		locked = s.locked(ctx)
	}
	select {
	case <-ctx.Done():
	case err := <-s.owner.ran:
		s.owner.ran <- nil // close waits for it
		if err != nil && !errors.Is(err, context.Canceled) {
			return errors.Join(err, s.close())
		}
	case <-locked:
		left, err := s.owner.hold()
		if err == nil {
			err = s.close()
		}
		if err == nil {
			err = a.renew(left)
		}
		// It could not begin again: it ends, and what it held with it.
		return errors.Join(err, s.close())
	}
	return s.close()
}

// openForAll opens the home of a daemon, with what it was given or what a person
// types; else it stays locked, which is no error.
func (a *app) openForAll(ctx context.Context, s *session) error {
	if err := a.unlockQuietly(ctx, s); err != nil {
		return err
	}
	if now := s.status(); now.Locked && now.Protection == "passphrase" && !a.startLocked && a.mayAsk() {
		return a.unlock(ctx, s, now)
	}
	return nil
}

// locked returns a channel that is closed when a home that was open is locked.
func (s *session) locked(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		for wasOpen := false; ; {
			now, changed := s.owner.client.Watch()
			if now.Locked && wasOpen {
				close(done)
				return
			}
			wasOpen = !now.Locked
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return done
}
