package hearthtest

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"hearth/core"
	"hearth/core/vault/vaulttest"
	"hearth/wire"
)

// Patience is how long, in the world's time, a person waits for something to
// arrive.
const Patience = 2 * time.Minute

// Person is somebody with one client.
type Person struct {
	Name   string
	Disk   *vaulttest.Memory
	Files  *vaulttest.Files
	Key    *vaulttest.Key
	Client *core.Client
	// Places are the person's own files, from the next Start on; nil: there are none.
	Places core.Places
	// Faults, if set before Start, stand between the client and its disk.
	Faults *vaulttest.Faults
	// Skew is how far the person's clock is ahead of the world's, from the next
	// Start on. Clock, if set, is that clock instead.
	Skew  time.Duration
	Clock func() time.Time

	w    *World
	stop context.CancelFunc
	done chan struct{}
	seen []core.Event // taken from the client, oldest first
	read int          // how many of seen an Expect has used
}

// Person returns the person of that name, registered on "home" under it if
// new.
func (w *World) Person(name string) *Person {
	w.T.Helper()
	return w.PersonAt(name, "home")
}

// PersonAt is Person with another home server.
func (w *World) PersonAt(name, server string) *Person {
	w.T.Helper()
	if p := w.people[name]; p != nil {
		return p
	}
	p := w.Stranger(name)
	if _, err := p.Client.Register(p.Patience(), core.RegisterOptions{Name: name, Server: w.Server(server).URL}); err != nil {
		w.T.Fatalf("%s registers: %v", name, err)
	}
	return p
}

// Stranger returns a new person with a started, unregistered client.
func (w *World) Stranger(name string) *Person {
	w.T.Helper()
	p := &Person{Name: name, Disk: &vaulttest.Memory{}, Files: &vaulttest.Files{}, Key: &vaulttest.Key{}, w: w}
	w.people[name] = p
	if err := p.Start(); err != nil {
		w.T.Fatalf("%s starts: %v", name, err)
	}
	return p
}

// Patience is a context that ends after Patience.
func (p *Person) Patience() context.Context {
	ctx, cancel := context.WithTimeout(p.w.ctx, Patience)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// Config is what the person's client is handed.
func (p *Person) Config() core.Config {
	cfg := core.Config{Disk: p.Disk, Files: p.Files, Key: p.Key, Places: p.Places, Dial: p.w.dial(p.Name), Blobs: p.w.blobs(p.Name)}
	if skew := p.Skew; skew != 0 {
		cfg.Now = func() time.Time { return time.Now().Add(skew) }
	}
	if p.Clock != nil {
		cfg.Now = p.Clock
	}
	if os.Getenv("HEARTH_WORLD_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(testWriter{p.w.T}, &slog.HandlerOptions{Level: slog.LevelDebug})).With("home", p.Name)
	}
	if p.Faults != nil {
		cfg.Disk, cfg.Key = p.Faults.Disk(p.Disk), p.Faults.Key(p.Key)
	}
	return cfg
}

// Start opens the client on the disk that the person has and lets it run.
func (p *Person) Start() error {
	ctx, cancel := context.WithCancel(p.w.ctx)
	c, err := core.Open(ctx, p.Config())
	if err != nil {
		cancel()
		return err
	}
	p.Client, p.stop, p.done = c, cancel, make(chan struct{})
	go func() {
		defer close(p.done)
		c.Run(ctx)
	}()
	return nil
}

// Stop ends the client; its disk stays.
func (p *Person) Stop() {
	if p.stop == nil {
		return
	}
	p.stop()
	<-p.done
	p.Client.Close()
	p.stop = nil
}

// Crash ends the client as a power cut does: nothing is put in order.
func (p *Person) Crash() {
	if p.stop == nil {
		return
	}
	p.stop()
	<-p.done
	p.stop = nil
}

// Restart stops and starts the client.
func (p *Person) Restart() {
	p.w.T.Helper()
	p.Stop()
	if err := p.Start(); err != nil {
		p.w.T.Fatalf("%s starts again: %v", p.Name, err)
	}
}

// LinkTo makes a new device, d, one of p's account. Once p has confirmed it, what
// is left goes on by itself; it is waited for within Patience.
func (p *Person) LinkTo(d *Person) error {
	code, err := p.Client.LinkDevice(p.Patience())
	if err != nil {
		return err
	}
	if _, err := d.Client.LinkJoin(d.Patience(), code.Code, d.Name); err != nil {
		return err
	}
	asked, err := p.Client.LinkAsked(p.Patience())
	if err != nil {
		return err
	}
	if _, err = p.Client.LinkConfirm(p.Patience(), asked.ID); err != nil {
		return err
	}
	var s core.LinkStatus
	for ctx := d.Patience(); s.State != core.LinkReady && ctx.Err() == nil; {
		if s, err = d.Client.LinkProgress(ctx, s); err != nil {
			break
		}
	}
	return nil
}

// Send sends and must succeed.
func (p *Person) Send(to, text string) core.Sent {
	p.w.T.Helper()
	s, err := p.TrySend(to, text)
	if err != nil {
		p.w.T.Fatalf("%s sends to %s: %v", p.Name, to, err)
	}
	if s.State != core.StateSent {
		p.w.T.Fatalf("%s sends to %s: still %s", p.Name, to, s.State)
	}
	return s
}

// TrySend sends within the command line's ten seconds.
func (p *Person) TrySend(to, text string) (core.Sent, error) {
	ctx, cancel := context.WithTimeout(p.w.ctx, 10*time.Second)
	defer cancel()
	return p.Client.Send(ctx, core.SendOptions{To: to, Text: text})
}

// collect takes events from the client until enough says so or patience ends.
func (p *Person) collect(patience time.Duration, enough func() bool) {
	if enough() {
		return
	}
	ctx, cancel := context.WithTimeout(p.w.ctx, patience)
	defer cancel()
	p.Client.Receive(ctx, func(e core.Event) error {
		p.seen = append(p.seen, e)
		if enough() {
			cancel()
		}
		return nil
	})
}

// Await returns the next unused event for which match holds, skipping others;
// it fails the test when none comes within Patience.
func (p *Person) Await(what string, match func(core.Event) bool) core.Event {
	p.w.T.Helper()
	if e, ok := p.TryAwait(Patience, match); ok {
		return e
	}
	p.w.T.Fatalf("%s waits for %s; came: %s", p.Name, what, describe(p.seen))
	return core.Event{}
}

// TryAwait is Await with a patience of its own and no failure.
func (p *Person) TryAwait(patience time.Duration, match func(core.Event) bool) (core.Event, bool) {
	found := -1
	p.collect(patience, func() bool {
		for i := p.read; i < len(p.seen) && found < 0; i++ {
			if match(p.seen[i]) {
				found = i
			}
		}
		return found >= 0
	})
	if found < 0 {
		return core.Event{}, false
	}
	p.read = found + 1
	return p.seen[found], true
}

// Expect waits for a message with this text.
func (p *Person) Expect(text string) core.Event {
	p.w.T.Helper()
	return p.Await("the message "+text, func(e core.Event) bool { return e.Type == core.EventMessage && e.Text == text })
}

// Seen returns every event so far, after taking what is there now.
func (p *Person) Seen() []core.Event {
	p.collect(time.Second, func() bool { return false })
	return p.seen
}

// Texts returns the texts of all messages so far, in order.
func (p *Person) Texts() []string {
	var texts []string
	for _, e := range p.Seen() {
		if e.Type == core.EventMessage {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// ExpectNever fails if a message with this text is, or comes, within d.
func (p *Person) ExpectNever(text string, d time.Duration) {
	p.w.T.Helper()
	p.collect(d, func() bool { return false })
	for _, e := range p.seen {
		if strings.Contains(e.Text, text) {
			p.w.T.Errorf("%s sees %q in a %s", p.Name, e.Text, e.Type)
		}
	}
}

// Request waits for a request and returns its id.
func (p *Person) Request() string {
	p.w.T.Helper()
	return p.Await("a request", func(e core.Event) bool { return e.Type == core.EventRequest }).ID
}

// Accept waits for a request and accepts it; it returns the conversation.
func (p *Person) Accept() string {
	p.w.T.Helper()
	a, err := p.Client.Accept(p.Patience(), p.Request())
	if err != nil {
		p.w.T.Fatalf("%s accepts: %v", p.Name, err)
	}
	return a.Room
}

// Befriend sends a first message and has it accepted; it returns the
// conversation of the two.
func (p *Person) Befriend(other *Person) string {
	p.w.T.Helper()
	p.Send(other.Name, "hello from "+p.Name)
	room := other.Accept()
	p.Await(other.Name+" joins", func(e core.Event) bool { return e.Type == core.EventJoined })
	return room
}

// Group founds a group of p and others, all of whom accept.
func (p *Person) Group(name string, others ...*Person) string {
	p.w.T.Helper()
	var who []string
	for _, o := range others {
		who = append(who, o.Name)
	}
	g, err := p.Client.GroupNew(p.Patience(), name, who)
	if err != nil || len(g.Skipped) > 0 {
		p.w.T.Fatalf("%s founds a group: %v, skipped %v", p.Name, err, g.Skipped)
	}
	for _, o := range others {
		o.Accept()
	}
	return g.Room
}

// Receipts switches receipts on or off.
func (p *Person) Receipts(on bool) {
	p.w.T.Helper()
	if _, err := p.Client.Configure(p.Patience(), core.SettingsChange{Receipts: &on}); err != nil {
		p.w.T.Fatalf("%s switches receipts: %v", p.Name, err)
	}
}

// Members returns the accounts that this person's client lists in a room.
func (p *Person) Members(room string) []core.Member {
	return p.Room(room).Members
}

// State returns the state of a conversation for this person.
func (p *Person) State(room string) string { return p.Room(room).State }

// Room returns a conversation as this person's client lists it.
func (p *Person) Room(room string) core.Room {
	p.w.T.Helper()
	rooms, err := p.Client.Rooms(p.Patience())
	if err != nil {
		p.w.T.Fatalf("%s lists rooms: %v", p.Name, err)
	}
	for _, r := range rooms {
		if r.Room == room {
			return r
		}
	}
	p.w.T.Fatalf("%s has no such room", p.Name)
	return core.Room{}
}

// describe lists events without ids.
func describe(events []core.Event) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString("\n  " + e.Type + " " + e.Text + e.Code + e.State)
	}
	return b.String()
}

// isCode reports whether err carries a code.
func isCode(err error, code wire.Code) bool {
	return errors.Is(err, &wire.Error{Code: code})
}
