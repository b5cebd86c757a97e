package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) groupCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "group", Short: "Talk with several people", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	cmd.AddCommand(
		a.groupNewCommand(),
		a.groupChangeCommand("add", "Ask people into a group", "Asked in"),
		a.groupChangeCommand("remove", "Take people out of a group", "Taken out"),
		a.groupRoleCommand(),
		a.groupTransferCommand(),
		a.groupLinkCommand(),
		a.groupJoinCommand(),
		a.groupLeaveCommand(),
		a.groupMoveCommand(),
		a.groupSetCommand(),
	)
	return cmd
}

func (a *app) groupNewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME WHO…",
		Short: "Begin a group",
		Args:  atLeast(2, "a NAME and WHO to ask in"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var g core.Group
			if err := a.call(cmd.Context(), "group.new", rpc.GroupNewParams{Name: args[0], Who: args[1:]}, &g); err != nil {
				return err
			}
			return show(a, g, func(w io.Writer, g core.Group) {
				fmt.Fprintf(w, "%s is there. Whoever you asked in joins when they accept.\n", word(g.Name))
				founder := ""
				for _, m := range g.Members {
					if m.Role == "owner" {
						founder = m.Account
					}
				}
				facts(w, "room", g.Room, "with", memberWords(g.Members, founder))
				skipped(w, g.Skipped)
			})
		},
	}
}

func (a *app) groupChangeCommand(name, short, done string) *cobra.Command {
	return &cobra.Command{
		Use:   name + " ROOM WHO…",
		Short: short,
		Args:  atLeast(2, "a ROOM and WHO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c core.Changed
			if err := a.call(cmd.Context(), "group."+name, rpc.GroupChangeParams{Room: args[0], Who: args[1:]}, &c); err != nil {
				return err
			}
			return show(a, c, func(w io.Writer, c core.Changed) {
				fmt.Fprintf(w, "%s: %s.\n", done, quantity(len(c.Changed), "person", "people"))
				skipped(w, c.Skipped)
			})
		},
	}
}

func (a *app) groupLeaveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "leave ROOM",
		Short: "Leave a group",
		Args:  exactly(1, "one ROOM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var l core.Left
			if err := a.call(cmd.Context(), "group.leave", rpc.RoomParams{Room: args[0]}, &l); err != nil {
				return err
			}
			return show(a, l, func(w io.Writer, l core.Left) {
				fmt.Fprintln(w, "You left. The others see it.")
				facts(w, "room", l.Room)
			})
		},
	}
}

func (a *app) groupSetCommand() *cobra.Command {
	var retention, name, traced string
	var limit int
	cmd := &cobra.Command{
		Use:   "set ROOM",
		Short: "Change how long messages last, how many people there may be, or the name",
		Args:  exactly(1, "one ROOM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := rpc.GroupSetParams{Room: args[0]}
			if cmd.Flags().Changed("retention") {
				p.Retention = &retention
			}
			if cmd.Flags().Changed("limit") {
				p.Limit = &limit
			}
			if cmd.Flags().Changed("name") {
				p.Name = &name
			}
			if cmd.Flags().Changed("traced") {
				on := traced == "on"
				if !on && traced != "off" {
					return wire.Errorf(wire.BadInput, "--traced is on or off")
				}
				p.Traced = &on
			}
			if p.Retention == nil && p.Limit == nil && p.Name == nil && p.Traced == nil {
				return wire.Errorf(wire.BadInput, "there is nothing to change").WithNext("give --retention, --limit, --name or --traced")
			}
			var s core.Settings
			if err := a.call(cmd.Context(), "group.set", p, &s); err != nil {
				return err
			}
			return show(a, s, func(w io.Writer, s core.Settings) {
				fmt.Fprintln(w, "Changed; everybody there sees it.")
				facts(w, "room", s.Room, "time", s.Retention, "people", fmt.Sprintf("%d at most", s.Limit))
				if s.Traced {
					fmt.Fprintln(w, "The house is shown which place each message comes from.")
				}
			})
		},
	}
	cmd.Flags().StringVar(&retention, "retention", "", "how long messages last: 1d, 7d, 30d, 1y or keep")
	cmd.Flags().IntVar(&limit, "limit", 0, "the most people in it")
	cmd.Flags().StringVar(&name, "name", "", "what it is called")
	cmd.Flags().StringVar(&traced, "traced", "", "on: the house is shown which place each message comes from, against somebody who floods; off: it is not")
	return cmd
}

// skipped says who could not be asked in or taken out, and why.
func skipped(w io.Writer, list []core.Skipped) {
	for _, s := range list {
		why := map[wire.Code]string{
			wire.NotFound:    "nobody is called that",
			wire.Unreachable: "their house does not answer",
			wire.Full:        "they have too many waiting at the door",
			wire.Denied:      "they can't be asked",
			wire.Taken:       "already there",
		}[wire.Code(s.Code)]
		later := ""
		if s.Retry {
			later = "; they are asked as soon as that passes"
		}
		fmt.Fprintf(w, "  not %s: %s%s\n", word(s.Handle), firstOf(why, word(s.Code)), later)
	}
}
