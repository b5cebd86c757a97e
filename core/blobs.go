package core

import (
	"context"
	"io"
	"time"

	"hearth/wire"
)

// Blobs moves blobs to and from servers: handed in, so that this package needs
// no HTTP.
type Blobs interface {
	// Put stores b, at most wire.MaxWhole bytes, for ttl, paid with the room's
	// post token, and returns its name. The same bytes put again are no error.
	Put(ctx context.Context, server string, room wire.RoomID, token wire.Secret, ttl time.Duration, b []byte) (wire.BlobID, error)
	// Get returns the bytes of a blob of at most wire.MaxWhole, which are those
	// of its name; denied when there is none.
	Get(ctx context.Context, server string, id wire.BlobID) ([]byte, error)

	// Upload sends what r yields as the next piece of an upload, and returns how
	// much of it the server has now, also beside an error: from there it goes
	// on. stale: the server is at another place; ask Uploaded.
	Upload(ctx context.Context, server string, u Upload, r io.Reader) (length int64, err error)
	// Uploaded returns how much of an upload the server has; denied when it
	// knows none: begin anew.
	Uploaded(ctx context.Context, server string, id wire.UploadID) (int64, error)
	// Open returns a blob's bytes from an offset on, to be closed. They are not
	// checked against its name: whoever reads checks what it reads.
	Open(ctx context.Context, server string, id wire.BlobID, from int64) (io.ReadCloser, error)
	// Abandon gives an upload up.
	Abandon(ctx context.Context, server string, id wire.UploadID) error
	// Prolong lets a blob live for ttl from now, at least; denied when it is not
	// there any more.
	Prolong(ctx context.Context, server string, by Payment, id wire.BlobID, ttl time.Duration) error
	// PutSlot puts b, at most wire.MaxWhole bytes, in a slot, in the place of what
	// it held.
	PutSlot(ctx context.Context, server string, by Payment, slot wire.Secret, ttl time.Duration, b []byte) error
	// Drop ends a blob at once, for who holds the secret whose hash its upload
	// named. A blob that is gone answers denied.
	Drop(ctx context.Context, server string, id wire.BlobID, secret wire.Secret) error
}

// Payment is what an upload shows: a room and its post token, or a door of one's
// own and its seat's secret.
type Payment struct {
	Room  wire.RoomID
	Token wire.Secret
}

// Upload is one piece of a blob on its way.
type Upload struct {
	ID     wire.UploadID
	Offset int64 // where in the blob the piece begins
	By     Payment
	// Last, if not nil, names the blob that ends with this piece; TTL is how
	// long it is kept, and Drop, if not zero, the hash of what drops it sooner.
	Last *wire.BlobID
	TTL  time.Duration
	Drop wire.SecretHash
}
