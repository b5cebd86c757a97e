package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hearth/rpc"
	"hearth/server"
	"hearth/wire"
)

// adminClose asks to close every room of a server: it ends, or moves. An
// operator knows no single room, for none is tied to anybody.
type adminClose struct {
	Notice string `json:"notice"`
}

// adminClosed is what came of it.
type adminClosed struct {
	Rooms int       `json:"rooms"`
	From  time.Time `json:"from"` // the day from which they take no posts
}

func (a *app) adminCloseCommand() *cobra.Command {
	var data string
	var q adminClose
	cmd := &cobra.Command{
		Use:   "close",
		Short: "Close every conversation's room in your house; the people's devices move them elsewhere",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := askAdmin(cmd.Context(), data, adminRequest{Close: &q})
			if err != nil {
				return err
			}
			return show(a, answer.Closed, func(w io.Writer, c adminClosed) {
				fmt.Fprintf(w, "%s closed. From %s on they take nothing new; what is there stays until it ends.\n",
					quantity(c.Rooms, "room is", "rooms are"), c.From.Format("2 Jan 2006"))
			})
		},
	}
	cmd.Flags().StringVar(&data, "data", env("HEARTH_DATA", "./hearth-data"), "the folder of the server's data")
	cmd.Flags().StringVar(&q.Notice, "notice", "7d", "how long they go on, at least 7d")
	return cmd
}

// close closes the rooms of a server.
func (q adminClose) close(ctx context.Context, s *server.Server) (adminClosed, error) {
	notice, err := rpc.ParseDuration(q.Notice)
	if err != nil || notice <= 0 {
		return adminClosed{}, wire.Errorf(wire.BadInput, "%q is not a time span such as 7d", q.Notice)
	}
	n, err := s.CloseRooms(ctx, notice)
	return adminClosed{Rooms: n, From: time.Now().Add(notice + 24*time.Hour).UTC().Truncate(24 * time.Hour)}, err
}
