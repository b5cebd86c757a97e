package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"hearth/rpc"
	"hearth/server"
	"hearth/wire"
)

// An operator's commands act on the server's folder. While a server runs it
// alone may open that, so the commands ask it through a socket there.

func (a *app) adminCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "admin", Short: "Look after a house that you keep", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	cmd.AddCommand(a.adminInviteCommand(), a.adminCloseCommand())
	for _, l := range []struct{ name, short string }{
		{"account", "look after accounts"}, {"reports", "look at what was reported"},
	} {
		cmd.AddCommand(laterCommand(l.name, l.short))
	}
	return cmd
}

// adminInvitation is what hearth admin invite hands out.
type adminInvitation struct {
	Invite  string    `json:"invite"`
	Uses    int       `json:"uses"`
	Expires time.Time `json:"expires"` // to the day
}

// adminInvite asks for an invitation.
type adminInvite struct {
	Uses   int    `json:"uses"`
	Expire string `json:"expire"`
}

func (a *app) adminInviteCommand() *cobra.Command {
	var data string
	var q adminInvite
	cmd := &cobra.Command{
		Use:   "invite",
		Short: "Make an invitation to register in your house",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := askAdmin(cmd.Context(), data, adminRequest{Invite: &q})
			if err != nil {
				return err
			}
			return show(a, answer.Invitation, func(w io.Writer, i adminInvitation) {
				fmt.Fprintln(w, i.Invite)
				fmt.Fprintf(w, "It lets %s register, until %s: hearth register NAME --server URL --invite %s\n", quantity(i.Uses, "person", "people"), i.Expires.Format("2 Jan 2006"), i.Invite)
			})
		},
	}
	cmd.Flags().StringVar(&data, "data", env("HEARTH_DATA", "./hearth-data"), "the folder of the server's data")
	cmd.Flags().IntVar(&q.Uses, "uses", 1, "how many people may use it")
	cmd.Flags().StringVar(&q.Expire, "expire", "7d", "when it ends")
	return cmd
}

// invite makes an invitation on a server.
func (q adminInvite) invite(ctx context.Context, s *server.Server) (adminInvitation, error) {
	valid, err := rpc.ParseDuration(q.Expire)
	if err != nil || valid <= 0 {
		return adminInvitation{}, wire.Errorf(wire.BadInput, "%q is not a time span such as 7d", q.Expire)
	}
	if q.Uses < 1 {
		return adminInvitation{}, wire.Errorf(wire.BadInput, "an invitation has at least one use")
	}
	code, err := s.NewInvitation(ctx, q.Uses, valid)
	if err != nil {
		return adminInvitation{}, err
	}
	return adminInvitation{Invite: code, Uses: q.Uses, Expires: time.Now().Add(valid).UTC().Truncate(24 * time.Hour)}, nil
}

// adminRequest asks for one thing.
type adminRequest struct {
	Invite *adminInvite `json:"invite,omitempty"`
	Close  *adminClose  `json:"close,omitempty"`
}

// carryOut does what an operator asks for.
func (q adminRequest) carryOut(ctx context.Context, s *server.Server) (answer adminAnswer, err error) {
	switch {
	case q.Invite != nil:
		answer.Invitation, err = q.Invite.invite(ctx, s)
	case q.Close != nil:
		answer.Closed, err = q.Close.close(ctx, s)
	default:
		err = wire.Errorf(wire.Unsupported, "the running server is of another version").WithNext("restart it")
	}
	return answer, err
}

// askAdmin has a request carried out by the running server, or in the folder if
// none runs.
func askAdmin(ctx context.Context, data string, q adminRequest) (answer adminAnswer, err error) {
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		return answer, wire.Errorf(wire.NotFound, "there is no server's folder %s", data).WithNext("name it with --data DIR")
	}
	path, err := socketPath(data, adminSocket)
	if err != nil {
		return answer, err
	}
	conn, err := (&net.Dialer{Timeout: greetWait}).DialContext(ctx, "unix", path)
	if err != nil {
		lock, err := lockFolder(data)
		if err != nil {
			return answer, err
		}
		defer lock.Close()
		s, err := server.New(server.Config{Dir: data})
		if err != nil {
			return answer, err
		}
		answer, err = q.carryOut(ctx, s)
		return answer, errors.Join(err, s.Close())
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(dialWait))
	if err := errors.Join(json.NewEncoder(conn).Encode(q), json.NewDecoder(conn).Decode(&answer)); err != nil {
		return answer, fmt.Errorf("ask the running server: %w", err)
	}
	if e := answer.Error; e != nil {
		return answer, &wire.Error{Code: e.Code, Message: e.Message, Next: e.Next}
	}
	return answer, nil
}

// adminSocket is the name of the socket in a server's folder, through which its
// operator's commands ask it while it runs: one adminRequest, one adminAnswer.
// Whoever can open the folder is the operator.
const adminSocket = "admin"

type adminAnswer struct {
	Invitation adminInvitation `json:"invitation"`
	Closed     adminClosed     `json:"closed"`
	Error      *failureBody    `json:"error,omitempty"`
}

// serveAdmin answers an operator's commands until ctx ends, and closes l.
func serveAdmin(ctx context.Context, l net.Listener, s *server.Server) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for the operator: %w", err)
		}
		answerAdmin(ctx, conn, s) // one after another: there is one operator
	}
}

func answerAdmin(ctx context.Context, conn net.Conn, s *server.Server) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(greetWait))
	var q adminRequest
	var answer adminAnswer
	err := json.NewDecoder(io.LimitReader(conn, 4<<10)).Decode(&q)
	if err == nil {
		answer, err = q.carryOut(ctx, s)
	}
	if err != nil {
		e := asError(err)
		answer.Error = &failureBody{Code: e.Code, Message: e.Message, Next: e.Next}
	}
	json.NewEncoder(conn).Encode(answer) // whoever asked sees it when it is cut off
}
