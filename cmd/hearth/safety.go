package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) safetyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "safety WHO",
		Short: "Show the number that you and someone share",
		Args:  exactly(1, "one WHO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s core.Safety
			if err := a.call(cmd.Context(), "safety", rpc.WhoParams{Who: args[0]}, &s); err != nil {
				return err
			}
			return show(a, s, safetyNumber)
		},
	}
}

func safetyNumber(w io.Writer, s core.Safety) {
	who := word(firstOf(s.Nickname, s.Handle, s.Account))
	fmt.Fprintf(w, "You and %s%s:\n", who, checked(s.Verified))
	digits := s.Safety
	for len(digits) > 0 {
		line := digits[:min(20, len(digits))]
		digits = digits[len(line):]
		var groups []string
		for len(line) > 0 {
			groups = append(groups, line[:min(5, len(line))])
			line = line[min(5, len(line)):]
		}
		fmt.Fprintf(w, "  %s\n", strings.Join(groups, " "))
	}
	fmt.Fprintf(w, "Compare it when you meet. If theirs differs, wait with anything private.\n")
}
