package core

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/content"
)

// marker is what is looked for in the homes after its end.
const marker = "xyzzyplugh"

// scene is where each kind of content is said: alice and bob, who has two devices,
// one of them off, and carol, to whom bob sends on.
type scene struct {
	t                        *testing.T
	alice, bob, phone, carol *home
	room, other              string
	ends                     time.Duration
}

// options are those of whatever is said: it ends soon.
func (sc *scene) options() content.Options {
	now := time.Now()
	return content.Options{Sent: now, Expires: content.EndsAt(now.Add(sc.ends))}
}

// say sends a text that ends soon.
func (sc *scene) say(text string) content.MessageID {
	sc.t.Helper()
	return sc.send(SendOptions{Text: text})
}

func (sc *scene) send(o SendOptions) content.MessageID {
	sc.t.Helper()
	o.To, o.Expire = sc.room, sc.ends
	s, err := sc.alice.c.Send(sc.alice.ctx(), o)
	if err != nil {
		sc.t.Fatal(err)
	}
	synctest.Wait()
	return messageID(sc.t, s.ID)
}

// utter says what no method of this version makes.
func (sc *scene) utter(m *content.Message, err error) content.MessageID {
	sc.t.Helper()
	if err != nil {
		sc.t.Fatal(err)
	}
	body, err := m.Encode()
	if err != nil {
		sc.t.Fatal(err)
	}
	id, _ := parseConv(sc.room)
	s, err := sc.alice.c.utter(sc.alice.ctx(), id, nil, m, body, time.Now())
	if err != nil {
		sc.t.Fatal(err)
	}
	synctest.Wait()
	return messageID(sc.t, s.ID)
}

// sayings say the marker in each kind of content, and return the message with
// which it is to end.
var sayings = map[content.Kind]func(sc *scene) content.MessageID{
	content.Unknown: func(sc *scene) content.MessageID {
		m := must(content.NewText("x", sc.options()))
		m.Part = content.Part{Disposition: content.Render, Body: content.Single{ContentType: "application/x-later", Content: []byte(marker)}}
		return sc.utter(m, nil)
	},
	content.Text: func(sc *scene) content.MessageID { return sc.say(marker) },
	content.React: func(sc *scene) content.MessageID {
		of := sc.say("target")
		sc.bob.amend(AmendOptions{Room: sc.room, ID: of.String(), React: marker})
		return of
	},
	content.Edit: func(sc *scene) content.MessageID {
		of := sc.say("target")
		sc.alice.amend(AmendOptions{Room: sc.room, ID: of.String(), Text: marker})
		return of
	},
	// What is deleted was there, and the deletion says nothing of it.
	content.Delete: func(sc *scene) content.MessageID { return sc.say(marker) },
	content.File: func(sc *scene) content.MessageID {
		return sc.utter(content.NewAttachment(content.External{ContentType: "text/plain", URL: "https://h.example/" + marker,
			FileName: marker}, marker, sc.options()))
	},
	content.Poll: func(sc *scene) content.MessageID { return sc.poll() },
	content.Vote: func(sc *scene) content.MessageID {
		of := sc.poll()
		if _, err := sc.bob.c.Vote(sc.bob.ctx(), VoteOptions{Room: sc.room, ID: of.String(), Choices: []int{2}}); err != nil {
			sc.t.Fatal(err)
		}
		return of
	},
	content.Place: func(sc *scene) content.MessageID {
		return sc.send(SendOptions{Place: &NewPlace{Lat: 1, Lon: 2, Label: marker}})
	},
	content.Contact: func(sc *scene) content.MessageID {
		return sc.utter(content.NewContact(content.Card{Name: marker, Handle: "x"}, sc.options()))
	},
}

// poll asks whether it is the marker.
func (sc *scene) poll() content.MessageID {
	return sc.send(SendOptions{Poll: &NewPoll{Question: "is it?", Options: []string{"no", marker}}})
}

// TestNothingOutlivesItsContent: whatever kind of content is said, once its end has
// come no record of any home holds it or what was made of it: what answers it,
// edits it, reacts to it, sends it on or finds it. Ten seconds before, all do.
func TestNothingOutlivesItsContent(t *testing.T) {
	records := recordKinds(t)
	for _, k := range content.Kinds() {
		t.Run(k.String(), func(t *testing.T) {
			if sayings[k] == nil {
				t.Fatalf("nobody says how %s is said: add it to sayings", k)
			}
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				sc := &scene{t: t, alice: w.person("alice"), bob: w.person("bob"), carol: w.person("carol"), ends: time.Hour}
				sc.room = sc.alice.send("bob", "hello").Room
				sc.bob.accept()
				sc.other = sc.bob.send("carol", "hello").Room
				sc.carol.accept()
				sc.phone = w.link(sc.bob, "phone")
				off := w.link(sc.bob, "off")
				off.stop()
				began := time.Now()
				of := sayings[k](sc).String()
				sc.bob.search(marker)
				sc.bob.amend(AmendOptions{Room: sc.room, ID: of, React: "👍"})
				if _, err := sc.bob.c.Send(sc.bob.ctx(), SendOptions{To: sc.room, Text: "about that", Reply: of}); err != nil {
					t.Fatal(err)
				}
				homes := []*home{sc.alice, sc.bob, sc.phone}
				if k != content.Delete { // a copy is whose it is, and ends by itself
					if _, err := sc.bob.c.Forward(sc.bob.ctx(), ForwardOptions{Room: sc.room, ID: of, To: sc.other}); err != nil {
						t.Fatal(err)
					}
					if k != content.React { // what others said of it is not sent on
						homes = append(homes, sc.carol)
					}
				}
				for _, h := range []*home{sc.alice, sc.bob, sc.phone, sc.carol} {
					h.got()
				}
				time.Sleep(sc.ends - 10*time.Second - time.Since(began))
				synctest.Wait()
				for _, h := range homes {
					if len(h.holding(t, records, marker)) == 0 {
						t.Errorf("%s does not hold it while it is there", h.name)
					}
				}
				if k == content.Text && len(sc.bob.search(marker)) != 2 { // and the copy
					t.Error("bob does not find it while it is there")
				}
				if k == content.Delete {
					sc.alice.amend(AmendOptions{Room: sc.room, ID: of, Delete: true})
				} else {
					time.Sleep(20 * time.Second)
				}
				synctest.Wait()
				off.start()
				off.got()
				for _, h := range append(homes, off) {
					if in := h.holding(t, records, marker); len(in) != 0 {
						t.Errorf("%s still holds it after its end, in records of %s", h.name, strings.Join(in, ", "))
					}
					for _, r := range must(h.c.Rooms(h.ctx())) {
						for _, line := range h.told(r.Room) {
							if strings.Contains(line, marker) {
								t.Errorf("%s shows it after its end: %q", h.name, line)
							}
						}
					}
					if got := h.search(marker); len(got) != 0 {
						t.Errorf("%s finds it after its end", h.name)
					}
					for _, lines := range h.c.texts.lines {
						for _, l := range lines {
							if strings.Contains(l.text, marker) {
								t.Errorf("%s has it in memory after its end", h.name)
							}
						}
					}
				}
			})
		})
	}
}

// holding lists the kinds of records in which a home holds a text, opened with every key
// that the home has.
func (h *home) holding(t testing.TB, records map[string]string, text string) (in []string) {
	t.Helper()
	for kind := range records {
		err := h.c.look(context.Background(), func(s *step) error {
			return s.scan(kind, func(_ string, b []byte) (bool, error) {
				if strings.Contains(string(b), text) && !slices.Contains(in, kind) {
					in = append(in, kind)
				}
				return true, nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(in)
	return in
}
