package core

import (
	"context"
	"log/slog"
	"time"

	"hearth/wire"
)

// Config is what a client is handed: everything that touches the outside.
type Config struct {
	// Dial opens a connection for frames to a server, named by its URL, such
	// as http://localhost:8420.
	Dial func(ctx context.Context, server string) (wire.Conn, error)
	// Blobs moves whole blobs.
	Blobs Blobs
	// Now tells the time; nil: time.Now.
	Now func() time.Time
	// Log takes what an operator of this client may read: never ids, names or
	// content. nil: nothing is logged.
	Log *slog.Logger
}

// Blobs puts and gets whole blobs on a server.
type Blobs interface {
	// Put stores b for ttl, paid with the room's post token, and returns its
	// name. The same bytes put again are no error.
	Put(ctx context.Context, server string, room wire.RoomID, token wire.Secret, ttl time.Duration, b []byte) (wire.BlobID, error)
	// Get returns a blob's bytes; not_found when there is none.
	Get(ctx context.Context, server string, id wire.BlobID) ([]byte, error)
}

// Client is one home: an account's device, its conversations, and everything
// that waits to be sent. All methods may be called at the same time.
type Client struct {
	cfg Config
}

// Open reads a home. A fresh disk gives a client that is not registered yet.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	return nil, unsupported("opening a home")
}

// Run owns every goroutine of the client: connections, outbox, sweeping. It
// returns when ctx ends.
func (c *Client) Run(ctx context.Context) error { return unsupported("running") }

// Close releases the home; Run must have returned.
func (c *Client) Close() error { return nil }

// RegisterOptions says which account Register makes.
type RegisterOptions struct {
	Name   string // the public name; "" for none
	Server string // the home server's URL
	Invite string // the operator's invitation, where registration asks for one
}

// Register makes an account with this device in it.
func (c *Client) Register(ctx context.Context, o RegisterOptions) (Registered, error) {
	return Registered{}, unsupported("register")
}

// Whoami says who this client is; not_found before Register.
func (c *Client) Whoami() (Identity, error) { return Identity{}, unsupported("whoami") }

// Invite makes a link that reaches this account. uses 0: no limit; expire 0:
// no end.
func (c *Client) Invite(ctx context.Context, uses int, expire time.Duration) (Invitation, error) {
	return Invitation{}, unsupported("invite")
}

// AddContact follows a link.
func (c *Client) AddContact(ctx context.Context, link string) (Contact, error) {
	return Contact{}, unsupported("contact add")
}

// Safety returns the safety number shared with a person.
func (c *Client) Safety(ctx context.Context, who string) (Safety, error) {
	return Safety{}, unsupported("safety")
}

// SendOptions says what Send sends.
type SendOptions struct {
	To     string // handle, bare name, account id, link or room
	Text   string
	Expire time.Duration // 0: the conversation's timer
	Reply  string        // the id of the message that this one answers
}

// Send queues a message and waits until it is sent; when ctx ends first, the
// state is queued and that is no error.
func (c *Client) Send(ctx context.Context, o SendOptions) (Sent, error) {
	return Sent{}, unsupported("send")
}

// CatchUp waits until every open seat and door is live.
func (c *Client) CatchUp(ctx context.Context) error { return unsupported("catching up") }

// Receive gives out every event that this home has not given out yet, then new
// ones until ctx ends. The mark is saved after fn returns nil, so that each
// event is given out once in a home.
func (c *Client) Receive(ctx context.Context, fn func(Event) error) error {
	return unsupported("receive")
}

// History returns the newest limit events of a room, oldest first; limit 0
// means all.
func (c *Client) History(ctx context.Context, room string, limit int) ([]Event, error) {
	return nil, unsupported("history")
}

// Requests lists the first contacts that wait for an answer.
func (c *Client) Requests(ctx context.Context) ([]Request, error) {
	return nil, unsupported("requests")
}

// Accept accepts a request: this device joins.
func (c *Client) Accept(ctx context.Context, id string) (Answered, error) {
	return Answered{}, unsupported("accept")
}

// Decline declines a request.
func (c *Client) Decline(ctx context.Context, id string) (Answered, error) {
	return Answered{}, unsupported("decline")
}

// Block stops showing what a person says.
func (c *Client) Block(ctx context.Context, who string) (Blocking, error) {
	return Blocking{}, unsupported("block")
}

// Unblock takes a block back.
func (c *Client) Unblock(ctx context.Context, who string) (Blocking, error) {
	return Blocking{}, unsupported("unblock")
}

// Rooms lists the conversations.
func (c *Client) Rooms(ctx context.Context) ([]Room, error) { return nil, unsupported("rooms") }

// GroupNew founds a group and invites people to it. Who cannot be invited is
// listed in Skipped.
func (c *Client) GroupNew(ctx context.Context, name string, who []string) (Group, error) {
	return Group{}, unsupported("group new")
}

// GroupAdd invites people to a group.
func (c *Client) GroupAdd(ctx context.Context, room string, who []string) (Changed, error) {
	return Changed{}, unsupported("group add")
}

// GroupRemove removes people from a group.
func (c *Client) GroupRemove(ctx context.Context, room string, who []string) (Changed, error) {
	return Changed{}, unsupported("group remove")
}

// GroupLeave leaves a group.
func (c *Client) GroupLeave(ctx context.Context, room string) (Left, error) {
	return Left{}, unsupported("group leave")
}

// GroupSettings says what GroupSet changes; nil fields stay.
type GroupSettings struct {
	Retention *string // 1d, 7d, 30d, 1y, keep
	Limit     *int    // the most members
	Name      *string
}

// GroupSet changes a conversation's settings.
func (c *Client) GroupSet(ctx context.Context, room string, s GroupSettings) (Settings, error) {
	return Settings{}, unsupported("group set")
}

// unsupported is the answer of what a later part of Hearth brings.
func unsupported(what string) error {
	return wire.Errorf(wire.Unsupported, "%s is not there yet", what)
}
