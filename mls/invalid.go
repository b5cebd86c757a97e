package mls

import "errors"

// ErrInvalid says that data from outside breaks a rule of RFC 9420. Every such
// error matches it under errors.Is and names the rule's section in its text,
// never the data.
var ErrInvalid = errors.New("mls: invalid data")

// ErrUnsupported says that a cipher suite, a protocol version or a kind of
// credential is one this package doesn't have. It matches ErrInvalid too.
var ErrUnsupported = &ruleError{section: "§5.1", what: "the cipher suite or version is not supported"}

// ruleError is one broken rule.
type ruleError struct{ section, what string }

func (e *ruleError) Error() string        { return "mls: " + e.what + " (RFC 9420 " + e.section + ")" }
func (e *ruleError) Is(target error) bool { return target == ErrInvalid }

// invalid returns the error for a broken rule: the section that states it and
// what was found, in words.
func invalid(section, what string) error { return &ruleError{section, what} }
