package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hearth/core/lock"
	"hearth/rpc"
)

// terminal opens a pair: what a person types into near arrives at far.
func terminal(t *testing.T) (near, far *os.File) {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	n, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

// A person types the passphrase: it is asked for twice, and not shown.
func TestAPassphraseIsTypedUnseen(t *testing.T) {
	near, far := terminal(t)
	home := filepath.Join(t.TempDir(), "home")
	say := func(args []string, prompts ...string) (shown, answer string, failed bool) {
		t.Helper()
		cmd := exec.Command("hearth", append([]string{"--home", home}, args...)...)
		cmd.Stdin = far
		errs, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Process.Kill()
		// The echo is off before the prompt is written.
		got := make([]byte, 0, 4096)
		for i := 0; i+1 < len(prompts); i += 2 {
			for !bytes.HasSuffix(got, []byte(prompts[i])) {
				n, err := errs.Read(got[len(got):cap(got)])
				if err != nil || n == 0 {
					t.Fatalf("asked %q, then %v; want %q", got, err, prompts[i])
				}
				got = got[:len(got)+n]
			}
			got = got[:0] // the next one may be the same
			if _, err := near.WriteString(prompts[i+1] + "\n"); err != nil {
				t.Fatal(err)
			}
		}
		failed = cmd.Wait() != nil
		n, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCINQ)
		if err != nil {
			t.Fatal(err)
		}
		echo := make([]byte, n)
		if n > 0 {
			near.Read(echo) // as much as there is
		}
		return string(echo), out.String(), failed
	}
	const asked, again, now = "New passphrase: ", "The same again: ", "Passphrase: "
	if _, _, failed := say([]string{"passphrase", "set"}, asked, lockedWith, again, "something else"); !failed {
		t.Error("two that differ were taken")
	}
	if shown, _, failed := say([]string{"passphrase", "set"}, asked, lockedWith, again, lockedWith); failed || shown != "" {
		t.Errorf("failed: %v; the terminal shows %q", failed, shown)
	}
	// It is asked for again when mistyped, and the terminal shows what is typed
	// afterwards.
	if shown, out, failed := say([]string{"lock", "--after", "5m"}, now, "not that", now, lockedWith); failed || shown != "" || !strings.Contains(out, "5m") {
		t.Errorf("failed: %v; shown %q, %q", failed, shown, out)
	}
	state, err := unix.IoctlGetTermios(int(far.Fd()), readTermios)
	if err != nil || state.Lflag&unix.ECHO == 0 {
		t.Errorf("the terminal stays dark: %v", err)
	}
	// A program at a terminal is not asked.
	if shown, out, failed := say([]string{"requests", "--json"}); !failed || shown != "" || !bytes.Contains([]byte(out), []byte(`"locked"`)) {
		t.Errorf("failed: %v; shown %q, %q", failed, shown, out)
	}
}

// A daemon that nobody uses locks itself, and its memory goes with it.
func TestAnIdleDaemonLocksItself(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	file := pass(t, lockedWith)
	process(t, "--home", home, "passphrase", "set", "--new-passphrase-file", file)
	process(t, "--home", home, "--passphrase-file", file, "lock", "--after", "1s")
	pid := startReadable(t, "--home", home, "--passphrase-file", file, "daemon")
	at, err := socketPath(home, homeSocket)
	if err != nil {
		t.Fatal(err)
	}
	if err := answers("unix", at); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon's lock", func() bool {
		s, err := join(t.Context(), home, passing)
		if err != nil {
			return false
		}
		defer s.close()
		var now lock.Status
		return s.Call(t.Context(), "lock.status", rpc.None{}, &now) == nil && now.Locked
	})
	eventually(t, "an empty memory", func() bool {
		return len(find(memoryOf(t, pid), map[string][]byte{"passphrase": []byte(lockedWith)})) == 0
	})
}
