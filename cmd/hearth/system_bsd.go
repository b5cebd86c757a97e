//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package main

import "golang.org/x/sys/unix"

const (
	readTermios  = unix.TIOCGETA
	writeTermios = unix.TIOCSETA
)

// selfPath is not known here: the program is found by its name.
const selfPath = ""

// memory returns how many bytes of memory this machine has: not known here.
func memory() uint64 { return 0 }

func shutMemory() {}
