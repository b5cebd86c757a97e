package vault

import (
	"encoding/binary"
	"slices"
	"time"

	"hearth/wire"
)

// Expiry buckets (design §4 and §5). A record with an end is sealed under the
// key of the bucket that its end falls into. A bucket is a day of UTC; an hour
// for ends less than a day away; a minute for ends less than an hour away: so
// that the key of a message with a short timer dies soon after it too, and a
// home with a year's history holds hundreds of keys and not thousands. (Ends
// more than 400 days away share thirty days.)
//
// A record is deleted at its own second. Its bucket's key is destroyed as soon
// as no record is left in the bucket, and at the latest when the bucket is
// over; from then on no image of the disk, however old, opens it.

type bucketID [8]byte

// The grains, in seconds.
const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
	month  = 30 * day

	// slots divide a bucket in the index of ends, so that finding what is due
	// doesn't read the whole bucket each time.
	slots = 64
)

type bucket struct {
	id    bucketID // random: on the disk it says nothing of the time
	grain int64    // minute, hour, day or month
	n     int64    // the bucket is [n·grain, (n+1)·grain) in Unix seconds
	key   secret

	// closing: a sweep found nothing left in it and takes its key; nothing new
	// goes in. Not stored.
	closing bool
}

func (b *bucket) start() int64 { return b.n * b.grain }
func (b *bucket) end() int64   { return (b.n + 1) * b.grain }

// slot returns the part of the bucket that a second falls into, bounded to it.
func (b *bucket) slot(second int64) int {
	return int(min(max(0, (second-b.start())*slots/b.grain), slots-1))
}

// expiry returns t as the vault keeps it: whole seconds, rounded up.
func expiry(t time.Time) int64 {
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return max(1, s)
}

// grainFor returns the grain of the bucket for an end, seen at now.
func grainFor(expires, now int64) int64 {
	switch left := expires - now; {
	case left <= hour:
		return minute
	case left <= day:
		return hour
	case left <= 400*day:
		return day
	default:
		return month
	}
}

// table lists the live buckets with their keys. It is one record on the disk,
// sealed under the wrapping key.
type table struct {
	floor   int64 // the latest time seen, Unix seconds: it never goes back
	buckets []bucket
}

func (t *table) byID(id bucketID) *bucket {
	for i := range t.buckets {
		if t.buckets[i].id == id {
			return &t.buckets[i]
		}
	}
	return nil
}

// find returns the bucket for an end, or nil.
func (t *table) find(expires int64) *bucket {
	grain := grainFor(expires, t.floor)
	for i := range t.buckets {
		if b := &t.buckets[i]; !b.closing && b.grain == grain && b.n == expires/grain {
			return b
		}
	}
	return nil
}

// with returns t and a bucket for an end, which is new if there is none.
func (t *table) with(expires int64) (b *bucket, fresh bool) {
	if b := t.find(expires); b != nil {
		return b, false
	}
	grain := grainFor(expires, t.floor)
	t.buckets = append(t.buckets, bucket{id: bucketID(random(8)), grain: grain, n: expires / grain, key: newSecret()})
	return &t.buckets[len(t.buckets)-1], true
}

// clone shares keys but not the list.
func (t *table) clone() table { return table{floor: t.floor, buckets: slices.Clone(t.buckets)} }

// The sealed table: version, home, generation of the wrapping key, then the
// table sealed with all of these as associated data.
const (
	tableVersion = 1
	tableHeader  = 1 + 16 + 8
)

type tableBody struct {
	_       struct{} `cbor:",toarray"`
	Floor   int64
	Buckets []bucketBody
}

type bucketBody struct {
	_     struct{} `cbor:",toarray"`
	ID    []byte
	Grain int64
	N     int64
	Key   []byte
}

func (t *table) seal(k keyring) []byte {
	body := tableBody{Floor: t.floor}
	for _, b := range t.buckets {
		body.Buckets = append(body.Buckets, bucketBody{ID: b.id[:], Grain: b.grain, N: b.n, Key: b.key.bytes()})
	}
	head := append([]byte{tableVersion}, k.home[:]...)
	head = binary.BigEndian.AppendUint64(head, k.generation)
	plain := wire.Encode(body)
	defer clear(plain)
	return append(head, sealCommitting(k.wrapping, head, plain)...)
}

// openTable opens the table under k's wrapping key, or under the next one, and
// says which.
func openTable(k keyring, b []byte) (t table, generation uint64, err error) {
	if len(b) < tableHeader {
		return t, 0, damagedTable("the table of this home is damaged")
	}
	if b[0] != tableVersion {
		return t, 0, unsupportedVersion()
	}
	head := b[:tableHeader]
	if [16]byte(head[1:17]) != k.home {
		return t, 0, damagedTable("the key of this home belongs to other data")
	}
	switch generation = binary.BigEndian.Uint64(head[17:]); generation {
	case k.generation:
	case k.generation + 1:
		k = k.forward()
	default:
		return t, 0, damagedTable("the data of this home are not of the same age as its key")
	}
	plain, err := openCommitting(k.wrapping, head, b[tableHeader:])
	if err != nil {
		return t, 0, damagedTable("the table of this home is damaged")
	}
	defer clear(plain)
	var body tableBody
	if err := wire.Decode(plain, &body); err != nil {
		return t, 0, damagedTable("the table of this home is damaged")
	}
	t.floor = body.Floor
	for _, b := range body.Buckets {
		if len(b.ID) != len(bucketID{}) || len(b.Key) != 32 || b.Grain <= 0 {
			return t, 0, damagedTable("the table of this home is damaged")
		}
		t.buckets = append(t.buckets, bucket{id: bucketID(b.ID), grain: b.Grain, n: b.N, key: secretFrom(b.Key)})
	}
	return t, generation, nil
}
