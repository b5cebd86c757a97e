package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
)

func (a *app) roomsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rooms",
		Short: "List your conversations",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var me core.Identity
			if !a.json { // a person's list names the others
				if err := a.call(cmd.Context(), "whoami", rpc.None{}, &me); err != nil {
					return err
				}
			}
			apart := false // those put away come last
			return printList(a, cmd, "rooms", rpc.None{}, func(r core.Room) error {
				return show(a, r, func(w io.Writer, r core.Room) {
					if r.Archived && !apart {
						apart = true
						fmt.Fprintln(w, "Put away:")
					}
					roomWords(w, r, me.Account)
				})
			})
		},
	}
}

// roomWords lays out a conversation as one of its members sees it: a direct one
// has the other person's name.
func roomWords(w io.Writer, r core.Room, me string) {
	members := memberWords(r.Members, me)
	title := firstOf(word(r.Nickname), word(r.Name), members, "A conversation that nobody else is in")
	if r.Kind == core.KindSelf && r.Nickname == "" {
		title = "Yourself"
	}
	fmt.Fprintln(w, title)
	unread := ""
	if r.Unread > 0 {
		unread = fmt.Sprint(r.Unread)
	}
	if r.Mentions > 0 {
		unread += fmt.Sprintf(", %s", quantity(r.Mentions, "mentions you", "mention you"))
	}
	if title == members {
		members = ""
	}
	ends := endWords(r.Retention)
	if r.OwnRetention != "" {
		ends += ", on your devices after " + r.OwnRetention
	}
	state := map[string]string{
		core.RoomOutOfStep: "waiting for the others to bring you up to date",
		core.RoomLeft:      "you left",
		core.RoomRemoved:   "you were taken out",
	}[r.State]
	facts(w, "room", r.Room, "with", members, "you are", r.Role, "time", ends, "unread", unread, "calls", callWords(r.Notify), "writing", writerWords(r.Typing), "draft", word(r.Draft), "you set", standing(r.Pinned, r.Muted, r.Archived), "state", state)
}

// memberWords lists the people beside me by their names.
func memberWords(list []core.Member, me string) string {
	var names []string
	for _, m := range list {
		if m.Account == me {
			continue
		}
		name := word(firstOf(m.Nickname, m.Handle, m.Account))
		if m.State == "invited" {
			name += " (invited)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func writerWords(list []core.Writer) string {
	var names []string
	for _, w := range list {
		names = append(names, word(firstOf(w.Nickname, w.Handle, w.Account)))
	}
	return strings.Join(names, ", ")
}

// endWords says what a timer means.
func endWords(retention string) string {
	if retention == "keep" {
		return "messages are kept"
	}
	return "messages end after " + retention
}
