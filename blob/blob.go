// Package blob keeps a server's blobs: bytes by the name that their hash gives
// them, and the uploads that are on their way to become one.
//
// It promises that what can be read under an id are the bytes of that id (those
// last put, for a slot), whole and on disk; that an upload cut short goes on where it was, after a restart
// too, and ends when its time is over; and that nothing is listed to anybody.
// It learns neither who uploads nor what: blobs are ciphertext, and until when
// one is kept is said in an index beside it (store.PutBlob), which decides.
//
// Start with Store. Files is the engine on a folder; blobtest has the suite that
// every engine passes.
package blob

import (
	"context"
	"io"

	"hearth/wire"
)

// Store is an engine. Its methods may be called from several goroutines. Errors
// are *wire.Error where a client can do something about them: denied for what is
// not there, stale for another offset or an upload that is in use, full for too
// many uploads, bad_input for bytes that are not those of the id, disk_full.
type Store interface {
	// Append adds what r yields to an upload, at most limit bytes, and returns
	// its length, all of which is durable. at must be its length so far; 0
	// begins it. When r fails or yields more, what came before is kept and the
	// length says how much. Memory doesn't grow with the bytes.
	Append(ctx context.Context, up wire.UploadID, at int64, r io.Reader, limit int64) (length int64, err error)
	// Length returns how much of an upload is there.
	Length(ctx context.Context, up wire.UploadID) (int64, error)
	// Finish makes an upload the blob id, durably. note is called once its bytes
	// are known to be those of id, and before anybody can read them: it writes
	// the index, so that no crash leaves bytes that nothing will remove. If note
	// fails the upload stays as it was; bytes of another id end it. A blob that
	// is there already stays.
	Finish(ctx context.Context, up wire.UploadID, id wire.BlobID, note func(size int64) error) error
	// Replace is Finish for a slot: id is no hash of the bytes, and they come in
	// the place of those that were there.
	Replace(ctx context.Context, up wire.UploadID, id wire.BlobID, note func(size int64) error) error
	// Open returns the bytes of a blob, to be closed, and how many there are.
	Open(ctx context.Context, id wire.BlobID) (io.ReadSeekCloser, int64, error)
	// Remove ends blobs or uploads: nothing reads them any more, those who have
	// them open included. What the medium keeps of freed blocks is beyond it:
	// blobs are ciphertext, and their keys die with their messages. An absent
	// blob is no error.
	Remove(ctx context.Context, id wire.BlobID) error
	// Abandon ends an upload. An absent one is no error.
	Abandon(ctx context.Context, up wire.UploadID) error
	// Uploads returns what all unfinished uploads take, after it has ended those
	// whose time is over. Call it from time to time.
	Uploads(ctx context.Context) (bytes int64, err error)
}

// ErrLimit is what Append returns, itself, when r yields more than limit.
var ErrLimit = wire.Errorf(wire.Full, "that is more than may be uploaded").WithNext("upload less, or later")

// MaxUploads bounds the uploads under way at one time.
const MaxUploads = 4096
