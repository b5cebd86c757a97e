// Package mls implements the Messaging Layer Security protocol, RFC 9420.
//
// It is a pure state machine: bytes in, values out. It does no I/O, reads no
// clock, starts no goroutine and keeps no state outside the values it returns.
// What a message is worth depends on the group's state and the message's bytes
// alone; who may do what to a group is for the caller to judge, on the value
// that processing returns, before it is applied.
//
// What it must never do: show a key in an error, a log or a printed value;
// panic on bytes from outside; use a (epoch, leaf, generation) twice.
//
// Where to start: group.go for the state machine, tree.go for the ratchet tree,
// treekem.go for the update path. The sections of the RFC are cited beside the
// code, so that searching for a section finds the lines that implement it.
package mls
