package main

import (
	"strings"

	"github.com/spf13/cobra"

	"hearth/wire"
)

// later names the commands of the contract that a later version brings, and
// what each will do. They answer unsupported, whatever follows them.
var later = []struct{ name, short string }{
	{"report", "show messages to a moderator"},
	{"story", "share something for a day"},
	{"standing", "how the house sees your account"},
	{"audit", "see every byte held about you"},
	{"doctor", "check this device and its house"},
	{"top", "watch a server at work"},
	{"relay", "carry traffic for others"},
}

func laterCommands() []*cobra.Command {
	var list []*cobra.Command
	for _, l := range later {
		list = append(list, laterCommand(l.name, l.short))
	}
	return list
}

func laterCommand(name, short string) *cobra.Command {
	return &cobra.Command{
		Use:                name,
		Short:              strings.ToUpper(short[:1]) + short[1:] + " (comes with a later version)",
		Args:               cobra.ArbitraryArgs,
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
		RunE:               func(cmd *cobra.Command, _ []string) error { return unsupported(cmd.CommandPath()) },
	}
}

// unsupported is the answer to what a later version brings.
func unsupported(what string) error {
	return wire.Errorf(wire.Unsupported, "the command %s is not there yet", what).WithNext("it comes with a later version; see hearth help for what is there")
}
