package core

import (
	"encoding/json"
	"time"
)

// The values that the client's methods answer with. rpc publishes them as they
// stand and the command line prints them, so their JSON names are a contract:
// fields may be added, none is renamed, an absent field is omitted. Times are
// UTC; ids and handles are strings.

// Registered answers Register.
type Registered struct {
	Handle  string `json:"handle,omitempty"` // name@domain, if one was asked for
	Account string `json:"account"`
	Device  string `json:"device"`
	// Recovery is the recovery key as words; it is shown once and kept nowhere.
	Recovery string `json:"recovery"`
}

// Identity answers Whoami. Of a locked home there is only Locked.
type Identity struct {
	Handle  string `json:"handle,omitempty"`
	Account string `json:"account,omitempty"`
	Device  string `json:"device,omitempty"`
	Server  string `json:"server,omitempty"` // the home server's URL
	Locked  bool   `json:"locked"`
}

// Invitation answers Invite.
type Invitation struct {
	Link    string     `json:"link"`
	Uses    int        `json:"uses,omitempty"` // 0: no limit
	Expires *time.Time `json:"expires,omitempty"`
}

// Contact answers AddContact, and is a person in the list that Contacts gives.
// A Nickname, here and elsewhere, is what the person at this account calls
// somebody; nobody else is told.
type Contact struct {
	Account  string `json:"account"`
	Handle   string `json:"handle,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Verified bool   `json:"verified"`
	Blocked  bool   `json:"blocked,omitempty"`
}

// Safety answers Safety: the same 60 digits on both sides.
type Safety struct {
	Safety   string `json:"safety"`
	Account  string `json:"account"`
	Handle   string `json:"handle,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Verified bool   `json:"verified"`
}

// Sending states.
const (
	StateSent   = "sent"   // the own entry was seen in the room's log
	StateQueued = "queued" // it waits in the outbox and goes by itself
	// Of an own message in a history, and of receipts; read includes delivered.
	StateDelivered = "delivered" // it reached a device of everybody who has joined
	StateRead      = "read"      // it was shown to everybody who has joined
)

// Sent answers Send.
type Sent struct {
	Room string `json:"room"`
	// ID is the message's id, stable across retries.
	ID    string    `json:"id"`
	Sent  time.Time `json:"sent"`
	State string    `json:"state"`
}

// The types of Event.
const (
	EventMessage = "message"
	// Of a message: its text is another now, it was taken away, somebody reacted.
	EventEdit     = "edit"
	EventDeletion = "deletion"
	EventReaction = "reaction"
	EventVote     = "vote" // somebody answered a poll
	// ReactionTaken is the Kind of a reaction's event when it was taken back.
	ReactionTaken = "removed"
	EventRequest  = "request"
	EventJoined   = "joined"
	EventLeft     = "left"
	EventExpired  = "expired"
	EventReceipt  = "receipt"
	EventNotice   = "notice"
)

// Event is one thing that happened, as Receive and History give it out.
type Event struct {
	Type    string    `json:"type"`
	Room    string    `json:"room"`
	From    string    `json:"from,omitempty"` // handle, or account id
	Account string    `json:"account,omitempty"`
	Sent    time.Time `json:"sent"`
	// Nickname is that of From, or of Who.
	Nickname string `json:"nickname,omitempty"`
	// Muted, as Receive gives it out: the person does not want to be called for
	// this, by what they have set for the conversation.
	Muted bool `json:"muted,omitempty"`

	// message, expired, receipt, request
	ID   string `json:"id,omitempty"`
	Text string `json:"text,omitempty"`
	// Reply is the id of the message that this one answers.
	Reply string `json:"reply,omitempty"`
	// Expires is when a message ends; nil in a message means that it is kept.
	Expires *time.Time `json:"expires,omitempty"`
	// AfterReading is how many seconds a message has once it is read; absent when
	// that has begun, or its sender chose no such end.
	AfterReading uint32 `json:"after_reading,omitempty"`

	// Kind, of a request: direct or group; of a message: what it holds, absent for
	// text alone, unknown for what only a newer version can show.
	Kind string `json:"kind,omitempty"`
	// Runs are the text in pieces, where it is more than plain.
	Runs []Run `json:"runs,omitempty"`
	// Mentioned: the text mentions this account.
	Mentioned bool   `json:"mentioned,omitempty"`
	Name      string `json:"name,omitempty"` // request: the group's name
	Who       string `json:"who,omitempty"`  // joined, left: handle or account id
	By        string `json:"by,omitempty"`   // joined, left: who did it, if not the person
	// ByNickname is that of By.
	ByNickname string `json:"by_nickname,omitempty"`
	State      string `json:"state,omitempty"` // receipt; message: of an own one
	// Device is what a notice is about, or the other device of this account that
	// sent a message of one's own.
	Device string `json:"device,omitempty"`
	Code   string `json:"code,omitempty"` // notice: from the documented list
	// Receipts of an own message, in a history: who has got or read it.
	Receipts []Mark `json:"receipts,omitempty"`

	// File is what a message brings besides its text.
	File *FileInfo `json:"file,omitempty"`

	// What a message holds, by its Kind.
	Poll    *ShownPoll    `json:"poll,omitempty"`
	Place   *ShownPlace   `json:"place,omitempty"`
	Contact *ShownContact `json:"contact,omitempty"`

	// Forwarded: its sender says that somebody else wrote it first.
	Forwarded bool `json:"forwarded,omitempty"`

	// Of is the id of the message that an edit, deletion or reaction is about.
	Of string `json:"of,omitempty"`
	// Of a message: when its text was last edited, that it was deleted, and the
	// reactions to it.
	Edited    *time.Time `json:"edited,omitempty"`
	Deleted   bool       `json:"deleted,omitempty"`
	Reactions []Reacted  `json:"reactions,omitempty"`
}

// Run is a piece of a text that looks the same throughout.
type Run struct {
	Text  string   `json:"text"`
	Style []string `json:"style,omitempty"` // bold, italic, strike, code, quote
	// Mention is the account that the piece mentions, a member of the conversation.
	// It is to be shown by its own name, not by what the sender wrote.
	Mention  string `json:"mention,omitempty"`
	Handle   string `json:"handle,omitempty"`
	Nickname string `json:"nickname,omitempty"`
}

// Reacted is somebody's reaction to a message; ID is the reaction's own.
type Reacted struct {
	ID       string `json:"id"`
	Reaction string `json:"reaction"`
	Account  string `json:"account"`
	Handle   string `json:"handle,omitempty"`
	Nickname string `json:"nickname,omitempty"`
}

// Mark says that a message was delivered to a person, or read; At is when that
// became known here.
type Mark struct {
	Account  string    `json:"account"`
	Handle   string    `json:"handle,omitempty"`
	Nickname string    `json:"nickname,omitempty"`
	State    string    `json:"state"`
	At       time.Time `json:"at,omitzero"`
}

// MarshalJSON writes expires as null for a message that is kept: the contract
// tells "kept" from "absent" there.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	if e.Type != EventMessage || e.Expires != nil {
		return json.Marshal(plain(e))
	}
	return json.Marshal(struct {
		plain
		Expires *time.Time `json:"expires"`
	}{plain: plain(e)})
}

// The kinds of conversation.
const (
	KindDirect = "direct"
	KindGroup  = "group"
	KindSelf   = "self"
)

// KindJoin is the kind of a request by somebody who followed a group's link.
const KindJoin = "join"

// Request is a first contact that waits for an answer.
type Request struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"` // direct, group or join
	From    string `json:"from"`
	Account string `json:"account"`
	// Nickname is that of From.
	Nickname string     `json:"nickname,omitempty"`
	Room     string     `json:"room"`
	Name     string     `json:"name,omitempty"`
	Text     string     `json:"text,omitempty"`
	Sent     time.Time  `json:"sent"`
	Expires  *time.Time `json:"expires,omitempty"`
}

// Answered answers Accept and Decline; State is accepted, declined or expired.
type Answered struct {
	ID    string `json:"id"`
	Room  string `json:"room,omitempty"`
	State string `json:"state"`
}

// Blocking answers Block and Unblock; State is blocked or unblocked.
type Blocking struct {
	Account string `json:"account"`
	State   string `json:"state"`
}

// The states of a conversation on this device.
const (
	RoomOK        = "ok"
	RoomOutOfStep = "out_of_step"
	RoomLeft      = "left"
	RoomRemoved   = "removed"
)

// Member is a person in a conversation; State is invited or joined.
type Member struct {
	Account  string `json:"account"`
	Handle   string `json:"handle,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Role     string `json:"role"`
	State    string `json:"state"`
}

// Room is a conversation, in the list that Rooms gives: those pinned first, those
// put away last.
type Room struct {
	Room string `json:"room"`
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	// Nickname is the conversation's, of a direct one the other person's.
	Nickname  string   `json:"nickname,omitempty"`
	Pinned    bool     `json:"pinned,omitempty"`
	Muted     bool     `json:"muted,omitempty"`
	Archived  bool     `json:"archived,omitempty"`
	Draft     string   `json:"draft,omitempty"` // what is to be said there, and was not yet
	Members   []Member `json:"members"`
	Role      string   `json:"role"`
	Retention string   `json:"retention"` // as typed: 1d, 7d, 30d, 1y, keep
	// OwnRetention is the person's own timer, where it is shorter.
	OwnRetention string `json:"own_retention,omitempty"`
	Unread       int    `json:"unread"`
	// Mentions is how many of the unread messages mention this account.
	Mentions int `json:"mentions,omitempty"`
	// Typing are those who are writing something now.
	Typing []Writer `json:"typing,omitempty"`
	// Notify is what the person wants to be called for; absent: everything.
	Notify string `json:"notify,omitempty"`
	Epoch  uint64 `json:"epoch"`
	State  string `json:"state"`
}

// Skipped names a person who could not be added, and why; the others were.
type Skipped struct {
	Handle string `json:"handle"`
	Code   string `json:"code"`
	// Retry: it is tried again by itself.
	Retry bool `json:"retry,omitempty"`
}

// Group answers GroupNew.
type Group struct {
	Room    string    `json:"room"`
	Name    string    `json:"name"`
	Members []Member  `json:"members"`
	Skipped []Skipped `json:"skipped"`
}

// Changed answers GroupAdd and GroupRemove; Changed lists account ids.
type Changed struct {
	Room    string    `json:"room"`
	Changed []string  `json:"changed"`
	Skipped []Skipped `json:"skipped"`
	Epoch   uint64    `json:"epoch"`
}

// The states of Joined.
const (
	JoinAsked  = "asked"  // whoever made the link has not let us in yet
	JoinJoined = "joined" // we are in
)

// Joined answers GroupJoin; Room and Name are known once we are in.
type Joined struct {
	Room  string `json:"room,omitempty"`
	Name  string `json:"name,omitempty"`
	State string `json:"state"`
}

// Left answers GroupLeave.
type Left struct {
	Room  string `json:"room"`
	State string `json:"state"`
}

// States of a move.
const (
	MoveDone     = "moved"
	MoveUnderWay = "moving" // it goes on by itself
)

// Moved answers GroupMove.
type Moved struct {
	Room   string `json:"room"`
	Server string `json:"server"`
	State  string `json:"state"`
}

// Settings answers GroupSet.
type Settings struct {
	Room      string `json:"room"`
	Retention string `json:"retention"`
	Limit     int    `json:"limit"`
	// Traced: posts show the seat that they come from (protocol §1).
	Traced bool `json:"traced,omitempty"`
}
