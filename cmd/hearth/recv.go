package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) recvCommand() *cobra.Command {
	var p rpc.ReceiveParams
	cmd := &cobra.Command{
		Use:   "recv",
		Short: "Show what has come; each thing once",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := a.newEventPrinter()
			r, err := a.receive(cmd.Context(), p, func(e core.Event) error { return show(a, e, v.words) })
			if p.Follow && errors.Is(err, context.Canceled) {
				return nil // stopped by the person: that is how it ends
			}
			if err != nil {
				return err
			}
			if !r.Fresh {
				return wire.Errorf(wire.Unreachable, "no connection; there may be more").WithNext("try again in a while")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&p.Wait, "wait", "", "how long to stay for what comes, such as 5s (default not at all)")
	cmd.Flags().BoolVar(&p.Follow, "follow", false, "stay until stopped")
	return cmd
}

// eventPrinter lays out events for people; it names a room when that changes.
type eventPrinter struct {
	room string
	ids  bool // show each message's id
	// styled: the terminal shows styles.
	styled bool
}

func (a *app) newEventPrinter() *eventPrinter { return &eventPrinter{styled: a.styled()} }

func (v *eventPrinter) words(w io.Writer, e core.Event) {
	if e.Room != "" && e.Room != v.room && e.Type != core.EventRequest {
		v.room = e.Room
		muted := ""
		if e.Muted {
			muted = "  (muted)"
		}
		fmt.Fprintf(w, "in %s%s\n", e.Room, muted)
	}
	who := word(firstOf(e.Nickname, e.From, e.Account))
	fmt.Fprintf(w, "  %s  ", when(e.Sent))
	switch e.Type {
	case core.EventMessage:
		switch {
		case e.File == nil || e.Deleted:
			fmt.Fprintf(w, "%s: %s%s\n", who, v.said(e), onItsWay(e.State))
		case e.Text == "":
			fmt.Fprintf(w, "%s: %s%s\n", who, fileLine(e), onItsWay(e.State))
		default:
			fmt.Fprintf(w, "%s: %s%s\n      %s\n", who, v.said(e), onItsWay(e.State), fileLine(e))
		}
		holds(w, e)
		for _, r := range e.Reactions {
			fmt.Fprintf(w, "      %s %s\n", plain(r.Reaction), word(firstOf(r.Nickname, r.Handle, r.Account)))
		}
		if v.ids {
			fmt.Fprintf(w, "      %s\n", e.ID)
		}
	case core.EventEdit:
		fmt.Fprintf(w, "%s changed a message to: %s\n", who, v.text(e))
	case core.EventDeletion:
		fmt.Fprintf(w, "%s deleted a message\n", who)
	case core.EventReaction:
		if e.Kind == core.ReactionTaken {
			fmt.Fprintf(w, "%s took %s back\n", who, plain(e.Text))
			break
		}
		fmt.Fprintf(w, "%s reacted with %s\n", who, plain(e.Text))
	case core.EventVote:
		switch {
		case e.Kind == core.VoteClosed:
			fmt.Fprintf(w, "%s closed a poll\n", who)
		case e.Text == "":
			fmt.Fprintf(w, "%s took a vote back\n", who)
		default:
			fmt.Fprintf(w, "%s voted for %s\n", who, plain(e.Text))
		}
	case core.EventRequest:
		fmt.Fprintln(w, atTheDoor(who, e.Kind, e.Name, e.Text))
		fmt.Fprintf(w, "    hearth accept %s\n", e.ID)
	case core.EventJoined:
		asked := ""
		if e.By != "" {
			asked = ", asked in by " + word(firstOf(e.ByNickname, e.By))
		}
		fmt.Fprintf(w, "%s joined%s\n", word(firstOf(e.Nickname, e.Who, who)), asked)
	case core.EventLeft:
		if e.By != "" {
			fmt.Fprintf(w, "%s took %s out\n", word(firstOf(e.ByNickname, e.By)), word(firstOf(e.Nickname, e.Who, who)))
			break
		}
		fmt.Fprintf(w, "%s is no longer here\n", word(firstOf(e.Nickname, e.Who, who)))
	case core.EventExpired:
		fmt.Fprintf(w, "message %s has ended\n", e.ID)
	case core.EventReceipt:
		fmt.Fprintf(w, "%s %s %s\n", who, receiptWords(e.State), e.ID)
	case core.EventNotice:
		fmt.Fprintf(w, "%s\n", plain(firstOf(e.Text, e.Code)))
	default: // of a newer version
		fmt.Fprintf(w, "%s %s\n", word(e.Type), plain(e.Text))
	}
}

// said is what a message says now.
func (v *eventPrinter) said(e core.Event) string {
	switch {
	case e.Deleted:
		return "(deleted)"
	case e.Forwarded:
		return v.text(e) + "  (forwarded)"
	case e.Edited != nil:
		return v.text(e) + "  (edited)"
	}
	return v.text(e)
}

// text is a message's text, with how it looks.
func (v *eventPrinter) text(e core.Event) string {
	if e.Poll != nil {
		return plain(e.Poll.Question) // its options follow
	}
	if len(e.Runs) > 0 {
		return runs(e.Runs, v.styled)
	}
	return plain(e.Text)
}

// onItsWay says how far an own message has come, where there is more to say than
// that it was sent.
func onItsWay(state string) string {
	switch state {
	case "", core.StateSent:
		return ""
	case core.StateQueued:
		return "  (waiting to be sent)"
	}
	return "  (" + word(state) + ")"
}

// receiptWords says what somebody did with a message.
func receiptWords(state string) string {
	switch state {
	case core.StateDelivered:
		return "has got message"
	case core.StateRead:
		return "has read message"
	}
	return word(state) // of a newer version
}

// atTheDoor says who asks to come in, with what.
func atTheDoor(who, kind, name, text string) string {
	said := ""
	if text != "" {
		said = ": " + plain(text)
	}
	if kind == core.KindJoin {
		return fmt.Sprintf("%s wants to come into %s%s", who, word(firstOf(name, "a group")), said)
	}
	if kind == core.KindGroup {
		return fmt.Sprintf("%s asks you into %s%s", who, word(firstOf(name, "a group")), said)
	}
	return fmt.Sprintf("%s is at the door%s", who, said)
}
