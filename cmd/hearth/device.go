package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

func (a *app) deviceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "device", Short: "Link and remove your devices", Args: cobra.ArbitraryArgs, RunE: needsSubcommand}
	cmd.AddCommand(a.deviceListCommand(), a.deviceLinkCommand(), a.deviceConfirmCommand(), a.deviceRefuseCommand(), a.deviceRevokeCommand())
	return cmd
}

func (a *app) deviceListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List your devices",
		Args:  exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printList(a, cmd, "device.list", rpc.None{}, func(d core.Device) error { return show(a, d, deviceWords) })
		},
	}
}

func deviceWords(w io.Writer, d core.Device) {
	name := firstOf(word(d.Name), "A device without a name")
	if d.Current {
		name += " (this one)"
	}
	fmt.Fprintln(w, name)
	added := ""
	if d.Added != nil {
		added = when(*d.Added)
	}
	facts(w, "device", d.Device, "since", added)
}

func (a *app) deviceLinkCommand() *cobra.Command {
	var name string
	var yes bool
	cmd := &cobra.Command{
		Use:   "link [CODE]",
		Short: "Make a code on a device that you have, or use it on a new one",
		Long: "Without CODE, on a device that you have: show a code and a picture for the new device, then ask whether to link it.\n" +
			"With CODE, on the new device, in a new home: ask to be linked.",
		Args: between(0, 1, "at most one CODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			as := passing
			s, err := a.connect(cmd.Context(), as)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				err = a.linkHere(cmd.Context(), s, args[0], name)
			} else {
				err = a.linkAnother(cmd.Context(), s, yes)
			}
			return errors.Join(err, s.close())
		},
	}
	host, _ := os.Hostname()
	cmd.Flags().StringVar(&name, "name", host, "what to call the new device")
	cmd.Flags().BoolVar(&yes, "yes", false, "link the device that asks without asking you")
	return cmd
}

// linkAnother shows a code, waits for the device that uses it, and asks.
func (a *app) linkAnother(ctx context.Context, s *session, yes bool) error {
	var code core.LinkCode
	if err := s.Call(ctx, "device.link", rpc.None{}, &code); err != nil {
		return err
	}
	err := show(a, code, func(w io.Writer, c core.LinkCode) {
		if picture, err := drawQR(c.Code); err == nil {
			fmt.Fprint(w, picture)
		}
		fmt.Fprintf(w, "On the new device, in a new home:\n\n  hearth device link %s\n\n", c.Code)
		fmt.Fprintf(w, "The code works once, until %s. Give it to nobody: whoever uses it, and whom you then let in, is you.\n", when(c.Expires))
	})
	if err != nil {
		return err
	}
	var asks core.LinkRequest
	if err := s.Call(ctx, "device.asked", rpc.None{}, &asks); err != nil {
		return err
	}
	err = show(a, asks, func(w io.Writer, r core.LinkRequest) {
		fmt.Fprintf(w, "%s asks to be linked. Its number: %s\n", firstOf(word(r.Name), "A device"), r.Number)
		fmt.Fprintf(w, "It would get %s.\n", r.Grants)
	})
	if err != nil {
		return err
	}
	if !yes && a.json {
		return nil // a program goes on with device confirm
	}
	if !yes {
		ok, asked := a.askYes("Is that the number on the new device, and do you want to link it? [y/N] ")
		switch {
		case !asked:
			return a.print("Nothing was linked. To link it all the same: hearth device confirm " + asks.ID + "\n")
		case !ok:
			if err := s.Call(ctx, "device.refuse", rpc.IDParams{ID: asks.ID}, nil); err != nil {
				return err
			}
			return a.print("Refused. The code is used up.\n")
		}
	}
	return a.confirm(ctx, s, asks.ID)
}

// confirm links a device and stays until it has everything.
func (a *app) confirm(ctx context.Context, s *session, id string) error {
	var d core.Device
	if err := s.Call(ctx, "device.confirm", rpc.IDParams{ID: id}, &d); err != nil {
		return err
	}
	if !a.json {
		if err := a.print("Linked. It is being put into your conversations and given what you still have…\n"); err != nil {
			return err
		}
	}
	if err := s.Call(ctx, "device.finish", rpc.IDParams{ID: id}, &d); err != nil {
		return err
	}
	return show(a, d, func(w io.Writer, d core.Device) {
		fmt.Fprintf(w, "%s has everything.\n", firstOf(word(d.Name), "The new device"))
		facts(w, "device", d.Device)
	})
}

// askYes asks a person. asked is false where nobody answers.
func (a *app) askYes(question string) (yes, asked bool) {
	fmt.Fprint(a.out, question)
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(a.out)
		return false, false
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, true
	}
	return false, true
}

// linkHere makes this home a device of the account that a code names.
func (a *app) linkHere(ctx context.Context, s *session, code, name string) error {
	var asked core.LinkPending
	if err := s.Call(ctx, "device.join", rpc.DeviceJoinParams{Code: code, Name: name}, &asked); err != nil {
		return err
	}
	err := show(a, asked, func(w io.Writer, p core.LinkPending) {
		fmt.Fprintf(w, "The number of this device: %s\nConfirm on the other device if it shows the same.\n", p.Number)
	})
	if err != nil {
		return err
	}
	var now core.LinkStatus
	for now.State != core.LinkReady {
		before := now
		if err := s.Call(ctx, "device.progress", rpc.DeviceProgressParams{Last: &before}, &now); err != nil {
			return err
		}
		if a.json || now.State == before.State && now.Rooms == before.Rooms {
			continue
		}
		switch now.State {
		case core.LinkRooms:
			a.note("Linked. Conversations: %d of %d", now.Rooms, now.Of)
		case core.LinkHistory:
			a.note("Conversations: %d of %d; what is still there is coming…", now.Rooms, now.Of)
		}
	}
	return show(a, now, func(w io.Writer, n core.LinkStatus) {
		fmt.Fprintf(w, "This device is yours now. You are %s.\n", word(firstOf(n.Handle, n.Account)))
		facts(w, "account", n.Account, "device", n.Device, "conversations", fmt.Sprint(n.Rooms))
	})
}

func (a *app) deviceConfirmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "confirm ID",
		Short: "Link the device that asks",
		Args:  exactly(1, "the ID of the device that asks"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.connect(cmd.Context(), passing)
			if err != nil {
				return err
			}
			return errors.Join(a.confirm(cmd.Context(), s, args[0]), s.close())
		},
	}
}

func (a *app) deviceRefuseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "refuse ID",
		Short: "Refuse the device that asks",
		Args:  exactly(1, "the ID of the device that asks"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.call(cmd.Context(), "device.refuse", rpc.IDParams{ID: args[0]}, nil); err != nil {
				return err
			}
			return show(a, core.Device{Device: args[0]}, func(w io.Writer, _ core.Device) { fmt.Fprintln(w, "Refused.") })
		},
	}
}

func (a *app) deviceRevokeCommand() *cobra.Command {
	var others bool
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "Take a device out of your account, or all but this one",
		Args:  between(0, 1, "the ID of a device, or --others"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == others {
				return wire.Errorf(wire.BadInput, "this takes the ID of a device, or --others for all but this one").
					WithNext("list them with: hearth device list")
			}
			var gone []core.Device
			if others {
				if err := a.call(cmd.Context(), "device.alone", rpc.None{}, &gone); err != nil {
					return err
				}
			} else {
				gone = make([]core.Device, 1)
				if err := a.call(cmd.Context(), "device.revoke", rpc.IDParams{ID: args[0]}, &gone[0]); err != nil {
					return err
				}
			}
			for _, d := range gone {
				if err := show(a, d, revokedWords); err != nil {
					return err
				}
			}
			if len(gone) == 0 {
				a.note("This is your only device.")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&others, "others", false, "all devices but this one")
	return cmd
}

func revokedWords(w io.Writer, d core.Device) {
	fmt.Fprintf(w, "%s is no device of yours any more.\n", firstOf(word(d.Name), "It"))
	fmt.Fprintln(w, "What it had received stays on it. Nothing new reaches it.")
}

// errQR says that a code is too long for a picture; the text is there all the
// same.
var errQR = wire.Errorf(wire.Full, "the code is too long for a picture")
