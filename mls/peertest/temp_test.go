package peertest
var tempPeer *peer
func newHost(s uint16, id string) (member, error) { return newGuest(tempPeer, s, id) }
