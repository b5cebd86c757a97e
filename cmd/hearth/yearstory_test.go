package main

import (
	"strings"
	"testing/synctest"
	"time"
)

// live is the year: three devices, one of them stolen, one lost, and what a backup
// gave back.
func (y *year) live() {
	y.text.WriteString("# A year with Hearth\n\nWhat Alice and her friends type on their devices in a year, and what they read. Her phone is stolen, her tablet lies in a drawer, her laptop is lost.\n\n" +
		"This page is written by a test (cmd/hearth/yearstory_test.go) that lives the year with real clients and a real server, on a clock of its own, and\n" +
		"fails when anything here is not what happens. Every device runs hearth daemon. Names in capitals stand for ids, which are 22 or 43 letters; receipts are left out, and the minutes of what happens by itself.\n")
	y.account()
	y.devices()
	y.group()
	y.stolen()
	y.away()
	y.lost()
	y.end()
}

const yearHouse = "https://home.example"

func (y *year) account() {
	for _, d := range []string{"laptop", "bob", "carol"} {
		y.device(d)
	}
	y.chapter(time.January, 2, "an account", "Alice makes an account on her laptop. Bob and Carol have theirs.")
	y.register("laptop", "alice", true)
	y.register("bob", "bob", false)
	y.register("carol", "carol", false)
	y.types("laptop", "send", "bob", "Happy new year! It is me, Alice.")
	y.direct = y.name(y.asks("laptop", "rooms")[0]["room"], "ALICE-AND-BOB")
	id := y.name(y.asks("bob", "requests")[0]["id"], "REQUEST")
	y.types("bob", "requests")
	y.types("bob", "accept", id)
	y.types("bob", "send", "alice", "Happy new year! What is this?")
	y.types("laptop", "recv")
}

// register makes an account. shown: with what is printed.
func (y *year) register(device, name string, shown bool) {
	y.minute()
	var out screen
	args := []string{"register", name, "--server", yearHouse}
	if code := y.run(y.w.T.Context(), device, "", &out, args...); code != 0 {
		y.t.Fatal(out.String())
	}
	me := y.asks(device, "whoami")[0]
	y.name(me["account"], strings.ToUpper(name))
	y.name(me["device"], strings.ToUpper(device))
	if shown {
		y.words = strings.TrimSpace(phrase.FindString(out.String()))
		y.shows(device, args, "", out.String())
	}
}

func (y *year) devices() {
	y.device("phone")
	y.device("tablet")
	y.chapter(time.January, 5, "a second device, and a third", "Her phone becomes a device of the account, and the phone makes her tablet one.")
	y.links("laptop", "phone")
	y.links("phone", "tablet")
	y.types("tablet", "device", "list")
	y.types("tablet", "history", y.direct)
	y.types("laptop", "recv")
}

func (y *year) group() {
	y.chapter(time.January, 15, "a group", "What is said about walks need not stay for long.")
	y.types("laptop", "group", "new", "Sunday walks", "bob", "carol")
	for _, r := range y.asks("laptop", "rooms") {
		if r["kind"] == "group" {
			y.walks = y.name(r["room"], "WALKS")
		}
	}
	for _, who := range []string{"bob", "carol"} {
		y.types(who, "accept", y.name(y.asks(who, "requests")[0]["id"], "REQUEST"))
	}
	y.types("laptop", "group", "set", y.walks, "--retention", "7d")
	y.types("carol", "send", y.walks, "Sunday at ten, at the bridge?")
	y.types("phone", "send", y.walks, "I bring tea.")
	y.types("tablet", "recv")

	y.chapter(time.January, 24, "what ends", "Nine days later the seven days are over: on every device, and on the server, long before.")
	y.types("tablet", "history", y.walks)
	y.types("bob", "history", y.walks)

	y.chapter(time.March, 1, "a backup", "It goes to her house, where nobody can read it, and is renewed and tried out by itself.")
	y.types("laptop", "send", "bob", "I keep my things safe now.")
	y.types("laptop", "backup", "create", "--to", "server")
	y.types("laptop", "backup", "verify")
}

func (y *year) stolen() {
	y.chapter(time.April, 9, "the phone is stolen", "She takes it out of her account. The thief keeps what was on it, and gets nothing more.")
	y.types("laptop", "device", "revoke", y.asks("phone", "whoami")[0]["device"].(string))
	y.types("bob", "send", y.walks, "Her phone was stolen. It is not her who has it!")
	y.types("laptop", "send", "bob", "I am fine. The phone is not mine any more.")
	y.types("phone", "recv")
	y.tries("phone", "", "history", y.walks)
	if y.tries("phone", "", "send", "bob", "Send me money, please.") == 0 {
		y.t.Error("the thief sends")
	}
	y.types("tablet", "recv")
	y.types("tablet", "device", "list")
}

func (y *year) away() {
	y.chapter(time.May, 2, "a tablet in a drawer", "The tablet's battery is empty. The others talk, and the keys of their conversations change meanwhile.")
	y.w.Net.Offline("tablet")
	before := y.epoch("bob", y.walks)
	y.types("bob", "send", y.walks, "Who comes on Sunday?")
	y.types("laptop", "send", "bob", "I cannot find my tablet.")
	y.chapter(time.June, 10, "it is missed", "Bob asks.")
	y.types("bob", "send", "alice", "Did you find your tablet?")
	y.chapter(time.June, 20, "seven weeks later", "That is longer than the house keeps anything for a device that is away. The tablet asks, and is let in again; the laptop hands over what it missed and what has not ended.")
	if now := y.epoch("bob", y.walks); now == before {
		y.t.Errorf("the keys are still those of epoch %v", now)
	}
	y.w.Net.Online("tablet")
	time.Sleep(3 * time.Hour)
	y.types("tablet", "history", y.direct)
	y.types("tablet", "send", "bob", "It was in the drawer.")
	y.types("bob", "history", y.direct)
}

func (y *year) lost() {
	y.chapter(time.September, 14, "the laptop is lost", "It stays on a train, and the tablet is broken. She has the words on paper, and a new desktop.")
	y.types("bob", "send", "alice", "Where are you?")
	y.types("laptop", "backup", "create")
	y.w.Net.Offline("laptop")
	y.w.Net.Offline("tablet")
	y.device("desktop")
	if y.tries("desktop", y.words+"\n", "backup", "restore", "server", "--server", yearHouse) != 0 {
		y.t.Error("nothing is restored")
	}
	y.name(y.asks("desktop", "whoami")[0]["device"], "DESKTOP")
	y.types("desktop", "device", "list")
	y.types("desktop", "device", "revoke", y.asks("laptop", "whoami")[0]["device"].(string))
	y.types("desktop", "send", "bob", "I was on a train. My laptop still is.")
	y.chapter(time.September, 15, "let in", "The desktop has asked the tablet first, which is broken; after an hour it asked her friends, and their devices have let it in.")
	y.types("bob", "history", y.direct)
	y.types("bob", "send", y.walks, "She is back.")
	y.types("desktop", "history", y.direct)
	y.types("desktop", "history", y.walks)
}

func (y *year) end() {
	y.chapter(time.October, 3, "the tablet is mended", "It comes back into step by itself.")
	y.w.Net.Online("tablet")
	time.Sleep(3 * time.Hour)
	y.types("tablet", "history", y.direct)
	y.types("tablet", "device", "list")
	y.chapter(time.December, 31, "a year is over", "Both devices that she has show the same.")
	y.types("bob", "send", "alice", "What a year!")
	y.types("tablet", "send", y.walks, "Tomorrow at ten, at the bridge.")
	for _, d := range []string{"desktop", "tablet"} {
		y.types(d, "history", y.direct)
		y.types(d, "history", y.walks)
	}
	y.types("desktop", "device", "list")
	y.types("desktop", "backup", "verify")
	y.close()
	for _, room := range []string{y.direct, y.walks} {
		if a, b, c := y.epoch("desktop", room), y.epoch("tablet", room), y.epoch("bob", room); a != b || a != c {
			y.t.Errorf("the epochs of %s are %v, %v and %v", y.names[room], a, b, c)
		}
	}
}

// epoch is how often the keys of a conversation have changed, as a device has it.
func (y *year) epoch(device, room string) any {
	y.t.Helper()
	for _, r := range y.asks(device, "rooms") {
		if r["room"] == room {
			return r["epoch"]
		}
	}
	y.t.Fatalf("%s is not in %s", device, y.names[room])
	return nil
}

// links links a device, as two people with a device each would do it.
func (y *year) links(old, name string) {
	y.t.Helper()
	y.minute()
	var out screen
	ended := make(chan int, 1)
	go func() { ended <- y.run(y.w.T.Context(), old, "y\n", &out, "device", "link") }()
	synctest.Wait()
	made := linkCode.FindString(out.String())
	var here screen
	got := y.run(y.w.T.Context(), name, "", &here, "device", "link", made, "--name", name)
	if rc := <-ended; rc != 0 || got != 0 {
		y.t.Fatalf("linking: %d, %d\n%s\n%s", rc, got, out.String(), here.String())
	}
	y.name(y.asks(name, "whoami")[0]["device"], strings.ToUpper(name))
	for _, r := range y.asks(name, "rooms") {
		if r["kind"] == "self" {
			y.name(r["room"], "ALICE-ALONE")
		}
	}
	first, then, _ := strings.Cut(out.String(), name+" asks")
	y.shows(old, []string{"device", "link"}, "", first)
	y.shows(name, []string{"device", "link", made, "--name", name}, "", here.String())
	then = strings.Replace(then, "[y/N] ", "[y/N] y\n", 1)
	y.write("…and on the " + old + ":\n" + name + " asks" + then)
}
