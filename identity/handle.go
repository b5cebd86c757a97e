package identity

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"hearth/wire"
)

// Handle is an optional public nickname: name@domain. The name is unique on
// its domain's server, look-alikes included (Skeleton). It proves nothing about
// who is behind it.
type Handle struct {
	Name   string // as ParseName returns it
	Domain string // a host, or host:port
}

// String returns name@domain.
func (h Handle) String() string { return h.Name + "@" + h.Domain }

// ParseHandle reads name@domain in any case.
func ParseHandle(s string) (Handle, error) {
	name, domain, ok := strings.Cut(s, "@")
	if !ok {
		return Handle{}, fmt.Errorf("%w: a handle is written name@domain", ErrInvalid)
	}
	n, err := ParseName(name)
	if err != nil {
		return Handle{}, err
	}
	domain = strings.ToLower(domain)
	if err := checkDomain(domain); err != nil {
		return Handle{}, err
	}
	return Handle{Name: n, Domain: domain}, nil
}

// ParseName returns a name in its one spelling: lower case, letters and digits
// of one script, and '.', '_' or '-' singly between them; at most wire.MaxName
// bytes. Names that are not ASCII pass the UsernameCaseMapped profile (RFC 8265
// §3.3).
func ParseName(s string) (string, error) {
	if s == "" || !utf8.ValidString(s) || len(s) > 4*wire.MaxName {
		return "", fmt.Errorf("%w: a name has 1 to %d bytes", ErrInvalid, wire.MaxName)
	}
	name := strings.ToLower(s)
	if !isASCII(s) {
		var err error
		if name, err = precis.UsernameCaseMapped.String(s); err != nil {
			return "", fmt.Errorf("%w: a name with a character that no name may have", ErrInvalid)
		}
		// The profile maps once; a name is what no further mapping changes.
		if again, err := precis.UsernameCaseMapped.String(name); err != nil || again != name {
			return "", fmt.Errorf("%w: a name with a character that has no settled lower case", ErrInvalid)
		}
	}
	if len(name) > wire.MaxName {
		return "", fmt.Errorf("%w: a name has at most %d bytes", ErrInvalid, wire.MaxName)
	}
	script, between := "", true // between: a separator may not stand here
	for _, r := range name {
		switch {
		case r == '.' || r == '_' || r == '-':
			if between {
				return "", fmt.Errorf("%w: '.', '_' and '-' stand singly between letters or digits of a name", ErrInvalid)
			}
			between = true
			continue
		case r >= '0' && r <= '9':
		case unicode.IsLetter(r):
			s := scriptOf(r)
			if s == "" || script != "" && s != script {
				return "", fmt.Errorf("%w: a name has letters of one script only", ErrInvalid)
			}
			script = s
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r):
			// A mark that composes with no letter, as Indic vowel signs; it
			// belongs to the letter before it.
			if s := scriptOf(r); between || script == "" || s != script && s != "Inherited" {
				return "", fmt.Errorf("%w: a name has letters of one script only", ErrInvalid)
			}
		default:
			return "", fmt.Errorf("%w: a name has letters, digits and '.', '_', '-' only", ErrInvalid)
		}
		between = false
	}
	if between {
		return "", fmt.Errorf("%w: a name ends with a letter or a digit", ErrInvalid)
	}
	return name, nil
}

// scriptOf returns the script of a letter or mark. The three of Japanese, which
// are always mixed, count as one.
func scriptOf(r rune) string {
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			switch name {
			case "Common":
				return ""
			case "Han", "Hiragana", "Katakana":
				return "Japanese"
			}
			return name
		}
	}
	return ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// checkDomain says whether s is a lower-case host name or address, with or
// without a port. Names outside ASCII are written as A-labels (RFC 5890
// §2.3.2.1).
func checkDomain(s string) error {
	bad := fmt.Errorf("%w: a domain is a host, or host:port", ErrInvalid)
	host := s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		port := s[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return bad
		}
		host = s[:i]
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if ip, err := netip.ParseAddr(inner); !ok || err != nil || !ip.Is6() || ip.Zone() != "" || ip.String() != inner {
			return bad
		}
		return nil
	}
	if len(host) > 253 {
		return bad
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return bad
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return bad
			}
		}
	}
	return nil
}
