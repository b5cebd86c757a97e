package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) sendCommand() *cobra.Command {
	var p rpc.SendParams
	var file string
	cmd := &cobra.Command{
		Use:   "send TO TEXT…",
		Short: "Write to a person or a room; to your own name, a note",
		Args:  atLeast(1, "TO and TEXT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file != "" {
				var err error
				if p.File, err = inFull(file); err != nil {
					return err
				}
			} else if err := atLeast(2, "TO and TEXT")(cmd, args); err != nil {
				return err
			}
			p.To, p.Text = args[0], strings.Join(args[1:], " ")
			var s core.Sent
			if err := a.call(cmd.Context(), "send", p, &s); err != nil {
				return err
			}
			return show(a, s, func(w io.Writer, s core.Sent) {
				if s.State == core.StateSent {
					fmt.Fprintln(w, "Sent.")
				} else if p.File != "" {
					fmt.Fprintln(w, "The file is on its way. It goes on by itself the next time there is a connection; then the message is sent.")
				} else {
					fmt.Fprintln(w, "Waiting to send. It goes by itself the next time there is a connection.")
				}
				facts(w, "room", s.Room, "id", s.ID)
			})
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "a file to send along; then TEXT may be left out")
	cmd.Flags().BoolVar(&p.AsIs, "as-is", false, "send a picture with all that is hidden in it, such as where it was taken")
	cmd.Flags().BoolVar(&p.Once, "once", false, "let the file be gone once it was opened")
	cmd.Flags().StringVar(&p.Expire, "expire", "", "when it ends, such as 30s or 7d (default the room's)")
	cmd.Flags().BoolVar(&p.FromReading, "from-reading", false, "let --expire begin when it is read")
	cmd.Flags().BoolVar(&p.Format, "format", false, formatHelp)
	cmd.Flags().StringVar(&p.Reply, "reply", "", "the id of the message that this one answers")
	return cmd
}

// formatHelp has no backquotes: in a flag's help they would name its value.
const formatHelp = "read *bold*, _italic_, ~struck out~, code in backquotes, lines after > and @name in TEXT"
