package mls

import (
	"cmp"
	"slices"
)

// ratchets are one sender's two chains.
type ratchets struct {
	handshake, application ratchet
}

// ratchet is one chain of RFC 9420 §9.1.
type ratchet struct {
	next    uint32 // the generation that secret yields
	spent   bool   // generation 2³²-1 was used: the chain has ended
	secret  []byte
	skipped []messageKey // ascending by generation; jumped over and not yet used
}

// messageKey opens exactly one message.
type messageKey struct {
	generation uint32
	key, nonce []byte
}

func (k *messageKey) wipe() {
	clear(k.key)
	clear(k.nonce)
}

func (r *ratchets) of(c ContentType) *ratchet {
	if c == ContentApplication {
		return &r.application
	}
	return &r.handshake
}

func (r *ratchets) clone() *ratchets {
	return &ratchets{r.handshake.clone(), r.application.clone()}
}

func (r *ratchets) wipe() {
	r.handshake.wipe()
	r.application.wipe()
}

func (r *ratchet) clone() ratchet {
	c := *r
	c.secret = slices.Clone(r.secret)
	c.skipped = make([]messageKey, len(r.skipped))
	for i, k := range r.skipped {
		c.skipped[i] = messageKey{k.generation, slices.Clone(k.key), slices.Clone(k.nonce)}
	}
	return c
}

func (r *ratchet) wipe() {
	clear(r.secret)
	for i := range r.skipped {
		r.skipped[i].wipe()
	}
	*r = ratchet{}
}

// step yields the next generation's key and moves on, RFC 9420 §9.1.
func (r *ratchet) step(p *suiteParams) messageKey {
	k := messageKey{
		generation: r.next,
		key:        p.deriveTreeSecret(r.secret, "key", r.next, p.nk),
		nonce:      p.deriveTreeSecret(r.secret, "nonce", r.next, p.nn),
	}
	r.skip(p)
	return k
}

// skip moves over a generation without making its key.
func (r *ratchet) skip(p *suiteParams) {
	next := p.deriveTreeSecret(r.secret, "secret", r.next, p.nh)
	clear(r.secret)
	r.secret = next
	if r.next == 1<<32-1 {
		clear(r.secret)
		r.spent = true
		return
	}
	r.next++
}

// check refuses a generation that was used, or is too far ahead (RFC 9420
// §9.1 asks for a bound, so that one message cannot make us hash for minutes).
func (r *ratchet) check(generation uint32, limits Limits) error {
	if r.spent || generation < r.next {
		if _, ok := r.find(generation); ok {
			return nil
		}
		return ErrGenerationUsed
	}
	if generation-r.next > limits.maxForward() {
		return ErrTooFarAhead
	}
	return nil
}

func (r *ratchet) find(generation uint32) (int, bool) {
	return slices.BinarySearchFunc(r.skipped, generation, func(k messageKey, g uint32) int {
		return cmp.Compare(k.generation, g)
	})
}

// take removes and returns the key of a generation that check has passed. Keys
// jumped over are kept, the newest max of them.
func (r *ratchet) take(p *suiteParams, generation uint32, max int) messageKey {
	if i, ok := r.find(generation); ok && (r.spent || generation < r.next) {
		k := r.skipped[i]
		r.skipped = slices.Delete(r.skipped, i, i+1)
		return k
	}
	for r.next < generation {
		if generation-r.next > uint32(max) {
			r.skip(p)
			continue
		}
		r.skipped = append(r.skipped, r.step(p))
	}
	for len(r.skipped) > max {
		r.dropOldest()
	}
	return r.step(p)
}

func (r *ratchet) dropOldest() {
	r.skipped[0].wipe()
	r.skipped = slices.Delete(r.skipped, 0, 1)
}

func (r *ratchet) encode(e *encoder) {
	e.u32(r.next)
	if r.spent {
		e.u8(1)
	} else {
		e.u8(0)
	}
	e.vec(r.secret)
	e.list(func(e *encoder) {
		for _, k := range r.skipped {
			e.u32(k.generation)
			e.vec(k.key)
			e.vec(k.nonce)
		}
	})
}

func (r *ratchet) decode(d *decoder, p *suiteParams) {
	r.next = d.u32()
	spent := d.u8()
	if spent > 1 {
		d.fail(errState)
	}
	r.spent = spent == 1
	r.secret = d.vec()
	if d.err == nil && len(r.secret) != p.nh {
		d.fail(errState)
	}
	last := int64(-1)
	d.list(func(d *decoder) {
		k := messageKey{d.u32(), d.vec(), d.vec()}
		if d.err != nil {
			return
		}
		if int64(k.generation) <= last || (!r.spent && k.generation >= r.next) || len(k.key) != p.nk || len(k.nonce) != p.nn {
			d.fail(errState)
			return
		}
		last = int64(k.generation)
		r.skipped = append(r.skipped, k)
	})
}
