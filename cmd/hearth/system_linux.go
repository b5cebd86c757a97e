package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	readTermios  = unix.TCGETS
	writeTermios = unix.TCSETS
)

// selfPath names this program's file, even if another was put in its place.
const selfPath = "/proc/self/exe"

// memory returns how many bytes of memory this machine has.
func memory() uint64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}

// shutMemory keeps other programs of this person from reading this process's
// memory, and the system from writing it to a core file.
var shutMemory = func() { unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
