package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// readable is a variable of the environment that lets tests read the memory of
// the processes that they start.
const readable = "HEARTH_TEST_READABLE"

func init() {
	if os.Getenv(readable) != "" {
		shutMemory = func() {}
	}
}

// startReadable starts the program and returns its process id.
func startReadable(t *testing.T, args ...string) (pid int) {
	t.Helper()
	cmd := exec.Command("hearth", args...)
	cmd.Env = append(os.Environ(), readable+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process.Pid
}

// memoryOf returns all that a process holds and may write: heap, stacks, data.
func memoryOf(t *testing.T, pid int) []byte {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	var all []byte
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if !strings.HasPrefix(mode, "rw") {
			continue
		}
		b, err := io.ReadAll(io.NewSectionReader(mem, int64(from), int64(to-from)))
		if err != nil {
			t.Logf("a range of %d bytes can't be read: %v", to-from, err)
		}
		all = append(all, b...)
	}
	if len(all) < 1<<20 {
		t.Fatalf("read only %d bytes", len(all))
	}
	return all
}

func TestMemoryIsShutToOthers(t *testing.T) {
	before, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(before), 0, 0, 0)
	harden()
	if got, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || got != 0 {
		t.Errorf("dumpable: %d, %v", got, err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 {
		t.Errorf("core files may have %d bytes, %v", limit.Cur, err)
	}
}
