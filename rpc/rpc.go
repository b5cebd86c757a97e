// Package rpc is the one API of a Hearth client: JSON-RPC 2.0, one message a
// line, the same on stdio (hearth rpc), on a home's local socket, and between
// a page and its worker. The command line, a bot in any language, a gateway
// and the web app are all clients of it.
//
// It promises that a message is read strictly (unknown and repeated names are
// errors, a line has an upper length), that every error carries a code of the
// contract with a message and a next step, and that an event is marked as
// given out only after its receiver has said so. It holds no rule of its own:
// each method is one call of core.Client.
//
// Start with Core and the table in methods.go, then Server and Client.
package rpc

import (
	"context"
	"time"

	"hearth/core"
)

// Core is what the API needs of a client; *core.Client has it.
type Core interface {
	Register(ctx context.Context, o core.RegisterOptions) (core.Registered, error)
	Whoami() (core.Identity, error)
	Invite(ctx context.Context, uses int, expire time.Duration) (core.Invitation, error)
	Revoke(ctx context.Context, link string) (core.Invitation, error)
	AddContact(ctx context.Context, link string) (core.Contact, error)
	Contacts(ctx context.Context) ([]core.Contact, error)
	Arrange(ctx context.Context, to string, a core.Arrangement) (core.Arranged, error)
	Safety(ctx context.Context, who string) (core.Safety, error)
	Configure(ctx context.Context, ch core.SettingsChange) (core.AccountSettings, error)
	Send(ctx context.Context, o core.SendOptions) (core.Sent, error)
	Draft(ctx context.Context, to string, text *string) (core.Draft, error)
	Amend(ctx context.Context, o core.AmendOptions) (core.Sent, error)
	CatchUp(ctx context.Context) error
	// Receive gives out what has arrived even when ctx has ended; only then
	// does it return, or when fn fails.
	Receive(ctx context.Context, fn func(core.Event) error) error
	// Begin notes what waits to be sent already; what it returns waits until all
	// that came since is sent.
	Begin() (settle func(ctx context.Context) error)
	History(ctx context.Context, room string, limit int) ([]core.Event, error)
	Vote(ctx context.Context, o core.VoteOptions) (core.Sent, error)
	Introduce(ctx context.Context, o core.IntroduceOptions) (core.Sent, error)
	Typing(ctx context.Context, room string, stopped bool) (core.Told, error)
	Details(ctx context.Context, room, id string) (core.Details, error)
	Forward(ctx context.Context, o core.ForwardOptions) (core.Sent, error)
	Search(ctx context.Context, o core.SearchOptions) ([]core.Event, error)
	Thumbnail(ctx context.Context, room, id string) (core.Thumbnail, error)
	SaveFile(ctx context.Context, o core.SaveOptions) (core.Saved, error)
	Requests(ctx context.Context) ([]core.Request, error)
	Accept(ctx context.Context, id string) (core.Answered, error)
	Decline(ctx context.Context, id string) (core.Answered, error)
	Block(ctx context.Context, who string) (core.Blocking, error)
	Unblock(ctx context.Context, who string) (core.Blocking, error)
	Devices(ctx context.Context) ([]core.Device, error)
	LinkDevice(ctx context.Context) (core.LinkCode, error)
	LinkAsked(ctx context.Context) (core.LinkRequest, error)
	LinkConfirm(ctx context.Context, id string) (core.Device, error)
	LinkRefuse(ctx context.Context, id string) error
	LinkFinish(ctx context.Context, id string) (core.Device, error)
	LinkJoin(ctx context.Context, code, name string) (core.LinkPending, error)
	LinkProgress(ctx context.Context, last core.LinkStatus) (core.LinkStatus, error)
	RevokeDevice(ctx context.Context, id string) (core.Device, error)
	RevokeOthers(ctx context.Context) ([]core.Device, error)
	Rooms(ctx context.Context) ([]core.Room, error)
	// WatchRooms gives out the list now and whenever it may have changed, until ctx
	// ends.
	WatchRooms(ctx context.Context, fn func([]core.Room) error) error
	GroupNew(ctx context.Context, name string, who []string) (core.Group, error)
	GroupAdd(ctx context.Context, room string, who []string) (core.Changed, error)
	GroupRemove(ctx context.Context, room string, who []string) (core.Changed, error)
	GroupRole(ctx context.Context, room, who, role string) (core.Member, error)
	GroupTransfer(ctx context.Context, room, who string) (core.Member, error)
	GroupLink(ctx context.Context, room string, o core.GroupLinkOptions) (core.Invitation, error)
	GroupJoin(ctx context.Context, link, text string) (core.Joined, error)
	GroupLeave(ctx context.Context, room string) (core.Left, error)
	GroupMove(ctx context.Context, room, server string) (core.Moved, error)
	GroupSet(ctx context.Context, room string, s core.GroupSettings) (core.Settings, error)
	BackupCreate(ctx context.Context, o core.BackupOptions) (core.Backup, error)
	BackupVerify(ctx context.Context, o core.RestoreOptions) (core.Restored, error)
	BackupRestore(ctx context.Context, o core.RestoreOptions) (core.Restored, error)
	Export(ctx context.Context, folder string) (core.Exported, error)
	AccountDelete(ctx context.Context, confirm string) (core.Deleted, error)
}

// schema.json and api.ts describe the API for programs in other languages.
//
//go:generate go test -run TestSchemaIsAsTheTypesAre . -update

var _ Core = (*core.Client)(nil)

// Limits of one connection.
const (
	// MaxLine is the longest message that a server reads, in bytes, its newline
	// not counted. A text of 64 KiB fits however it is escaped.
	MaxLine = 1 << 20
	// MaxAnswer is the longest that it writes: a history of some 100,000
	// messages. Whoever asks for more is told so.
	MaxAnswer = 64 << 20
	// maxResult is what of that an answer's result may take; the rest is its id.
	maxResult = MaxAnswer - MaxLine - 4096
	// MaxRequests is how many requests may be under way at once.
	MaxRequests = 64
)

// The waits of the contract.
const (
	// SendWait is how long a method that does something waits until that is
	// sent, unless it is told otherwise. What is late goes by itself; a message's
	// state then is queued.
	SendWait = 10 * time.Second
	// CatchUpWait is how long a method waits for the home to be up to date.
	CatchUpWait = 10 * time.Second
)
