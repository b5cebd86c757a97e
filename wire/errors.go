package wire

import "fmt"

// Code is the kind of an error, stable for scripts and programs.
type Code string

// Codes that a person or a script may see (the contract of the command line).
const (
	BadInput    Code = "bad_input"
	Unreachable Code = "unreachable"
	WrongServer Code = "wrong_server"
	Taken       Code = "taken"
	HomeInUse   Code = "home_in_use"
	NotFound    Code = "not_found"
	Denied      Code = "denied"
	Locked      Code = "locked"
	Damaged     Code = "damaged"
	DiskFull    Code = "disk_full"
	Stale       Code = "stale"
	Full        Code = "full"
	Unsupported Code = "unsupported"
	Internal    Code = "internal"
)

// Codes between client and server only; a client deals with them itself.
const (
	// Stuck: the epoch is right, the token is not (protocol §1).
	Stuck Code = "stuck"
	// Lapsed: the seat's cursor lies before a commit that is gone (§1).
	Lapsed Code = "lapsed"
	// Gone: the room was dropped.
	Gone Code = "gone"
	// Closing: the host takes no more posts for this room (§10).
	Closing Code = "closing"
)

// Error is an error that crosses the wire. What a stranger may not learn gives
// the same error: Denied for "absent" and for "forbidden".
type Error struct {
	// Code decides what a program does.
	Code Code
	// Message says what happened, to what, in words for people; no id, name,
	// address or content.
	Message string
	// Next says what to do now; empty where there is nothing to do.
	Next string

	cause error
}

// errorBody is the wire form of Error.
type errorBody struct {
	_       struct{} `cbor:",toarray"`
	Code    Code
	Message string
	Next    string
}

// Values to compare with: errors.Is(err, ErrStale) holds for any *Error with
// that code.
var (
	// ErrStale says the room has moved on: catch up, encrypt again, retry.
	ErrStale = &Error{Code: Stale, Message: "the room has moved on", Next: "catch up, encrypt again, retry"}
	// ErrStuck says the epoch is right and the token is not.
	ErrStuck = &Error{Code: Stuck, Message: "the post token does not fit this epoch", Next: "commit once from a seat, or ask for a refresh"}
	// ErrDenied says no, and not why.
	ErrDenied = &Error{Code: Denied, Message: "not allowed, or not there"}
	// ErrFull says that a budget is used up.
	ErrFull = &Error{Code: Full, Message: "the budget is used up", Next: "wait, then try again"}
	// ErrLapsed says the seat was away for too long to catch up.
	ErrLapsed = &Error{Code: Lapsed, Message: "the seat was away too long", Next: "ask for a refresh"}
	// ErrGone says that the room is no longer there.
	ErrGone = &Error{Code: Gone, Message: "the room is gone", Next: "found a successor"}
	// ErrClosing says that the room takes no more posts.
	ErrClosing = &Error{Code: Closing, Message: "the room is closing", Next: "found a successor elsewhere"}
	// ErrTaken says that the name or id is in use.
	ErrTaken = &Error{Code: Taken, Message: "that name is taken", Next: "choose another name"}
	// ErrNotFound says there is no such public thing.
	ErrNotFound = &Error{Code: NotFound, Message: "there is no such account here"}
	// ErrInternal says that the server failed; it has logged why.
	ErrInternal = &Error{Code: Internal, Message: "the server could not do this", Next: "try again; if it stays, tell the operator"}
)

// Errorf returns an error with a code and a message for people.
func Errorf(code Code, format string, args ...any) *Error {
	e := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: e.Error(), cause: e}
}

// WithNext returns a copy that says what to do next.
func (e *Error) WithNext(next string) *Error {
	c := *e
	c.Next = next
	return &c
}

// Error returns the message and the next step.
func (e *Error) Error() string {
	if e.Next == "" {
		return e.Message
	}
	return e.Message + ": " + e.Next
}

// Is reports whether target is an *Error of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Unwrap returns what caused the error on this side; it never crosses the wire.
func (e *Error) Unwrap() error { return e.cause }

// MarshalCBOR writes code, message and next step.
func (e *Error) MarshalCBOR() ([]byte, error) {
	return encMode.Marshal(errorBody{Code: e.Code, Message: e.Message, Next: e.Next})
}

// UnmarshalCBOR reads what MarshalCBOR wrote.
func (e *Error) UnmarshalCBOR(b []byte) error {
	var body errorBody
	if err := decMode.Unmarshal(b, &body); err != nil {
		return err
	}
	*e = Error{Code: body.Code, Message: body.Message, Next: body.Next}
	return nil
}
