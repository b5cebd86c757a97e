package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/core"
	"hearth/rpc"
	"hearth/wire"
)

// fakeHome is a home whose client answers with every field filled in, or, when
// bare, with as little as it may.
type fakeHome struct {
	bare   bool
	events []core.Event
	given  int
	hold   chan struct{} // Send waits for it
	fails  error         // what every call that reaches the client fails with

	mu    sync.Mutex
	sends int
	last  core.SendOptions
	opens int

	lock sync.Mutex
}

func (h *fakeHome) open(context.Context, string, *hold) (owned, error) {
	if !h.lock.TryLock() {
		return nil, wire.Errorf(wire.HomeInUse, "another process is using this home")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opens++
	return &fakeClient{rpc.Lockless(h), h}, nil
}

type fakeClient struct {
	rpc.Home
	h *fakeHome
}

func (c *fakeClient) Run(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
func (c *fakeClient) Close() error                  { c.h.lock.Unlock(); return nil }

var moment = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func (h *fakeHome) handle() string {
	if h.bare {
		return ""
	}
	return "bob@example.org"
}

func (h *fakeHome) end() *time.Time {
	if h.bare {
		return nil
	}
	t := moment.Add(time.Hour)
	return &t
}

func (h *fakeHome) Register(context.Context, core.RegisterOptions) (core.Registered, error) {
	return core.Registered{Handle: h.handle(), Account: "acc", Device: "dev", Recovery: "one two three"}, h.fails
}

func (h *fakeHome) Whoami() (core.Identity, error) {
	return core.Identity{Handle: h.handle(), Account: "acc", Device: "dev", Server: "http://x"}, h.fails
}

func (h *fakeHome) Invite(context.Context, int, time.Duration) (core.Invitation, error) {
	return core.Invitation{Link: "https://x/i#y", Expires: h.end()}, h.fails
}

func (h *fakeHome) Revoke(_ context.Context, link string) (core.Invitation, error) {
	return core.Invitation{Link: link, Expires: h.end()}, h.fails
}

func (h *fakeHome) AddContact(context.Context, string) (core.Contact, error) {
	return core.Contact{Account: "acc", Handle: h.handle(), Verified: true}, h.fails
}

func (h *fakeHome) nickname() string {
	if h.bare {
		return ""
	}
	return "Bobby"
}

func (h *fakeHome) end1() string {
	if h.bare {
		return ""
	}
	return "1d"
}

func (h *fakeHome) Contacts(context.Context) ([]core.Contact, error) {
	if h.fails != nil {
		return nil, nil
	}
	return []core.Contact{{Account: "acc", Handle: h.handle(), Nickname: h.nickname(), Verified: true, Blocked: !h.bare}}, nil
}

func (h *fakeHome) Arrange(_ context.Context, to string, a core.Arrangement) (core.Arranged, error) {
	return core.Arranged{Room: "room", Account: h.handle(), Handle: h.handle(), Nickname: h.nickname(), Retention: h.end1(), Muted: true, Notify: core.NotifyMentions, Pinned: a.Pinned != nil && *a.Pinned}, h.fails
}

func (h *fakeHome) Draft(_ context.Context, to string, text *string) (core.Draft, error) {
	d := core.Draft{Room: "room"}
	if !h.bare && (text == nil || *text != "") {
		d.Text, d.Edited, d.Expires = "not yet", &moment, h.end()
	}
	return d, h.fails
}

func (h *fakeHome) Safety(context.Context, string) (core.Safety, error) {
	return core.Safety{Safety: strings.Repeat("0123456789", 6), Account: "acc", Handle: h.handle(), Nickname: h.nickname()}, h.fails
}

func (h *fakeHome) Configure(_ context.Context, ch core.SettingsChange) (core.AccountSettings, error) {
	return core.AccountSettings{Receipts: ch.Receipts == nil || *ch.Receipts, Retention: "30d"}, h.fails
}

func (h *fakeHome) Thumbnail(context.Context, string, string) (core.Thumbnail, error) {
	return core.Thumbnail{}, nil
}

func (h *fakeHome) SaveFile(context.Context, core.SaveOptions) (core.Saved, error) {
	return core.Saved{}, nil
}
func (h *fakeHome) Search(context.Context, core.SearchOptions) ([]core.Event, error) { return nil, nil }

func (h *fakeHome) Typing(_ context.Context, room string, stopped bool) (core.Told, error) {
	return core.Told{Room: room, Told: !stopped}, h.fails
}

func (h *fakeHome) Vote(context.Context, core.VoteOptions) (core.Sent, error) {
	return core.Sent{}, nil
}

func (h *fakeHome) Introduce(context.Context, core.IntroduceOptions) (core.Sent, error) {
	return core.Sent{}, nil
}

func (h *fakeHome) WatchRooms(ctx context.Context, fn func([]core.Room) error) error {
	return h.fails
}

func (h *fakeHome) Details(_ context.Context, room, id string) (core.Details, error) {
	d := core.Details{Message: core.Event{Type: core.EventMessage, Room: room, ID: id, From: "me", Text: "hi", Sent: moment, Expires: h.end(), Receipts: []core.Mark{{Handle: h.handle(), Account: "acc", State: core.StateRead, At: moment}}}}
	if !h.bare {
		d.Waiting = []core.Mark{{Account: "eve", State: core.StateSent}}
	}
	return d, h.fails
}

func (h *fakeHome) Forward(context.Context, core.ForwardOptions) (core.Sent, error) {
	return core.Sent{}, nil
}

func (h *fakeHome) Amend(context.Context, core.AmendOptions) (core.Sent, error) {
	return core.Sent{}, nil
}

func (h *fakeHome) Send(ctx context.Context, o core.SendOptions) (core.Sent, error) {
	h.mu.Lock()
	h.sends++
	h.last = o
	h.mu.Unlock()
	if h.hold != nil {
		select {
		case <-h.hold:
		case <-ctx.Done():
		}
	}
	return core.Sent{Room: "room", ID: "id-" + o.Text, Sent: moment, State: core.StateSent}, h.fails
}

func (h *fakeHome) CatchUp(ctx context.Context) error { return h.fails }

func (h *fakeHome) Begin() func(context.Context) error {
	return func(context.Context) error { return nil }
}

func (h *fakeHome) Receive(ctx context.Context, fn func(core.Event) error) error {
	for h.given < len(h.events) {
		if err := fn(h.events[h.given]); err != nil {
			return err
		}
		h.given++
	}
	<-ctx.Done()
	return nil
}

func (h *fakeHome) History(context.Context, string, int) ([]core.Event, error) {
	return h.events, nil
}

func (h *fakeHome) Requests(context.Context) ([]core.Request, error) {
	if h.fails != nil {
		return nil, nil
	}
	return []core.Request{{ID: "id", Kind: core.KindGroup, From: "bob@example.org", Account: "acc", Room: "room", Name: h.handle(), Text: "hi", Sent: moment, Expires: h.end()}}, nil
}

func (h *fakeHome) Accept(_ context.Context, id string) (core.Answered, error) {
	return core.Answered{ID: id, Room: "room", State: "accepted"}, h.fails
}

func (h *fakeHome) Decline(_ context.Context, id string) (core.Answered, error) {
	return core.Answered{ID: id, State: "declined"}, h.fails
}

func (h *fakeHome) Block(context.Context, string) (core.Blocking, error) {
	return core.Blocking{Account: "acc", State: "blocked"}, h.fails
}

func (h *fakeHome) Unblock(context.Context, string) (core.Blocking, error) {
	return core.Blocking{Account: "acc", State: "unblocked"}, h.fails
}

func (h *fakeHome) members() []core.Member {
	return []core.Member{{Account: "acc", Handle: h.handle(), Role: "owner", State: "joined"}}
}

func (h *fakeHome) Rooms(context.Context) ([]core.Room, error) {
	if h.fails != nil {
		return nil, nil
	}
	return []core.Room{{Room: "room", Kind: core.KindDirect, Name: h.handle(), Members: h.members(), Role: "owner", Retention: "30d", OwnRetention: h.end1(), Epoch: 3, State: core.RoomOK,
		Nickname: h.nickname(), Pinned: !h.bare, Muted: !h.bare, Archived: !h.bare, Draft: h.nickname()}}, nil
}

func (h *fakeHome) device() core.Device {
	d := core.Device{Device: "dev", Added: h.end()}
	if !h.bare {
		d.Name = "phone"
	}
	return d
}

func (h *fakeHome) Devices(context.Context) ([]core.Device, error) {
	d := h.device()
	d.Current = true
	return []core.Device{d}, h.fails
}

func (h *fakeHome) LinkDevice(context.Context) (core.LinkCode, error) {
	return core.LinkCode{Code: "hearth-device:http://x#abc", Expires: moment}, h.fails
}

func (h *fakeHome) LinkAsked(context.Context) (core.LinkRequest, error) {
	return core.LinkRequest{ID: "dev", Name: h.device().Name, Number: "123 456", Grants: "everything"}, h.fails
}

func (h *fakeHome) LinkConfirm(context.Context, string) (core.Device, error) {
	return h.device(), h.fails
}

func (h *fakeHome) LinkFinish(context.Context, string) (core.Device, error) {
	return h.device(), h.fails
}

func (h *fakeHome) LinkRefuse(context.Context, string) error { return h.fails }

func (h *fakeHome) LinkJoin(context.Context, string, string) (core.LinkPending, error) {
	return core.LinkPending{Account: "acc", Device: "dev", Number: "123 456"}, h.fails
}

func (h *fakeHome) LinkProgress(context.Context, core.LinkStatus) (core.LinkStatus, error) {
	return core.LinkStatus{Handle: h.handle(), Account: "acc", Device: "dev", State: core.LinkReady, Rooms: 2, Of: 2, Items: 9}, h.fails
}

func (h *fakeHome) RevokeDevice(context.Context, string) (core.Device, error) {
	return h.device(), h.fails
}

func (h *fakeHome) RevokeOthers(context.Context) ([]core.Device, error) {
	return []core.Device{h.device()}, h.fails
}

func (h *fakeHome) GroupNew(_ context.Context, name string, who []string) (core.Group, error) {
	return core.Group{Room: "room", Name: name, Members: h.members(), Skipped: []core.Skipped{{Handle: "eve", Code: "not_found"}}}, h.fails
}

func (h *fakeHome) GroupAdd(_ context.Context, room string, who []string) (core.Changed, error) {
	return core.Changed{Room: room, Changed: who, Skipped: []core.Skipped{}, Epoch: 4}, h.fails
}

func (h *fakeHome) GroupRemove(ctx context.Context, room string, who []string) (core.Changed, error) {
	return h.GroupAdd(ctx, room, who)
}

func (h *fakeHome) GroupRole(_ context.Context, _, _, role string) (core.Member, error) {
	return core.Member{Account: "acc", Handle: h.handle(), Role: role, State: "joined"}, h.fails
}

func (h *fakeHome) GroupTransfer(ctx context.Context, room, who string) (core.Member, error) {
	return h.GroupRole(ctx, room, who, "owner")
}

func (h *fakeHome) GroupLink(context.Context, string, core.GroupLinkOptions) (core.Invitation, error) {
	return core.Invitation{Link: "https://x/g#y", Expires: h.end()}, h.fails
}

func (h *fakeHome) GroupJoin(context.Context, string, string) (core.Joined, error) {
	if h.bare {
		return core.Joined{State: core.JoinAsked}, h.fails
	}
	return core.Joined{Room: "room", Name: "Sunday", State: core.JoinJoined}, h.fails
}

func (h *fakeHome) GroupLeave(_ context.Context, room string) (core.Left, error) {
	return core.Left{Room: room, State: core.RoomLeft}, h.fails
}

func (h *fakeHome) GroupMove(_ context.Context, room, server string) (core.Moved, error) {
	return core.Moved{Room: room, Server: server, State: core.MoveDone}, h.fails
}

func (h *fakeHome) GroupSet(_ context.Context, room string, s core.GroupSettings) (core.Settings, error) {
	return core.Settings{Room: room, Retention: "7d", Limit: 12}, h.fails
}

func (h *fakeHome) BackupCreate(_ context.Context, o core.BackupOptions) (core.Backup, error) {
	b := core.Backup{Items: 3, To: o.To, Made: moment, Changed: 1, Segments: 2}
	if !h.bare {
		b.Phrase = "lunat"
	}
	return b, h.fails
}

func (h *fakeHome) BackupVerify(context.Context, core.RestoreOptions) (core.Restored, error) {
	return h.restored(""), h.fails
}

func (h *fakeHome) BackupRestore(context.Context, core.RestoreOptions) (core.Restored, error) {
	return h.restored("dev"), h.fails
}

func (h *fakeHome) restored(device string) core.Restored {
	r := core.Restored{Items: 3, Account: "acc", Handle: h.handle(), Device: device, Made: moment, Newest: "yes"}
	if !h.bare {
		r.Ended = 2
	}
	return r
}

func (h *fakeHome) Export(_ context.Context, folder string) (core.Exported, error) {
	return core.Exported{Items: 2, Rooms: 1, To: folder}, h.fails
}

func (h *fakeHome) AccountDelete(context.Context, string) (core.Deleted, error) {
	return core.Deleted{Account: "acc", State: core.StateDeleted, Left: 1, Rooms: 2}, h.fails
}

// output is what one run of the program left behind.
type output struct {
	code     int
	out, err string
}

// hearth runs one command line in a home folder against h.
func (h *fakeHome) hearth(t *testing.T, dir string, args ...string) output {
	t.Helper()
	return h.hearthWith(t.Context(), dir, "", args...)
}

func (h *fakeHome) hearthWith(ctx context.Context, dir, in string, args ...string) output {
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(in), out: &out, err: &errs, open: h.open}
	code := a.run(ctx, append([]string{"--home", dir}, args...))
	return output{code, out.String(), errs.String()}
}

// object reads one line of JSON.
func object(t *testing.T, line string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%q is not an object: %v", line, err)
	}
	return m
}
