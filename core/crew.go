package core

import (
	"context"
	"sync"
)

// crew is the client's goroutines. They live while Run does: what is spawned
// before waits for it, what is spawned after it is dropped.
type crew struct {
	mu      sync.Mutex
	ctx     context.Context
	ended   bool
	waiting []func(context.Context)
	wg      sync.WaitGroup
}

// spawn runs f on its own goroutine while Run lives. f returns when its context
// ends.
func (w *crew) spawn(f func(context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.ended:
	case w.ctx == nil:
		w.waiting = append(w.waiting, f)
	default:
		w.start(f)
	}
}

func (w *crew) start(f func(context.Context)) {
	ctx := w.ctx
	w.wg.Go(func() { f(ctx) })
}

// run starts what waits and returns when ctx has ended and all have returned.
func (w *crew) run(ctx context.Context) error {
	w.mu.Lock()
	w.ctx = ctx
	for _, f := range w.waiting {
		w.start(f)
	}
	w.waiting = nil
	w.mu.Unlock()
	<-ctx.Done()
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.wg.Wait()
	return ctx.Err()
}
