package store

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestDataHeldIsTheSchema compares docs/data-held.md with what SQLite says it
// has, and with the fields of the journal's records.
func TestDataHeldIsTheSchema(t *testing.T) {
	raw, err := os.ReadFile("../docs/data-held.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile(`(?m)^## `).Split(string(raw), -1)
	rows := regexp.MustCompile(`(?m)^\| ([a-zA-Z_]+\.[a-zA-Z_]+) \|`)
	page := map[string]map[string]bool{}
	for _, p := range parts {
		title, _, _ := strings.Cut(p, "\n")
		page[title] = map[string]bool{}
		for _, m := range rows.FindAllStringSubmatch(p, -1) {
			if strings.HasSuffix(m[1], ".field") {
				continue // the table's head
			}
			if page[title][m[1]] {
				t.Errorf("%s stands twice", m[1])
			}
			page[title][m[1]] = true
		}
	}
	compare := func(title string, real map[string]bool) {
		t.Helper()
		for f := range real {
			if !page[title][f] {
				t.Errorf("docs/data-held.md, %s: lacks %s", title, f)
			}
		}
		for f := range page[title] {
			if !real[f] {
				t.Errorf("docs/data-held.md, %s: %s does not exist", title, f)
			}
		}
	}
	compare("accounts.db", columns(t, accountsSchema, accountsVersion))
	compare("rooms.db", columns(t, roomsSchema, roomsVersion))
	fields := map[string]bool{}
	for _, v := range []any{record{}, createChange{}, commitChange{}, renameChange{}, leaveChange{}, doorSetChange{}, claimChange{}, dropChange{}, closeChange{}} {
		typ := reflect.TypeOf(v)
		for i := 1; i < typ.NumField(); i++ {
			fields[strings.TrimSuffix(typ.Name(), "Change")+"."+typ.Field(i).Name] = true
		}
	}
	compare("The journal", fields)
}

func columns(t *testing.T, schema string, version int) map[string]bool {
	t.Helper()
	db, err := openSQLite(context.Background(), filepath.Join(t.TempDir(), "x.db"), 1, schema, version)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		out[name] = true
	}
	return out
}

// TestNoColumnJoinsAccountsAndRooms: the two databases share no kind of value
// but the knock door, and no table of rooms names a device or an account.
func TestNoColumnJoinsAccountsAndRooms(t *testing.T) {
	for c := range columns(t, roomsSchema, roomsVersion) {
		for _, word := range []string{"account", "device", "name", "addr", "ip", "user", "time", "made_at", "seen", "last_used"} {
			if _, field, _ := strings.Cut(c, "."); field == word || strings.HasPrefix(field, word+"_") || strings.HasSuffix(field, "_"+word) {
				t.Errorf("rooms.db has %s", c)
			}
		}
	}
	for c := range columns(t, accountsSchema, accountsVersion) {
		if c == "knocks.door" {
			continue
		}
		for _, word := range []string{"room", "seat", "door", "blob"} {
			if strings.Contains(c, word) {
				t.Errorf("accounts.db has %s", c)
			}
		}
	}
}
