package hearthtest

import (
	"context"
	"time"

	"hearth/wire"
)

// Raw is a connection to the server of somebody who writes frames as they like.
type Raw struct {
	w     *World
	conn  wire.Conn
	id    uint64
	queue []wire.Entry // pushed while an answer was awaited
}

// Raw connects to the home server under a name that Net knows the connection
// by.
func (w *World) Raw(name string) *Raw {
	w.T.Helper()
	return w.RawAt(name, w.Server("home").URL)
}

// RawAt is Raw with another server.
func (w *World) RawAt(name, url string) *Raw {
	w.T.Helper()
	conn, err := w.dial(name)(w.ctx, url)
	if err != nil {
		w.T.Fatal(err)
	}
	r := &Raw{w: w, conn: conn}
	if err := r.Ask(wire.OpHello, wire.Hello{Version: wire.Version}, new(wire.Welcome)); err != nil {
		w.T.Fatal(err)
	}
	return r
}

// Close ends the connection.
func (r *Raw) Close() { r.conn.Close() }

// Ask sends a request and reads its answer into v; nil: the answer says
// nothing. What the server refuses is a *wire.Error. Where it says that it
// failed, it is asked once more, as a client would.
func (r *Raw) Ask(op wire.Op, body, v any) error {
	r.w.T.Helper()
	err := r.ask(op, body, v)
	if isCode(err, wire.Internal) {
		r.w.T.Logf("the server failed and is asked again: %v", err)
		err = r.ask(op, body, v)
	}
	return err
}

func (r *Raw) ask(op wire.Op, body, v any) error {
	if v == nil {
		v = new(wire.Nothing)
	}
	r.id++
	if err := r.conn.Write(r.w.ctx, wire.NewFrame(op, r.id, body)); err != nil {
		return err
	}
	for {
		f, err := r.read(Patience)
		if err != nil {
			return err
		}
		switch {
		case f.ID != r.id:
		case f.Op == op:
			return wire.Decode(f.Body, v)
		default:
			e := new(wire.Error)
			if err := wire.Decode(f.Body, e); err != nil {
				return err
			}
			return e
		}
	}
}

func (r *Raw) read(patience time.Duration) (f wire.Frame, err error) {
	ctx, cancel := context.WithTimeout(r.w.ctx, patience)
	defer cancel()
	b, err := r.conn.Read(ctx)
	if err != nil {
		return f, err
	}
	if err := wire.Decode(b, &f); err != nil {
		return f, err
	}
	var e wire.Entry
	if f.Op == wire.OpEntry && wire.Decode(f.Body, &e) == nil {
		r.queue = append(r.queue, e)
	}
	return f, nil
}

// Entries returns what the server pushed and pushes within d.
func (r *Raw) Entries(d time.Duration) []wire.Entry {
	for end := time.Now().Add(d); time.Now().Before(end); {
		if _, err := r.read(time.Until(end)); err != nil {
			break
		}
	}
	return r.queue
}

// Record asks for somebody's record, as anyone may.
func (r *Raw) Record(name string) (rec wire.AccountRecord) {
	r.w.T.Helper()
	if err := r.Ask(wire.OpAccountGet, wire.AccountGet{Name: name}, &rec); err != nil {
		r.w.T.Fatal(err)
	}
	return rec
}

// PutBlob stores a blob on the home server under a room's post token.
func (w *World) PutBlob(room wire.RoomID, token wire.Secret, b []byte) (wire.BlobID, error) {
	return w.blobs("insider").Put(w.ctx, w.Server("home").URL, room, token, wire.MaxTTL, b)
}
