package letter

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"hearth/wire"
)

func newLinkDoor() LinkDoor {
	return LinkDoor{ID: wire.NewRoomID(1), Key: wire.NewSecret(), Sealing: wire.NewSecret()}
}

func newDeviceLink(server string) DeviceLink {
	return DeviceLink{Server: server, Account: wire.AccountID{9}, Door: wire.NewRoomID(1), Secret: wire.NewSecret(), Bound: [16]byte{5}}
}

func TestInvitationComesBackAsItWasGiven(t *testing.T) {
	for _, server := range []string{"https://example.org", "http://localhost:8420", "https://[2001:db8::1]:8443"} {
		for n := 1; n <= MaxDoors; n++ {
			i := Invitation{Server: server, Account: wire.AccountID{1, 2, 3}}
			for range n {
				i.Doors = append(i.Doors, newLinkDoor())
			}
			link := i.String()
			if !strings.HasPrefix(link, server+"/i#") {
				t.Fatalf("link: %s", link)
			}
			for _, s := range []string{link, "  " + link + "\n", "<" + link + ">.", "\"" + link + "\","} {
				got, err := ParseInvitation(s)
				if err != nil || !reflect.DeepEqual(got, i) {
					t.Fatalf("%d doors: got %v, %v", n, got, err)
				}
				if !IsLink(s) {
					t.Errorf("%q is not taken for a link", s)
				}
			}
		}
	}
	d := newLinkDoor()
	if on := d.On(server); on.Server != server || on.ID != d.ID || on.check() != nil {
		t.Errorf("door: %v", on)
	}
	for _, s := range []string{"alice", "alice@example.org", "alice@localhost:8420", wire.AccountID{}.String()} {
		if IsLink(s) {
			t.Errorf("%q is taken for a link", s)
		}
	}
}

func TestAGroupsLinkIsNoPersonsLink(t *testing.T) {
	i := Invitation{Group: true, Server: server, Account: wire.AccountID{7}, Doors: []LinkDoor{newLinkDoor()}}
	link := i.String()
	if got, err := ParseInvitation(link); err != nil || !reflect.DeepEqual(got, i) || !IsLink(link) {
		t.Fatalf("got %+v, %v", got, err)
	}
	// The one's code behind the other's path is neither.
	_, err := ParseInvitation(strings.Replace(link, groupPath, invitePath, 1))
	wantCode(t, "a group's code as a person's", err, wire.BadInput)
	i.Group = false
	_, err = ParseInvitation(strings.Replace(i.String(), invitePath, groupPath, 1))
	wantCode(t, "a person's code as a group's", err, wire.BadInput)
}

func TestWrongInvitationsSayWhatIsWrong(t *testing.T) {
	i := Invitation{Server: server, Account: wire.AccountID{7}, Doors: []LinkDoor{newLinkDoor(), newLinkDoor()}}
	link := i.String()
	at := len(server + "/i#")
	for n := at; n < len(link); n++ {
		_, err := ParseInvitation(link[:n])
		wantCode(t, "cut", err, wire.BadInput)
		if err == nil || !strings.Contains(err.Error(), "cut short") {
			t.Errorf("cut at %d of %d: %v", n, len(link), err)
		}
	}
	for n := at; n < len(link); n++ {
		for _, c := range []byte("AQz9_") {
			bad := []byte(link)
			if bad[n] == c {
				continue
			}
			bad[n] = c
			if got, err := ParseInvitation(string(bad)); err == nil {
				t.Fatalf("letter %d changed, and read as %v", n, got)
			}
		}
	}
	for s, want := range map[string]string{
		"": "not an invitation", "alice@example.org": "not an invitation", "https://example.org": "code is missing",
		"https://example.org/": "code is missing", "https://example.org/i": "code is missing", server + "/i#": "cut short",
		"https://example.org/other#" + link[at:]:   "not an invitation",
		"example.org/i#" + link[at:]:               "address of a Hearth server",
		"ftp://example.org/i#" + link[at:]:         "address of a Hearth server",
		"https://user@example.org/i#" + link[at:]:  "address of a Hearth server",
		"https://example.org:70000/i#" + link[at:]: "address of a Hearth server",
		"https://other.example/i#" + link[at:]:     "another server",
		"http://example.org/i#" + link[at:]:        "another server",
		link + "AAAA":                              "changed",
		strings.Replace(link, "/i#A", "/i#é", 1):   "changed",
		server + "/i#" + "B" + link[at+1:]:         "newer version",
		newDeviceLink(server).String():             "links a device",
	} {
		_, err := ParseInvitation(s)
		code := wire.BadInput
		if strings.Contains(want, "newer") {
			code = wire.Unsupported
		}
		wantCode(t, s, err, code)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %q, want something about %q", s, err, want)
		}
	}
	// A checksum under another label or over nothing is not ours.
	b := append([]byte{1}, make([]byte, 32)...)
	b = i.Doors[0].append(append(b, 1))
	if _, err := ParseInvitation(server + invitePath + inviteEncoding.EncodeToString(append(b, checksum(deviceLabel, server, b)...))); err == nil {
		t.Error("a device link's checksum is accepted")
	}
	many := Invitation{Server: server}
	for range MaxDoors + 1 {
		many.Doors = append(many.Doors, newLinkDoor())
	}
	if _, err := ParseInvitation(many.String()); err == nil {
		t.Error("too many doors are accepted")
	}
	none := append(append([]byte{1}, make([]byte, 32)...), 0)
	none = append(none, make([]byte, linkDoorSize)...)
	if _, err := ParseInvitation(server + invitePath + inviteEncoding.EncodeToString(append(none, checksum(inviteLabel, server, none)...))); err == nil {
		t.Error("an invitation without doors is accepted")
	}
}

func TestDeviceLinkIsAnotherThing(t *testing.T) {
	l := newDeviceLink("http://localhost:8420")
	code := l.String()
	got, err := ParseDeviceLink(" " + code + " ")
	if err != nil || !reflect.DeepEqual(got, l) || !IsLink(code) {
		t.Fatalf("got %v, %v", got, err)
	}
	invitation := Invitation{Server: l.Server, Doors: []LinkDoor{newLinkDoor()}}.String()
	at := strings.IndexByte(code, '#') + 1
	for s, want := range map[string]string{
		invitation: "is an invitation", "hearth-device:" + invitation: "address of a Hearth server", "x": "begins with hearth-device",
		code[len(deviceScheme):]: "begins with hearth-device", code[:at]: "cut short", code[:len(code)-1]: "cut short", code[:at-1]: "cut short",
		strings.Replace(code, "localhost", "other", 1):                      "another server",
		"hearth-device:http://localhost:8420#" + strings.ToUpper(code[at:]): "changed",
		code[:at] + "ai" + code[at+2:]:                                      "newer version",
		code + "a":                                                          "changed",
	} {
		_, err := ParseDeviceLink(s)
		code := wire.BadInput
		if strings.Contains(want, "newer") {
			code = wire.Unsupported
		}
		wantCode(t, s, err, code)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %q, want something about %q", s, err, want)
		}
	}
	for n := at; n < len(code); n++ {
		bad := []byte(code)
		bad[n] = "ab"[b2i(bad[n] == 'a')]
		if _, err := ParseDeviceLink(string(bad)); err == nil {
			t.Fatalf("letter %d changed and accepted", n)
		}
	}
	// Bits behind the last byte: another spelling of the same bytes.
	last := strings.IndexByte("abcdefghijklmnopqrstuvwxyz234567", code[len(code)-1])
	for spare := 1; spare < 8; spare++ {
		bad := code[:len(code)-1] + string("abcdefghijklmnopqrstuvwxyz234567"[last^spare])
		if _, err := ParseDeviceLink(bad); err == nil {
			t.Fatalf("a second spelling is accepted")
		}
	}
	// The code of one, put into the scheme of the other, is refused.
	if _, err := ParseInvitation(l.Server + invitePath + code[at:]); err == nil {
		t.Error("a device code behind an invitation's address is accepted")
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func FuzzParseInvitation(f *testing.F) {
	f.Add(Invitation{Server: server, Doors: []LinkDoor{newLinkDoor()}}.String())
	f.Add(Invitation{Group: true, Server: server, Doors: []LinkDoor{newLinkDoor()}}.String())
	f.Add(newDeviceLink(server).String())
	f.Fuzz(func(t *testing.T, s string) {
		if i, err := ParseInvitation(s); err == nil && i.String() != tidy(s) {
			t.Errorf("accepted %q, which is %q", s, i)
		}
		if l, err := ParseDeviceLink(s); err == nil && l.String() != tidy(s) {
			t.Errorf("accepted %q, which is %q", s, l)
		}
	})
}

// What a holder of the right keys can write inside the seals.
func FuzzInside(f *testing.F) {
	alice, bob := newPerson(f), newPerson(f)
	w := alice.wrapper()
	w.Version, w.Device = WrapperVersion, alice.Device.ID()
	f.Add(wire.Encode(Letter{Version: 1, Kind: KindAnswer, Body: []byte("x")}))
	f.Add(wire.Encode(signed{Body: wire.Encode(w)}))
	f.Add(wire.Encode(w))
	f.Add(must(SealWelcome(bob.kp, alice.Device, alice.wrapper())))
	f.Add(must(NewAnswer(alice.Device, Answer{Ref: []byte("r"), Accept: true, Doors: []Door{newDoor()}})))
	f.Add(must(NewJoin(alice.Device, alice.join())))
	f.Add(must(NewLinkRequest(bob.Device, alice.Chain.Account(), LinkRequest{Name: "phone", Door: newDoor()})))
	at := newDoor()
	f.Add(LinkAnswer{State: LinkDone, Nonce: make([]byte, NonceSize), Chain: alice.Chain.Entries(), Door: &at}.Encode())
	f.Add(LinkAnswer{State: LinkAsked, Nonce: make([]byte, NonceSize)}.Encode())
	f.Add(wire.Encode(Tree{Version: 1, Ratchet: []byte("x"), Chains: [][][]byte{{[]byte("a")}}, Places: []Place{{}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(what string, again []byte) {
			if !bytes.Equal(again, b) {
				t.Errorf("%s: accepted %x, encodes as %x", what, b, again)
			}
		}
		if l, err := parseLetter(b); err == nil {
			same("letter", wire.Encode(l))
		}
		if s, err := parseSealedWelcome(b); err == nil {
			same("welcome", wire.Encode(s))
		}
		if a, s, err := parseSigned[Answer](b); err == nil {
			same("answer", wire.Encode(s))
			if !bytes.Equal(wire.Encode(a), s.Body) {
				t.Errorf("answer: accepted %x", s.Body)
			}
		}
		if j, _, err := parseJoin(b); err == nil {
			var s signed
			wire.Decode(b, &s)
			same("join", wire.Encode(s))
			if !bytes.Equal(wire.Encode(j), s.Body) {
				t.Errorf("join: accepted %x", s.Body)
			}
		}
		if r, s, err := parseSigned[LinkRequest](b); err == nil {
			same("link request", wire.Encode(s))
			if !bytes.Equal(wire.Encode(r), s.Body) {
				t.Errorf("link request: accepted %x", s.Body)
			}
		}
		if a, err := parseLinkAnswer(b); err == nil {
			same("link answer", wire.Encode(a))
		}
		if tree, err := parseTree(b); err == nil {
			same("tree", wire.Encode(tree))
		}
		parseWrapper([]byte("ref"), b)
		var w Wrapper
		if wire.Decode(b, &w) == nil && w.check() == nil {
			same("wrapper", wire.Encode(w))
		}
	})
}

func FuzzOpen(f *testing.F) {
	d := newDoor()
	f.Add(must(Seal(d, KindAnswer, []byte("x"))))
	f.Add(must(SealPackage(d.ID, d.Sealing, []byte("x"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		Open(d.ID, d.Sealing, b)
		OpenPackage(d, b)
		OpenTree(TreeRef{Key: d.Key}, b)
	})
}
