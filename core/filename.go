package core

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"hearth/content"
)

// What others call a file is a claim: here it is made something that can be shown
// and written without harm, wherever that is (attacks A35, A60).

const (
	fileNameBytes = 120 // the longest name
	fileExtBytes  = 16  // of which its ending at most
	namelessFile  = "file"
)

// safeName makes a name that is one part of a path on every system, that shows as it
// is, and that ends as it seems to.
func safeName(name string) string {
	name = norm.NFC.String(strings.ToValidUTF8(name, "_"))
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	var b strings.Builder
	for _, r := range name {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case strings.ContainsRune(`<>:"|?*`, r):
			b.WriteByte('_')
		case !unicode.IsGraphic(r), unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
			// Control characters, and what is not seen or turns the rest around.
		default:
			b.WriteRune(r)
		}
	}
	// A long gap hides an ending; at the edges, dots and spaces mean something to
	// systems.
	name = strings.Trim(strings.Join(strings.Fields(b.String()), " "), ". ")
	ext := path.Ext(name)
	if len(ext) > fileExtBytes {
		ext = ""
	}
	stem := strings.Trim(strings.TrimSuffix(name, ext), ". ")
	stem = strings.Trim(cutAt(stem, fileNameBytes-len(ext)), ". ")
	if stem == "" {
		stem = namelessFile
	}
	if reservedStem(stem) {
		stem = "_" + stem
	}
	return stem + ext
}

// cutAt cuts a text to some bytes, between characters.
func cutAt(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// reservedStem reports whether a name means a device on some system, whatever its
// ending.
func reservedStem(stem string) bool {
	first, _, _ := strings.Cut(strings.ToUpper(stem), ".")
	first = strings.TrimRight(first, " ")
	switch first {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	digit, ok := strings.CutPrefix(first, "COM")
	if !ok {
		digit, ok = strings.CutPrefix(first, "LPT")
	}
	return ok && utf8.RuneCountInString(digit) == 1 && strings.ContainsAny(digit, "0123456789¹²³")
}

// knownTypes are the media types that are told on, by the endings of names.
var knownTypes = map[string]string{
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp",
	".mp4": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".opus": "audio/ogg",
	".m4a": "audio/mp4", ".wav": "audio/wav", ".txt": "text/plain", ".pdf": "application/pdf", ".zip": "application/zip",
}

// typeOf returns the media type of a file of one's own, by its name.
func typeOf(name string) string {
	if t := knownTypes[strings.ToLower(path.Ext(name))]; t != "" {
		return t
	}
	return content.UnknownType
}

// safeType returns a type that somebody claims, if it is one that we know. It is for
// showing: nothing is opened by it.
func safeType(claimed string) string {
	for _, t := range knownTypes {
		if t == claimed {
			return t
		}
	}
	return content.UnknownType
}
