package mls

// Peek reads what a member's commit proposes, without its path: for a commit
// that Process refuses because the path, or what follows from it, does not
// hold. It opens the message, verifies its signature and checks the proposals as
// Process does, and changes nothing. The Changes have no Path and no renewed
// leaf of the committer. A commit that Process accepts can be peeked at as well.
//
// What Peek accepts every member of the epoch accepts: it rests on keys and
// bytes that all of them have.
func (g *Group) Peek(msg []byte) (Changes, error) {
	if err := g.usable(); err != nil {
		return Changes{}, err
	}
	m := new(message)
	if err := unmarshal(msg, m); err != nil {
		return Changes{}, err
	}
	if m.private == nil {
		return Changes{}, ErrNotAllowed
	}
	a, generation, err := g.openMember(m.private)
	if err != nil {
		return Changes{}, err
	}
	if a.content.contentType != ContentCommit {
		return Changes{}, ErrNotAllowed
	}
	list, err := g.resolve(a.content.commit, a.content.sender)
	if err != nil {
		return Changes{}, err
	}
	t, err := g.begin(list, a.content.sender, nil, false)
	if err != nil {
		return Changes{}, err
	}
	if err := t.checkResult(); err != nil {
		return Changes{}, err
	}
	s := &Staged{before: g, content: a, generation: generation, list: list, added: t.added, committer: t.committer}
	ch := s.Changes()
	if ch.Path {
		// Changes puts the path's leaf last.
		ch.Path, ch.Updated = false, ch.Updated[:len(ch.Updated)-1]
	}
	return ch, nil
}
