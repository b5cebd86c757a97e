package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hearth/rpc"
	"hearth/wire"
)

// app is one run of the program: its streams and its global flags.
type app struct {
	in       io.Reader
	out, err io.Writer

	open opener // opens a home's client; a fake in tests
	// listen opens the socket through which others join; nil: one in the folder.
	listen func(dir string) (net.Listener, error)

	home string // --home, HEARTH_HOME, or where a person's data lies
	json bool   // --json: one object a line instead of words for people

	// What opens a locked home (credential.go).
	passphraseFile string // --passphrase-file
	startLocked    bool   // --locked: nothing is opened or asked for
	known          *rpc.CredentialParams
	typed          bool          // a person is at the terminal
	lines          *bufio.Reader // of in, once a line was read from it

	renew  func(hold) error // becomes a new, locked process; nil where there is none
	renews bool             // this is a daemon that does so when locked
	left   *hold            // what the image before this one left, until it is taken
}

// run carries out one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	// An error may come up before the flags are parsed; scripts get their JSON
	// all the same.
	flags := args
	if i := slices.Index(args, "--"); i >= 0 {
		flags = args[:i]
	}
	a.json = slices.Contains(flags, "--json")

	root := a.root()
	root.SetArgs(markIDs(args))
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	if err := root.ExecuteContext(ctx); err != nil {
		a.fail(err)
		return 1
	}
	return 0
}

// root returns the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "hearth",
		Short:         "Private messaging that people run themselves",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          needsSubcommand,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVar(&a.home, "home", "", "the folder of your account (default $HEARTH_HOME or ~/.hearth)")
	root.PersistentFlags().BoolVar(&a.json, "json", a.json, "one JSON object a line, for programs")
	root.PersistentFlags().StringVar(&a.passphraseFile, "passphrase-file", "", "a file with the passphrase of your account, or its key file; - is standard input")
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRun = unmarkIDs
	root.AddCommand(a.commands()...)
	root.AddCommand(laterCommands()...)
	return root
}

// idMark stands before an id that begins with a dash while flags are parsed; no
// argument of a process can hold it. One id in 64 looks like a flag.
const idMark = "\x00"

// dashedID is an id in base64url, of 16 or 32 bytes, that begins with a dash.
var dashedID = regexp.MustCompile(`^-([A-Za-z0-9_-]{21}|[A-Za-z0-9_-]{42})$`)

func markIDs(args []string) []string {
	marked := slices.Clone(args)
	for i, arg := range marked {
		if dashedID.MatchString(arg) {
			marked[i] = idMark + arg
		}
	}
	return marked
}

// unmarkIDs takes the marks out of a command's words and flags.
func unmarkIDs(cmd *cobra.Command, args []string) {
	for i := range args {
		args[i] = strings.TrimPrefix(args[i], idMark)
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if s, ok := strings.CutPrefix(f.Value.String(), idMark); ok {
			f.Value.Set(s) // a text flag, which takes any value
		}
	})
}

// commands lists what this version can do, one file each.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.registerCommand(), a.whoamiCommand(), a.safetyCommand(), a.settingsCommand(),
		a.inviteCommand(), a.contactCommand(), a.arrangeCommand(),
		a.sendCommand(), a.draftCommand(), a.editCommand(), a.deleteCommand(), a.reactCommand(), a.forwardCommand(), a.detailsCommand(), a.pollCommand(), a.voteCommand(), a.placeCommand(), a.typingCommand(), a.recvCommand(), a.historyCommand(), a.searchCommand(),
		a.saveCommand(),
		a.requestsCommand(), a.acceptCommand(), a.declineCommand(), a.blockCommand(), a.unblockCommand(),
		a.roomsCommand(), a.groupCommand(), a.deviceCommand(),
		a.backupCommand(), a.exportCommand(), a.accountCommand(),
		a.lockCommand(), a.unlockCommand(), a.passphraseCommand(),
		a.daemonCommand(), a.rpcCommand(),
		a.serveCommand(), a.adminCommand(), a.benchCommand(),
	}
}

// homeDir returns the folder of the account that this command is for.
func (a *app) homeDir() (string, error) {
	dir := a.home
	if dir == "" {
		dir = os.Getenv("HEARTH_HOME")
	}
	if dir == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return "", wire.Errorf(wire.BadInput, "there is no home folder to keep an account in: %w", err).WithNext("name one with --home DIR")
		}
		dir = filepath.Join(user, ".hearth")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", wire.Errorf(wire.BadInput, "the home folder can't be found: %w", err).WithNext("name it in full with --home DIR")
	}
	return abs, nil
}
