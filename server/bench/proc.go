package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// What a process used, as Linux's /proc tells; elsewhere, and for pid 0, 0 (or
// -1 where 0 would be a figure).

// ticksPerSecond is USER_HZ: 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// processCPU is the processor time of a process in seconds.
func processCPU(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold spaces. After it, fields 14 and 15 are
	// utime and stime (proc(5)).
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 13 {
		return 0
	}
	u, _ := strconv.ParseFloat(f[11], 64)
	k, _ := strconv.ParseFloat(f[12], 64)
	return (u + k) / ticksPerSecond
}

func ownCPU() float64 { return processCPU(os.Getpid()) }

// CPUs is the processor time so far of a server and of this process, seconds; 0
// where it is not known.
func (p *Process) CPUs() (server, own float64) { return processCPU(p.PID), ownCPU() }

// processRSS is the resident memory of a process in bytes.
func processRSS(pid int) int64 {
	return field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:", 0) << 10
}

// processWrites is how many bytes a process has written to disks; -1 if unknown.
func processWrites(pid int) int64 {
	return field(fmt.Sprintf("/proc/%d/io", pid), "write_bytes:", -1)
}

// field finds the number after name in a file of lines.
func field(path, name string, absent int64) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return absent
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
				return n
			}
		}
	}
	return absent
}
