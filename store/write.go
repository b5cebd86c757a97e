package store

import (
	"sync"

	"hearth/wire"
)

// A batch is taken by count or size, whichever comes first.
const (
	batchItems = 1024
	batchBytes = 2 << 20
)

// item is a change on its way to disk.
type item struct {
	room   *room       // whose entries become visible; nil for none
	number wire.Number // the newest entry that this change brings
	record []byte      // nil: only waits for those before it
	done   func(error) // called once, must not block
}

type batch struct {
	items []item
	err   error
}

// queue holds changes between the rooms and the writer. It never makes a sender
// wait, since senders hold a room's lock that the publisher needs; the server
// bounds what is under way instead.
type queue struct {
	mu     sync.Mutex
	items  []item
	closed bool
	ready  chan struct{} // has room for one signal
}

func (q *queue) put(it item) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	q.items = append(q.items, it)
	q.mu.Unlock()
	signal(q.ready)
	return true
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	signal(q.ready)
}

// take waits for changes and returns up to a batch of them; nil once the queue
// is closed and empty.
func (q *queue) take() []item {
	for {
		q.mu.Lock()
		n, bytes := 0, 0
		for n < len(q.items) && n < batchItems && bytes < batchBytes {
			bytes += len(q.items[n].record)
			n++
		}
		if n > 0 {
			out := q.items[:n:n]
			q.items = q.items[n:]
			if len(q.items) == 0 {
				q.items = nil
			} else {
				signal(q.ready)
			}
			q.mu.Unlock()
			return out
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			signal(q.ready)
			return nil
		}
		<-q.ready
	}
}

// writeJournal is the one writer of the journal. It returns nil when the queue is
// closed and empty, or the first error, which it tells by failed before it fails
// what is queued.
func (r *Rooms) writeJournal(out chan<- batch, failed func()) error {
	var buf []byte
	for {
		items := r.queue.take()
		if items == nil {
			return nil
		}
		buf = buf[:0]
		records := int64(0)
		for _, it := range items {
			buf = append(buf, it.record...)
			if it.record != nil {
				records++
			}
		}
		var err error
		if len(buf) > 0 {
			r.awaitCheckpoint()
			err = r.j.append(buf)
		}
		if cap(buf) > 2*batchBytes {
			buf = nil
		}
		if err == nil {
			r.records.Add(records)
		} else {
			r.refuse(asWire(err))
			failed()
			r.queue.close()
		}
		out <- batch{items, err}
		if err != nil {
			for items := r.queue.take(); items != nil; items = r.queue.take() {
				out <- batch{items, err}
			}
			return err
		}
	}
}

// publish shows what is on disk to the seats that are open, and reports.
func (r *Rooms) publish(in <-chan batch) {
	for b := range in {
		err := asWire(b.err)
		for i, it := range b.items {
			if err != nil || it.room == nil {
				continue
			}
			if i+1 < len(b.items) && b.items[i+1].room == it.room {
				continue // the next one shows this one too
			}
			it.room.publish(it.number)
		}
		for _, it := range b.items {
			it.done(err)
		}
	}
}

// publish moves what seats may see, and wakes them.
func (rm *room) publish(n wire.Number) {
	rm.mu.Lock()
	defer rm.mu.Unlock()
	rm.durable = max(rm.durable, n)
	for _, w := range rm.watchers {
		w.wake()
	}
}

// awaitCheckpoint holds the writer back while the journal is far ahead of its
// checkpoints: so its size, and the memory behind it, stay bounded.
func (r *Rooms) awaitCheckpoint() {
	for r.j.backlog() > 4*r.cfg.JournalBytes && r.failure() == nil {
		<-r.applied
	}
}

// Counters is what the store has done since it was opened; no id, no time.
type Counters struct {
	// Records is how many changes were written, JournalBytes their size.
	Records, JournalBytes int64
}

// Counters returns the counters of now.
func (r *Rooms) Counters() Counters {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	return Counters{Records: r.records.Load(), JournalBytes: r.j.total}
}
