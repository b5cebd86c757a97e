package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

// Commands for messages that hold something else than a text or a file.

func (a *app) pollCommand() *cobra.Command {
	var p rpc.PollParams
	cmd := &cobra.Command{
		Use:   "poll TO QUESTION OPTION OPTION…",
		Short: "Ask a person or a room a question; they answer with vote",
		Args:  atLeast(4, "TO, QUESTION and two OPTIONS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.To, p.Question, p.Options = args[0], args[1], args[2:]
			return a.say(cmd, "poll", p)
		},
	}
	cmd.Flags().BoolVar(&p.Multi, "multi", false, "let one person choose several")
	cmd.Flags().StringVar(&p.Expire, "expire", "", "when it ends with all votes, such as 7d (default the room's)")
	return cmd
}

func (a *app) voteCommand() *cobra.Command {
	var p rpc.VoteParams
	cmd := &cobra.Command{
		Use:   "vote ROOM ID [NUMBER…]",
		Short: "Answer a poll by the numbers of its options; none takes your vote back",
		Long:  "Answer a poll by the numbers of its options; none takes your vote back. Everybody\nin the room sees who has voted for what.",
		Args:  atLeast(2, "ROOM and ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Room, p.ID = args[0], args[1]
			for _, s := range args[2:] {
				n, err := strconv.Atoi(s)
				if err != nil {
					return wire.Errorf(wire.BadInput, "%q is not the number of an option", s).WithNext("give the numbers that the poll shows")
				}
				p.Choices = append(p.Choices, n)
			}
			return a.amend(cmd, "vote", p, "Sent.")
		},
	}
	cmd.Flags().BoolVar(&p.Close, "close", false, "close your own poll: no vote counts after that")
	return cmd
}

func (a *app) placeCommand() *cobra.Command {
	var p rpc.PlaceParams
	cmd := &cobra.Command{
		Use:   "place TO NORTH EAST",
		Short: "Show a place, in degrees north and east",
		Long:  "Show a place, in degrees north and east. South and west are negative: write -- before\nsuch a number, as in: hearth place bob 52.52 -- -13.405",
		Args:  exactly(3, "TO, NORTH and EAST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var bad error
			degrees := func(s string) float64 {
				f, err := strconv.ParseFloat(s, 64)
				if err != nil {
					bad = wire.Errorf(wire.BadInput, "%q is not a number of degrees", s).WithNext("write it like 52.52 or -13.405")
				}
				return f
			}
			p.To, p.Lat, p.Lon = args[0], degrees(args[1]), degrees(args[2])
			if bad != nil {
				return bad
			}
			return a.say(cmd, "place", p)
		},
	}
	cmd.Flags().StringVar(&p.Label, "label", "", "what is there")
	cmd.Flags().Uint32Var(&p.Accuracy, "accuracy", 0, "how many metres around it")
	cmd.Flags().StringVar(&p.Expire, "expire", "", "when it ends, such as 1h (default the room's)")
	return cmd
}

func (a *app) contactShareCommand() *cobra.Command {
	var p rpc.ContactShareParams
	cmd := &cobra.Command{
		Use:   "share TO [WHO]",
		Short: "Introduce somebody; without WHO yourself, with a link for one use",
		Args:  atLeast(1, "TO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 2 {
				return exactly(2, "TO and WHO")(cmd, args)
			}
			p.To = args[0]
			if len(args) == 2 {
				p.Who = args[1]
			}
			return a.say(cmd, "contact.share", p)
		},
	}
	cmd.Flags().StringVar(&p.Link, "link", "", "an invitation link that they gave you for this")
	cmd.Flags().StringVar(&p.Name, "name", "", "what they are called (default their handle)")
	return cmd
}

// say sends a message and prints how far it has come.
func (a *app) say(cmd *cobra.Command, method string, params any) error {
	var s core.Sent
	if err := a.call(cmd.Context(), method, params, &s); err != nil {
		return err
	}
	return show(a, s, sentWords)
}

func sentWords(w io.Writer, s core.Sent) {
	if s.State == core.StateSent {
		fmt.Fprintln(w, "Sent.")
	} else {
		fmt.Fprintln(w, "Waiting to send. It goes by itself the next time there is a connection.")
	}
	facts(w, "room", s.Room, "id", s.ID)
}

// holds lays out what a message holds, where that is more than its text.
func holds(w io.Writer, e core.Event) {
	if p := e.Poll; p != nil {
		for i, o := range p.Options {
			var names []string
			for _, v := range o.Voters {
				names = append(names, word(firstOf(v.Nickname, v.Handle, v.Account)))
			}
			fmt.Fprintf(w, "      %d. %s  %d  %s\n", i+1, word(o.Text), len(o.Voters), strings.Join(names, ", "))
		}
		if p.Closed {
			fmt.Fprintln(w, "      closed")
		}
	}
	if c := e.Contact; c != nil && !c.Known && c.Link != "" {
		fmt.Fprintf(w, "      hearth contact add %s\n", word(c.Link))
	}
}
