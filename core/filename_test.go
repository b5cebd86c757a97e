package core

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestNamesOfFilesAreMadeHarmless: whatever a sender calls a file, it is one part of
// a path, is seen as it is, and ends as it seems to (attacks A35, A60).
func TestNamesOfFilesAreMadeHarmless(t *testing.T) {
	long := strings.Repeat("é", 300)
	for name, want := range map[string]string{
		"cat.jpg":                      "cat.jpg",
		"Ферма 2026.pdf":               "Ферма 2026.pdf",
		"日本.txt":                       "日本.txt",
		"":                             "file",
		".":                            "file",
		"..":                           "file",
		"../../etc/passwd":             "passwd",
		"/etc/passwd":                  "passwd",
		`C:\Windows\system32\evil.dll`: "evil.dll",
		`..\..\evil`:                   "evil",
		"a/b\\c.txt":                   "c.txt",
		"dir/":                         "file",
		".bashrc":                      "bashrc",
		"...hidden.txt":                "hidden.txt",
		"a.txt.":                       "a.txt",
		"a.txt . .":                    "a.txt",
		"a\x00b\n.txt\x7f":             "ab.txt",
		"photo\u202Egpj.exe":           "photogpj.exe",
		"\u2066a\u2069\u200F.txt":      "a.txt",
		"a\u200B\uFEFF\u00ADb.txt":     "ab.txt",
		"cat.jpg                 .exe": "cat.jpg.exe",
		"a\u2028b.txt":                 "a b.txt",
		`<a>:"b"|c?*.txt`:              "_a___b__c__.txt",
		"CON":                          "_CON",
		"nul.txt":                      "_nul.txt",
		"com1.tar.gz":                  "_com1.tar.gz",
		"LPT¹.txt":                     "_LPT¹.txt",
		"com12.txt":                    "com12.txt",
		"console.txt":                  "console.txt",
		"e\u0301.txt":                  "é.txt",
		"bad\xff.txt":                  "bad_.txt",
		long + ".txt":                  strings.Repeat("é", 58) + ".txt",
		"a." + long:                    "a." + strings.Repeat("é", 59),
	} {
		if got := safeName(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	for claimed, want := range map[string]string{
		"image/jpeg": "image/jpeg", "text/html": "application/octet-stream", "": "application/octet-stream",
		"image/jpeg; x=\"\n": "application/octet-stream", "application/x-msdownload": "application/octet-stream",
	} {
		if got := safeType(claimed); got != want {
			t.Errorf("%q: shown as %q", claimed, got)
		}
	}
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a/../b", "\u202E", ".", "CON.", " .txt ", "a. . .b", "_.", "con .txt", "COM1 .x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := safeName(name)
		switch {
		case got == "" || len(got) > fileNameBytes+1 || !utf8.ValidString(got) || !filepath.IsLocal(got) || filepath.Base(got) != got,
			strings.ContainsAny(got, "/\\:\x00"), strings.Trim(got, ". ") != got, reservedStem(got):
			t.Errorf("%q became %q", name, got)
		case safeName(got) != got:
			t.Errorf("%q became %q, and that %q", name, got, safeName(got))
		}
		for _, r := range got {
			if !unicode.IsGraphic(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("%q became %q", name, got)
			}
		}
	})
}
