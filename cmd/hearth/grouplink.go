package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) groupLinkCommand() *cobra.Command {
	var p rpc.GroupLinkParams
	cmd := &cobra.Command{
		Use:   "link ROOM",
		Short: "Make a link that leads into a group",
		Args:  exactly(1, "one ROOM"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Room = args[0]
			var i core.Invitation
			if err := a.call(cmd.Context(), "group.link", p, &i); err != nil {
				return err
			}
			return show(a, i, func(w io.Writer, i core.Invitation) {
				linkWords(w, i)
				if p.Approve {
					fmt.Fprintln(w, "Whoever follows it waits until you accept; see hearth requests.")
				}
			})
		},
	}
	linkFlags(cmd, &p.Uses, &p.Expire)
	cmd.Flags().BoolVar(&p.Approve, "approve", false, "ask me about each who follows it")
	return cmd
}

func (a *app) groupJoinCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "join LINK [TEXT…]",
		Short: "Follow a link into a group, with a word to whoever lets you in",
		Args:  atLeast(1, "a LINK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var j core.Joined
			if err := a.call(cmd.Context(), "group.join", rpc.GroupJoinParams{Link: args[0], Text: strings.Join(args[1:], " ")}, &j); err != nil {
				return err
			}
			return show(a, j, func(w io.Writer, j core.Joined) {
				if j.State == core.JoinAsked {
					fmt.Fprintln(w, "Asked. You are in as soon as somebody there lets you in.")
					return
				}
				fmt.Fprintf(w, "You are in %s.\n", word(j.Name))
				facts(w, "room", j.Room)
			})
		},
	}
}

func (a *app) groupRoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "role ROOM WHO owner|admin|member",
		Short: "Say what somebody may do in a group",
		Args:  exactly(3, "a ROOM, WHO and a role"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.roleCall(cmd, "group.role", rpc.GroupRoleParams{Room: args[0], Who: args[1], Role: args[2]})
		},
	}
}

func (a *app) groupTransferCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "transfer ROOM WHO",
		Short: "Hand a group over to somebody",
		Args:  exactly(2, "a ROOM and WHO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.roleCall(cmd, "group.transfer", rpc.GroupMemberParams{Room: args[0], Who: args[1]})
		},
	}
}

func (a *app) roleCall(cmd *cobra.Command, method string, params any) error {
	var m core.Member
	if err := a.call(cmd.Context(), method, params, &m); err != nil {
		return err
	}
	return show(a, m, func(w io.Writer, m core.Member) {
		fmt.Fprintf(w, "%s is %s now. Everybody there sees it.\n", word(firstOf(m.Handle, m.Account)), m.Role)
	})
}
