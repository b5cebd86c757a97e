package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR",
		Short: "Write what is yours as plain files",
		Long: `Write what is yours as plain files: every conversation as lines of JSON and as
text, the people you know, your account without its keys. Nothing that has ended
is in it. The files are not protected, and nothing in them ends by itself.`,
		Args: exactly(1, "a DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := place(args[0])
			if err != nil {
				return err
			}
			if err := emptyFolder(to); err != nil {
				return err
			}
			var e core.Exported
			if err := a.call(cmd.Context(), "export", rpc.ExportParams{To: to}, &e); err != nil {
				return err
			}
			return show(a, e, func(w io.Writer, e core.Exported) {
				fmt.Fprintf(w, "Written: %s from %s.\n", quantity(e.Items, "line", "lines"), quantity(e.Rooms, "conversation", "conversations"))
				facts(w, "in", word(e.To))
				fmt.Fprintln(w, "These files are not protected, and nothing in them ends by itself. Delete what you don't need.")
			})
		},
	}
}

// emptyFolder makes a folder for one's own eyes, or finds an empty one.
func emptyFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return placeError("written", err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return placeError("written", err)
	}
	if len(list) > 0 {
		return wire.Errorf(wire.BadInput, "there is something in that folder already").WithNext("name a new one")
	}
	return nil
}
