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

func (a *app) saveCommand() *cobra.Command {
	var p rpc.SaveParams
	var small bool
	cmd := &cobra.Command{
		Use:   "save ROOM ID",
		Short: "Write the file that a message brings",
		Long: `Write the file that a message brings: into this folder, under the name that its
sender gave it, made harmless. It is fetched first; cut short, it goes on where it
was the next time. What is written is yours, and does not end with the message.`,
		Args: exactly(2, "ROOM and ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Room, p.ID = args[0], args[1]
			var err error
			if p.To != "" {
				p.To, err = inFull(p.To)
			} else {
				p.Folder, err = os.Getwd()
			}
			if err != nil {
				return err
			}
			if small {
				return a.saveThumbnail(cmd, p)
			}
			var s core.Saved
			if err := a.call(cmd.Context(), "save", p, &s); err != nil {
				return err
			}
			return show(a, s, func(w io.Writer, s core.Saved) {
				fmt.Fprintf(w, "Saved, %s.\n", bytesInWords(s.Size))
				facts(w, "to", plain(s.To))
			})
		},
	}
	cmd.Flags().StringVar(&p.To, "to", "", "where to write it (default this folder, under the file's own name)")
	cmd.Flags().BoolVar(&small, "thumbnail", false, "write the small picture that came with it, to --to; nothing is fetched")
	return cmd
}

// saveThumbnail writes the small picture that came with a file.
func (a *app) saveThumbnail(cmd *cobra.Command, p rpc.SaveParams) error {
	if p.To == "" {
		return wire.Errorf(wire.BadInput, "where the small picture goes is missing").WithNext("name a file with --to FILE")
	}
	var t core.Thumbnail
	if err := a.call(cmd.Context(), "thumbnail", rpc.ThumbnailParams{Room: p.Room, ID: p.ID}, &t); err != nil {
		return err
	}
	err := places{}.Write(cmd.Context(), p.To, func(w io.Writer) error {
		_, err := w.Write(t.Data)
		return err
	})
	if err != nil {
		return err
	}
	return show(a, core.Saved{Room: p.Room, ID: p.ID, To: p.To, Size: uint64(len(t.Data))}, func(w io.Writer, s core.Saved) {
		fmt.Fprintf(w, "Saved, %s.\n", bytesInWords(s.Size))
		facts(w, "to", plain(s.To))
	})
}

// fileLine says what a message's file is, and how to get it.
func fileLine(e core.Event) string {
	f := e.File
	line := fmt.Sprintf("[%s, %s", plain(f.Name), bytesInWords(f.Size))
	switch f.State {
	case core.FileUploading:
		line += ", on its way up"
	case core.FilePartly:
		line += ", partly here"
	}
	line += "]"
	if f.State != core.FileUploading && e.State == "" {
		line += fmt.Sprintf("  hearth save %s %s", e.Room, e.ID)
	}
	return line
}

// bytesInWords says how large something is.
func bytesInWords(n uint64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}
