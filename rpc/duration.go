package rpc

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// units are those that people type beside Go's own.
var units = map[byte]time.Duration{
	'd': 24 * time.Hour,
	'w': 7 * 24 * time.Hour,
	'y': 365 * 24 * time.Hour,
}

// ParseDuration reads a time span as people type it: 30s, 5m, 12h, 7d, 2w, 1y,
// or Go's forms such as 1h30m. It is never negative.
func ParseDuration(s string) (time.Duration, error) {
	wrong := fmt.Errorf("%q is not a time span such as 30s, 12h, 7d or 2w", s)
	if s == "" {
		return 0, wrong
	}
	if unit, ok := units[s[len(s)-1]]; ok {
		n, err := strconv.ParseUint(strings.TrimSuffix(s, s[len(s)-1:]), 10, 16)
		if err != nil {
			return 0, wrong
		}
		if d := time.Duration(n) * unit; d/unit == time.Duration(n) {
			return d, nil
		}
		return 0, wrong // longer than a Duration can say
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, wrong
	}
	return d, nil
}
