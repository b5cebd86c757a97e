package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hearth/wire"
)

// failure is how an error stands on stdout under --json.
type failure struct {
	Error failureBody `json:"error"`
}

type failureBody struct {
	Code    wire.Code `json:"code"`
	Message string    `json:"message"`
	Next    string    `json:"next"`
}

// fail says what went wrong and what to do next.
func (a *app) fail(err error) {
	e := asError(err)
	if a.json {
		// Encoding three strings can't fail; a stdout that is gone can't be told.
		line, _ := json.Marshal(failure{failureBody{Code: e.Code, Message: e.Message, Next: e.Next}})
		fmt.Fprintf(a.out, "%s\n", line)
		return
	}
	fmt.Fprintln(a.err, sentence(e.Message))
	if e.Next != "" {
		fmt.Fprintln(a.err, sentence(e.Next))
	}
}

// sentence makes an error's words start and end as a sentence does.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsAny(s[len(s)-1:], ".?") {
		s += "."
	}
	return s
}

// asError gives any error a code of the contract and a next step.
func asError(err error) *wire.Error {
	var e *wire.Error
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return wire.Errorf(wire.DiskFull, "the disk is full").WithNext(nextFor(wire.DiskFull))
	case errors.As(err, &e):
		if e.Next == "" {
			e = e.WithNext(nextFor(e.Code))
		}
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return wire.Errorf(wire.Unreachable, "there was no answer in time").WithNext(nextFor(wire.Unreachable))
	case errors.Is(err, context.Canceled):
		return wire.Errorf(wire.Internal, "stopped before it was done").WithNext("run the command again")
	case errors.Is(err, fs.ErrPermission):
		return wire.Errorf(wire.Denied, "the folder can't be read or written").WithNext("check who owns it")
	}
	return wire.Errorf(wire.Internal, "%w", err).WithNext(nextFor(wire.Internal))
}

// nextFor returns the next step for an error that names none.
func nextFor(c wire.Code) string {
	switch c {
	case wire.BadInput:
		return "see hearth help"
	case wire.Unreachable:
		return "check the address and your connection, then try again"
	case wire.WrongServer:
		return "check the address with whoever gave it to you"
	case wire.Taken:
		return "choose another name"
	case wire.HomeInUse:
		return "wait for the other hearth command to end, or stop hearth daemon"
	case wire.NotFound:
		return "check how it is written"
	case wire.Denied:
		return "ask whoever gave it to you for a new one"
	case wire.Locked:
		return "unlock it first"
	case wire.Damaged:
		return "move the folder aside and keep it; register again, or put a copy of it back"
	case wire.DiskFull:
		return "free some space, then run the command again; nothing you wrote is lost"
	case wire.Stale:
		return "run the command again"
	case wire.Full:
		return "wait a while, then try again"
	case wire.Unsupported:
		return "see hearth help for what is there"
	}
	return "run the command again; if it stays, report it"
}

// flagError says which flag was wrong, and which one it might have been.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		name := unknown.GetSpecifiedName()
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := nearest(name, names); near != "" {
			return wire.Errorf(wire.BadInput, "there is no flag --%s in %s", name, cmd.CommandPath()).WithNext("did you mean --" + near + "?")
		}
		return wire.Errorf(wire.BadInput, "there is no flag --%s in %s", name, cmd.CommandPath()).WithNext("see " + cmd.CommandPath() + " --help")
	}
	return wire.Errorf(wire.BadInput, "%w", err).WithNext("see " + cmd.CommandPath() + " --help")
}

// needsSubcommand is what a command does that only holds others: show them, or
// say that the word after it is not one of them.
func needsSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	e := wire.Errorf(wire.BadInput, "there is no command %s %s", cmd.CommandPath(), args[0])
	if near := nearest(args[0], names); near != "" {
		return e.WithNext("did you mean " + cmd.CommandPath() + " " + near + "?")
	}
	return e.WithNext("see " + cmd.CommandPath() + " --help")
}

// exactly returns a check for the number of words after a command; what names
// them for people.
func exactly(n int, what string) cobra.PositionalArgs {
	return between(n, n, what)
}

// atLeast is exactly with no upper end.
func atLeast(n int, what string) cobra.PositionalArgs { return between(n, -1, what) }

func between(low, high int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= low && (high < 0 || len(args) <= high) {
			return nil
		}
		if what == "" {
			what = "nothing more"
		}
		return wire.Errorf(wire.BadInput, "%s takes %s", cmd.CommandPath(), what).WithNext("see " + cmd.CommandPath() + " --help")
	}
}

// nearest returns the name closest to word, "" if none is close: at most a
// third of its letters differ, and two at least may.
func nearest(word string, names []string) string {
	best, at := "", max(2, len(word)/3)+1
	for _, n := range names {
		if d := distance(word, n); d < at {
			best, at = n, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace between a and b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
