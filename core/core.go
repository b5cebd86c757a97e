// Package core is the client's kernel: account, rooms, outbox, vault, expiry.
// It is one tree for native and for the browser: connections, blobs and storage
// are handed in, and it must never reach net/http or an SQL driver.
//
// It promises that nothing acknowledged is lost, that no (epoch, leaf,
// generation) is used twice, and that no half-verified thing is shown. It must
// never take a server's word for who is in a conversation.
//
// Start with Client and Open.
package core
