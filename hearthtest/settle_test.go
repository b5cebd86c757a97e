package hearthtest

import (
	"net"
	"slices"
	"testing"
	"time"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

// ask calls a method as a command does and returns how long it took.
func (p *Person) ask(method string, params, result any) time.Duration {
	p.w.T.Helper()
	near, far := net.Pipe()
	client := rpc.NewClient(near)
	p.w.tasks.Go(func() { rpc.NewServer(p.Client).Serve(p.w.ctx, far) })
	p.w.tasks.Go(func() { client.Run(p.w.ctx) })
	defer near.Close()
	began := time.Now()
	if err := client.Call(p.w.ctx, method, params, result); err != nil {
		p.w.T.Errorf("%s: %s: %v", p.Name, method, err)
	}
	return time.Since(began)
}

// TestOldParcelsHoldNoCommandUp: an answer waits for a door that takes nothing.
// The command that gave it waits its ten seconds, those behind it don't, and
// once the door opens it goes by itself.
func TestOldParcelsHoldNoCommandUp(t *testing.T) {
	for name, shut := range map[string]func(w *World) (open func()){
		"its server is down": func(w *World) func() {
			w.Server("away").Stop()
			return w.Server("away").Start
		},
		"it is full": func(w *World) func() {
			return w.Net.Tamper(func(l *Link, d Direction, f wire.Frame) []wire.Frame {
				if l.Server != w.Server("away").URL || f.Op != wire.OpDoorPost || d != ToServer {
					return []wire.Frame{f}
				}
				full := wire.Errorf(wire.Full, "no room")
				l.Send(w.ctx, ToClient, wire.Frame{Op: wire.OpError, ID: f.ID, Body: wire.Encode(full)})
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			Run(t, func(w *World) {
				alice, carol := w.Person("alice"), w.Person("carol")
				room := alice.Befriend(carol)
				bob := w.Stranger("bob")
				if _, err := bob.Client.Register(bob.Patience(), core.RegisterOptions{Name: "bob", Server: w.Server("away").URL}); err != nil {
					t.Fatal(err)
				}
				link, err := bob.Client.Invite(bob.Patience(), 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				alice.ask("contact.add", rpc.ContactAddParams{Link: link.Link}, nil)
				w.Sleep(time.Minute)
				who, err := alice.Client.Whoami()
				if err != nil {
					t.Fatal(err)
				}
				g, err := bob.Client.GroupNew(bob.Patience(), "friends", []string{who.Account})
				if err != nil || len(g.Skipped) > 0 {
					t.Fatalf("group new: %v, %v", g.Skipped, err)
				}
				request := alice.Request()
				open := shut(w)

				if took := alice.ask("decline", rpc.IDParams{ID: request}, nil); took < rpc.SendWait {
					t.Errorf("decline ended after %v, before its answer was sent", took)
				}
				send := func(text string, most time.Duration) {
					t.Helper()
					var sent core.Sent
					if took := alice.ask("send", rpc.SendParams{To: room, Text: text}, &sent); took > most || sent.State != core.StateSent {
						t.Errorf("send took %v, want at most %v: %s", took, most, sent.State)
					}
				}
				send("in a daemon", 0)
				alice.Restart()
				send("in a process of its own", 2*time.Second)
				if took := alice.ask("invite", rpc.InviteParams{}, nil); took > 0 {
					t.Errorf("invite took %v", took)
				}

				open()
				w.Sleep(10 * time.Minute)
				if m := bob.Members(g.Room); slices.ContainsFunc(m, func(m core.Member) bool { return m.Account == who.Account }) {
					t.Error("the answer never arrived")
				}
			})
		})
	}
}
