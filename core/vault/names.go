package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// A record's name is one or more segments joined by "/", none of them empty:
//
//	name := vault.Name("msg", conversation)        // "msg/…"
//	name := vault.Numbered(name, 17)               // "msg/…/#0000000000000011"
//
// On the disk each segment stands as a pseudorandom function of itself and of
// all before it, so that equal segments under different parents differ. A last
// segment made by Numbered stays in clear, so that Scan gives it in order: a
// number there must say nothing (a count does not; a time does).

// Name joins segments. They may hold any bytes but "/", and may not be empty.
func Name(segments ...string) string { return strings.Join(segments, "/") }

// Numbered returns the name of record n under parent. Scan of parent gives such
// names in order of n.
func Numbered(parent string, n uint64) string { return fmt.Sprintf("%s/#%016x", parent, n) }

// Number returns the n that Numbered put at the end of name.
func Number(name string) (n uint64, ok bool) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 || !isNumber(name[i+1:]) {
		return 0, false
	}
	for _, c := range []byte(name[i+2:]) {
		n = n<<4 | uint64(strings.IndexByte(hexDigits, c))
	}
	return n, true
}

const hexDigits = "0123456789abcdef"

func isNumber(segment string) bool {
	if len(segment) != 17 || segment[0] != '#' {
		return false
	}
	for _, c := range []byte(segment[1:]) {
		if strings.IndexByte(hexDigits, c) < 0 {
			return false
		}
	}
	return true
}

// What lies on the disk: the table, records, and the index of ends.
const (
	tableKey     = "t"
	recordPrefix = "r"
	indexPrefix  = "x/"
)

// diskKey returns where the record of a name lies.
func (k *keyring) diskKey(name string) string {
	key := recordPrefix
	segments := strings.Split(name, "/")
	for i, s := range segments {
		if i == len(segments)-1 && i > 0 && isNumber(s) {
			return key + "/" + s
		}
		key += "/" + prf(k.names, key, s)
	}
	return key
}

// diskPrefix returns the prefix of all records under a name; "" is all.
func (k *keyring) diskPrefix(name string) string {
	if name == "" {
		return recordPrefix + "/"
	}
	return k.diskKey(name) + "/"
}

// prf returns 96 bits, 16 characters, that stand for a part under a parent.
func prf(key secret, parent, part string) string {
	h := hmac.New(sha256.New, key.bytes())
	h.Write([]byte(parent)) // characters of base64url and "/": the zero ends it
	h.Write([]byte{0})
	h.Write([]byte(part))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}
