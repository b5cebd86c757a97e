// Package peertest holds package mls against an independent implementation of
// RFC 9420: the npm package ts-mls, run under Node and driven over standard
// input and output (see tsmls/peer.mjs).
//
// It has tests only. They need Node 20 or later and, once,
//
//	npm ci --prefix mls/peertest/tsmls
//
// Without them the tests are skipped, except with CI=true, where they fail.
// Start reading at room_test.go: a room of members of both kinds, in which every
// commit is checked by everybody. history_test.go does that at random:
//
//	HEARTH_PEER_OPS   operations a suite (500 when unset)
//	HEARTH_PEER_SEED  the seed of the histories (when unset a new one, or 9420 with CI=true)
//
// What ts-mls 1.6.4 does otherwise than the RFC, and the tests therefore keep
// away from, is listed in known_test.go.
package peertest
