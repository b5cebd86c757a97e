package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) arrangeCommand() *cobra.Command {
	var p rpc.ArrangeParams
	var name, timer, notify string
	cmd := &cobra.Command{
		Use:   "arrange TO",
		Short: "Give someone or a conversation a name of your own; pin, mute, put away",
		Long: "Give a person or a conversation a name of your own; pin it, mute it, put it away.\n" +
			"Only you see this, on all your devices. Without a flag it shows how things are.",
		Args: exactly(1, "one TO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.To = args[0]
			if cmd.Flags().Changed("name") {
				p.Nickname = &name
			}
			if cmd.Flags().Changed("retention") {
				p.Retention = &timer
			}
			if cmd.Flags().Changed("notify") {
				p.Notify = &notify
			}
			var r core.Arranged
			if err := a.call(cmd.Context(), "arrange", p, &r); err != nil {
				return err
			}
			return show(a, r, func(w io.Writer, r core.Arranged) {
				fmt.Fprintln(w, word(firstOf(r.Nickname, r.Handle, r.Account, r.Room)))
				ends := ""
				if r.Retention != "" {
					ends = "on your devices " + endWords(r.Retention) + " at the latest"
				}
				facts(w, "is", word(handleBeside(r.Nickname, r.Handle)), "account", r.Account, "room", r.Room, "calls", callWords(r.Notify),
					"you set", standing(r.Pinned, r.Muted, r.Archived), "time", ends)
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "what you call them; empty takes that back")
	cmd.Flags().StringVar(&timer, "retention", "", "how long messages stay on your devices, if that is shorter: 1d, 7d, 30d, 1y; room: as for all")
	cmd.Flags().StringVar(&notify, "notify", "", "what to call you for: all, mentions or nothing")
	onOffFlag(cmd, &p.Pinned, "pin", "list the conversation before others")
	onOffFlag(cmd, &p.Muted, "mute", "do not call you for what is said there, unless it mentions you")
	onOffFlag(cmd, &p.Archived, "archive", "list the conversation apart, after the others")
	return cmd
}

// callWords says what somebody is called for, where that is not everything.
func callWords(notify string) string {
	switch notify {
	case core.NotifyMentions:
		return "only what mentions you"
	case core.NotifyNothing:
		return "nothing"
	}
	return ""
}

// onOffFlag adds a flag that is on or off, and leaves alone what is not given.
func onOffFlag(cmd *cobra.Command, to **bool, name, usage string) {
	cmd.Flags().Func(name, usage+": on or off", func(s string) error {
		on := s == "on"
		if !on && s != "off" {
			return errors.New("it is on or off")
		}
		*to = &on
		return nil
	})
}

// standing says what was set for a conversation.
func standing(pinned, muted, archived bool) string {
	var is []string
	for _, k := range []struct {
		yes  bool
		word string
	}{{pinned, "pinned"}, {muted, "muted"}, {archived, "put away"}} {
		if k.yes {
			is = append(is, k.word)
		}
	}
	return strings.Join(is, ", ")
}

// handleBeside returns a handle where something else is shown before it.
func handleBeside(nickname, handle string) string {
	if nickname == "" {
		return ""
	}
	return handle
}

func (a *app) contactListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the people you know",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printList(a, cmd, "contacts", rpc.None{}, func(c core.Contact) error {
				return show(a, c, func(w io.Writer, c core.Contact) {
					blocked := ""
					if c.Blocked {
						blocked = "you do not hear from them"
					}
					fmt.Fprintf(w, "%s%s\n", word(firstOf(c.Nickname, c.Handle, c.Account)), checked(c.Verified))
					facts(w, "is", word(handleBeside(c.Nickname, c.Handle)), "account", c.Account, "blocked", blocked)
				})
			})
		},
	}
}
