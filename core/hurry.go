package core

// A device that is out of step waits for others: ten minutes after its notice, a
// day after it has asked at doors. Two things tell it that it would wait for
// nothing.

// unheard deals with our own notice out of step, come back in the log. Whoever has
// entered a commit behind the one that we could not enter holds no link key of
// ours any more (protocol §5) and cannot open the notice: doors are next.
func (s *step) unheard(r *room) error {
	l, err := s.lineage(r.ID)
	if err != nil || !l.Beyond {
		return err
	}
	h, err := s.healing(r.ID)
	if err != nil || h == nil {
		return err
	}
	early := h.Siblings - s.c.now().Unix()
	if early <= 0 {
		return nil
	}
	h.Siblings -= early
	h.Members -= early
	return s.hurried(h)
}

// askAnew drops what came of a request of ours and did not hold. Who sent it has
// spent the request, so that nobody else answers it: another is made, unless
// there were too many already.
func (s *step) askAnew(b *comeback) error {
	s.del(b.name())
	h, err := s.healing(b.From)
	if err != nil || h == nil || string(h.Ref) != string(b.Ref) || len(h.Leaves) >= maxTold {
		return err
	}
	r, cv, err := s.roomAndConv(b.From)
	if err != nil || r == nil || !h.stillAsks(r) {
		return err
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil {
		return err
	}
	if err := s.ask(h, cv, ro); err != nil {
		return err
	}
	h.Siblings = s.c.now().Unix()
	h.Members = h.Siblings
	if h.Where {
		h.Asked = 0
	}
	return s.hurried(h)
}

// hurried saves that others are asked at once.
func (s *step) hurried(h *healing) error {
	s.put(healingName(h.Room), h)
	id := h.Room
	s.then(func() { s.c.wakeHealing(id) })
	return nil
}
