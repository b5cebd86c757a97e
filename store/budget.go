package store

import (
	"sync"
	"time"
)

type budgetKind byte

const (
	budgetCommit budgetKind = iota
	budgetNotice
	budgetClaim
)

// budgets counts what a seat or class has used, in memory only: a restart
// begins anew.
type budgets struct {
	mu   *sync.Mutex
	used map[budgetKey]spent
	next time.Time // when old counts are thrown out
}

type budgetKey struct {
	kind budgetKind
	id   [16]byte
}

type spent struct {
	n     int
	until time.Time
}

func newBudgets() budgets {
	return budgets{mu: new(sync.Mutex), used: map[budgetKey]spent{}}
}

// take counts one use of id and reports whether it is within limit a window.
func (b *budgets) take(kind budgetKind, id []byte, limit int, window time.Duration, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.After(b.next) {
		for k, s := range b.used {
			if !now.Before(s.until) {
				delete(b.used, k)
			}
		}
		b.next = now.Add(time.Hour)
	}
	k := budgetKey{kind: kind}
	copy(k.id[:], id)
	s := b.used[k]
	if !now.Before(s.until) {
		s = spent{until: now.Add(window)}
	}
	if s.n >= limit {
		return false
	}
	s.n++
	b.used[k] = s
	return true
}
