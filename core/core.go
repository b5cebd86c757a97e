// Package core is the client's kernel: account, rooms, outbox, vault, expiry.
// It is one tree for native and for the browser: connections, blobs and storage
// are handed in, and it must never reach net/http or an SQL driver.
//
// It promises that nothing acknowledged is lost, that no (epoch, leaf,
// generation) is used twice, and that no half-verified thing is shown. It must
// never take a server's word for who is in a conversation.
//
// The vault is the truth: each change is one step (state.go), kept whole or not
// at all, and nothing in memory outlives a failed one. Where to look:
//
//	client.go           Client, Open, Run
//	crew, session,      goroutines; one connection; the three connections to a
//	lane                server
//	reader, inbox,      a seat's entries, each with its effects in one step, of
//	message, knock      posts that wait some, then acknowledged: of rooms, doors
//	sender, work,       what waits to leave, one sender a room or door
//	outbox, parcel
//	plan, commit,       a change of a group from wish to commit to Welcome
//	welcome, found
//	door, request,      ways in, invitations, answers
//	join, contact
//	group, role, rooms, what people ask for
//	grouplink, send,
//	leave, event
//	notice, heal,       out of step: said, answered by any member, and back;
//	refresh, comeback,  a copied home becomes a device of its own
//	copied
//	expiry              what is due goes, before anything is shown
//
// A second device is linked by linking (the old one) and linked (the new one).
// It brings the self room: a conversation of KindSelf (selfroom), in which the
// devices keep equal what they know (sync, decision, readmark), and hand over
// history (handover, arrival). What rooms lack of devices is in owing.
//
// Start with Client and Open.
package core
