package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/hearthtest"
	"hearth/rpc"
)

var updateYear = flag.Bool("update", false, "write docs/transcripts anew")

const yearFile = "../../docs/transcripts/year.md"

// TestAPersonsYear lives through a year of one person's, by the command line, in a
// bubble where it passes in seconds. What is typed and printed is
// docs/transcripts/year.md.
func TestAPersonsYear(t *testing.T) {
	if os.Getenv("CI") != "true" && os.Getenv("HEARTH_FULL") == "" && !*updateYear {
		t.Skip("half a minute of work; make test has it")
	}
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	var y *year
	dir := t.TempDir()
	hearthtest.Run(t, func(w *hearthtest.World) {
		y = &year{t: w.T, w: w, dir: dir, homes: map[string]*hearthtest.Person{}, names: map[string]string{}}
		y.live()
	})
	got := y.steady(y.text.String())
	if t.Failed() {
		t.Fatal(got)
	}
	if *updateYear {
		if err := errors.Join(os.MkdirAll(filepath.Dir(yearFile), 0o755), os.WriteFile(yearFile, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(yearFile)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s tells another year. If that is meant: go test -run '^%s$' ./cmd/hearth -update\n%s", yearFile, t.Name(), difference(string(want), got))
	}
}

// difference shows where two texts part.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-3)
	return fmt.Sprintf("line %d, want:\n%s\ngot:\n%s", i+1,
		strings.Join(a[from:min(len(a), i+6)], "\n"), strings.Join(b[from:min(len(b), i+6)], "\n"))
}

// year is a story told by what is typed on some devices. Each of them runs
// hearth daemon, so that it is online between the commands.
type year struct {
	t     *testing.T
	w     *hearthtest.World
	dir   string
	homes map[string]*hearthtest.Person
	names map[string]string // what stands in the text for an id
	text  strings.Builder
	open  bool // within a block of what was typed

	direct, walks string // conversations
	words         string // the account's recovery words
}

// chapter begins a part on a day of the year, with a few words about it.
func (y *year) chapter(month time.Month, day int, title, words string) {
	y.t.Helper()
	at := time.Date(2000, month, day, 9, 0, 0, 0, time.UTC)
	if at.Before(time.Now()) {
		y.t.Fatalf("%s is over", at)
	}
	time.Sleep(time.Until(at))
	synctest.Wait()
	y.close()
	fmt.Fprintf(&y.text, "\n## %s: %s\n\n%s\n", at.Format("2 January"), title, words)
}

func (y *year) close() {
	if y.open {
		y.text.WriteString("```\n")
	}
	y.open = false
}

func (y *year) write(s string) {
	if !y.open {
		y.text.WriteString("\n```\n")
		y.open = true
	}
	y.text.WriteString(s)
}

// device is a new home, with nothing in it.
func (y *year) device(name string) {
	y.homes[name] = y.w.Stranger(name)
}

// run is one command on a device, as it is started by a person or a program.
func (y *year) run(ctx context.Context, device, in string, out *screen, args ...string) int {
	p := y.homes[device]
	a := &app{in: strings.NewReader(in), out: out, err: out,
		open: func(context.Context, string, *hold) (owned, error) {
			return running{rpc.Lockless(p.Client)}, nil
		},
		listen: func(string) (net.Listener, error) { return &nobody{closed: make(chan struct{})}, nil },
	}
	return a.run(ctx, append([]string{"--home", filepath.Join(y.dir, device)}, args...))
}

// types is what a person types on a device, at the next full minute.
func (y *year) types(device string, args ...string) {
	y.t.Helper()
	if code := y.tries(device, "", args...); code != 0 {
		y.t.Errorf("%s: hearth %v ended with %d", device, args, code)
	}
}

// tries is types with what the command asks for, and may fail.
func (y *year) tries(device, in string, args ...string) int {
	y.minute()
	var out screen
	code := y.run(y.w.T.Context(), device, in, &out, args...)
	y.shows(device, args, in, out.String())
	synctest.Wait()
	return code
}

// minute lets things come to rest until the next full minute, so that what is
// told later has the same time whenever the story is lived.
func (y *year) minute() {
	time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(2 * time.Minute)))
	synctest.Wait()
}

// asks is a command whose answer the story needs, and its reader not.
func (y *year) asks(device string, args ...string) []map[string]any {
	y.t.Helper()
	var out screen
	if code := y.run(y.w.T.Context(), device, "", &out, append(args, "--json")...); code != 0 {
		y.t.Fatalf("%s: hearth %v: %s", device, args, out.String())
	}
	var all []map[string]any
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "{") {
			all = append(all, object(y.t, line))
		}
	}
	return all
}

// shows writes a command and what it printed.
func (y *year) shows(device string, args []string, in, out string) {
	var typed []string
	for _, a := range args {
		if strings.ContainsAny(a, " '!?") {
			a = "\"" + a + "\""
		}
		typed = append(typed, a)
	}
	// What was typed stands where it was asked for.
	for _, asked := range []string{"[y/N] ", "The words:\n"} {
		out = strings.Replace(out, asked, asked+in, 1)
	}
	y.write(fmt.Sprintf("%s$ hearth %s\n%s", device, strings.Join(typed, " "), out))
}

var (
	anID      = regexp.MustCompile(`[A-Za-z0-9_-]+`)
	linkCode  = regexp.MustCompile(`hearth-device:\S+#[a-z0-9]+`)
	sixDigits = regexp.MustCompile(`\b\d{3} \d{3}\b`)
	phrase    = regexp.MustCompile(`(?m)^ *[a-z]+( [a-z]+){11,}$`)
	picture   = regexp.MustCompile(`(?m)(^\x1b.*\n)+`)
	receipt   = regexp.MustCompile(`(?m)^.* has got message .*\n|  \((delivered|read)\)`)
	with      = regexp.MustCompile(`(?m)^  with  .*$`)
	byItself  = regexp.MustCompile(`(?m)^(  \d+ \w+ )\d\d:\d\d(  (A device|This device|What) .*)$`)
	going     = regexp.MustCompile(`(?m)^(Linked\. )?Conversations: .*\n`)
)

// steady takes out of a text what is chance: ids get names; codes and words are
// left out, and so are receipts, and the minutes of what goes on by itself.
func (y *year) steady(s string) string {
	s = linkCode.ReplaceAllString(s, "hearth-device:https://home.example#…")
	s = sixDigits.ReplaceAllString(s, "NNN NNN")
	s = phrase.ReplaceAllStringFunc(s, func(w string) string { return fmt.Sprintf("  (her %d words)", len(strings.Fields(w))) })
	s = picture.ReplaceAllString(s, "(the code, as a picture)\n")
	s = receipt.ReplaceAllString(s, "")
	s = with.ReplaceAllStringFunc(s, func(line string) string { // in the order of their accounts
		head, people, _ := strings.Cut(line, "with  ")
		names := strings.Split(people, ", ")
		slices.Sort(names)
		return head + "with  " + strings.Join(names, ", ")
	})
	s = byItself.ReplaceAllString(s, "$1-----$2")
	s = strings.ReplaceAll(s, "after 61 minutes", "after 60 minutes")
	s = going.ReplaceAllString(s, "")
	return anID.ReplaceAllStringFunc(s, func(id string) string {
		if len(id) != 22 && len(id) != 43 {
			return id
		}
		if y.names[id] == "" {
			y.names[id] = fmt.Sprintf("ID-%d", len(y.names)+1)
		}
		return y.names[id]
	})
}

// name has an id that a command has printed stand in the text under a name.
func (y *year) name(id any, name string) string {
	y.names[id.(string)] = name
	return id.(string)
}

// screen is what a command prints to.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// running is a home whose client runs before and after the command.
type running struct{ rpc.Home }

func (running) Run(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
func (running) Close() error                  { return nil }

// nobody is a socket at which nobody knocks.
type nobody struct {
	closed chan struct{}
	once   sync.Once
}

func (n *nobody) Accept() (net.Conn, error) { <-n.closed; return nil, net.ErrClosed }
func (n *nobody) Close() error              { n.once.Do(func() { close(n.closed) }); return nil }
func (n *nobody) Addr() net.Addr            { return &net.UnixAddr{} }
