package server

import (
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

func TestServerGoesOnAfterAFailedWrite(t *testing.T) {
	for name, fault := range map[string]string{"journal": "journal write", "checkpoint": "checkpoint commit"} {
		t.Run(name, func(t *testing.T) {
			var full atomic.Bool
			synctestWorld(t, func(c *Config) {
				c.Store.Step = func(step string, do func() error) error {
					if full.Load() && step == fault {
						return syscall.ENOSPC
					}
					return do()
				}
			}, func(w *world) {
				c := w.client()
				r := c.room(1)
				c.send(r, "before")
				full.Store(true)
				if fault == "journal write" {
					c.refused(wire.DiskFull, wire.OpRoomPost, r.post("while full"))
				} else {
					time.Sleep(5 * time.Second)
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				d := w.client()
				d.refused(wire.DiskFull, wire.OpRoomPost, r.post("while full"))
				full.Store(false)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				d = w.client()
				d.must(wire.OpRoomPost, r.post("after"), &wire.Appended{})
				d.must(wire.OpSeatOpen, r.open(0, 1), &wire.SeatOpened{})
				if e := d.entry(); string(e.Payload) != "before" {
					w.t.Errorf("got %q", e.Payload)
				}
				if e := d.entry(); string(e.Payload) != "after" {
					w.t.Errorf("got %q", e.Payload)
				}
			})
		})
	}
}
