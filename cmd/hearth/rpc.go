package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"hearth/wire"
)

func (a *app) rpcCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rpc",
		Short: "Let a program use this account: JSON-RPC 2.0, one message a line",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.connect(ctx, staying)
			if err != nil {
				return err
			}
			if s.owner != nil {
				if err := a.unlockQuietly(ctx, s); err != nil {
					return errors.Join(err, s.close())
				}
				err := s.owner.server.Serve(ctx, stdio{a.in, a.out})
				if ctx.Err() != nil {
					err = nil // asked to stop
				}
				if closed := s.close(); err == nil {
					err = closed
				}
				return err
			}
			if err := s.close(); err != nil {
				return err
			}
			return a.relay(ctx)
		},
	}
}

// relay carries lines between this program's streams and the home's owner.
func (a *app) relay(ctx context.Context) error {
	dir, err := a.homeDir()
	if err != nil {
		return err
	}
	conn, err := dialHome(ctx, dir, staying)
	if err != nil {
		return wire.Errorf(wire.HomeInUse, "the process that holds this account is ending: %w", err).WithNext("run hearth rpc again")
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	asked := make(chan error, 1)
	go func() {
		_, err := io.Copy(conn, a.in)
		asked <- err
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			half.CloseWrite() // the owner answers what was asked, then ends
		}
	}()
	_, err = io.Copy(a.out, conn)
	select {
	case <-asked: // nothing more was to be asked
		return err
	default:
	}
	if ctx.Err() != nil {
		return nil
	}
	return wire.Errorf(wire.HomeInUse, "the process that held this account has ended").WithNext("run hearth rpc again")
}

// stdio is the two streams as one.
type stdio struct {
	io.Reader
	io.Writer
}
