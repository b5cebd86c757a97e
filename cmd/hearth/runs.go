package main

import (
	"os"
	"slices"
	"strings"

	"hearth/core"
)

// styles are how a terminal shows what a text's pieces look like.
var styles = map[string]string{"bold": "1", "italic": "3", "strike": "9", "code": "7"}

// runs shows a text in pieces; all that somebody wrote is harmless in it. A mention
// is shown by the name that its account has here. Quoted lines stand behind a sign.
func runs(list []core.Run, styled bool) string {
	var b strings.Builder
	quoted := false
	for _, r := range list {
		text := plain(r.Text)
		if r.Mention != "" {
			text = "@" + word(firstOf(r.Nickname, r.Handle, r.Mention))
		}
		if quote := slices.Contains(r.Style, "quote"); quote {
			if !quoted {
				b.WriteString("> ")
			}
			text = strings.ReplaceAll(text, "\n    ", "\n    > ")
			quoted = true
		} else {
			quoted = false
		}
		var codes []string
		for _, s := range r.Style {
			if c := styles[s]; c != "" {
				codes = append(codes, c)
			}
		}
		if r.Mention != "" {
			codes = append(codes, "4")
		}
		if styled && len(codes) > 0 {
			text = "\x1b[" + strings.Join(codes, ";") + "m" + text + "\x1b[0m"
		}
		b.WriteString(text)
	}
	return b.String()
}

// styled reports whether what is printed goes to a terminal that shows styles.
func (a *app) styled() bool {
	f, ok := a.out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(f)
}
