package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"hearth/wire"
)

func (a *app) serveCommand() *cobra.Command {
	var data, listen string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a house: the server",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.serve(cmd.Context(), data, listen)
		},
	}
	cmd.Flags().StringVar(&data, "data", "hearth-data", "the server's folder")
	cmd.Flags().StringVar(&listen, "listen", "localhost:8420", "the address to listen on")
	return cmd
}

func (a *app) serve(ctx context.Context, data, listen string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return wire.Errorf(wire.BadInput, "the address %s can't be listened on", listen).WithNext("choose another with --listen")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintf(a.out, "Hearth is at http://%s\n", l.Addr())
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
