package rpc

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"hearth/wire"
)

// Error is the error object of an answer: JSON-RPC's code and message, with the
// contract's in Data.
type Error struct {
	Code    int        `json:"code"`
	Message string     `json:"message"`
	Data    *ErrorData `json:"data,omitempty"`
}

// ErrorData is what scripts and people go by.
type ErrorData struct {
	Code    wire.Code `json:"code"`
	Message string    `json:"message"`
	Next    string    `json:"next"`
}

// The codes of JSON-RPC 2.0 §5.1, and two of its range for servers.
const (
	codeParse          = -32700
	codeInvalidRequest = -32600
	codeMethodNotFound = -32601
	codeInvalidParams  = -32602
	codeFailed         = -32000 // Data says why
	// codeLeaving: the process that owns the home is ending and has not begun
	// this request; ask the next owner.
	codeLeaving = -32001
)

// ErrLeaving says that the home's owner is ending and did not begin the
// request: it is safe to ask again, elsewhere.
var ErrLeaving = errors.New("the process that holds this account is ending")

func newError(code int, kind wire.Code, message, next string) *Error {
	return &Error{Code: code, Message: message, Data: &ErrorData{Code: kind, Message: message, Next: next}}
}

func parseError(message string) *Error {
	return newError(codeParse, wire.BadInput, message, "send one JSON-RPC 2.0 message a line")
}

func invalidRequest(message string) *Error {
	return newError(codeInvalidRequest, wire.BadInput, message, "send one JSON-RPC 2.0 message a line")
}

func invalidParams(message string) *Error {
	return newError(codeInvalidParams, wire.BadInput, message, "check the parameters")
}

func leaving() *Error {
	return newError(codeLeaving, wire.HomeInUse, ErrLeaving.Error(), "ask again")
}

// failed turns what a method returned into the error object of its answer.
// An error without a code becomes internal; its text stays, for whoever sees it
// is the owner of this home.
func failed(err error) *Error {
	var already *Error
	if errors.As(err, &already) {
		return already
	}
	if errors.Is(err, ErrLeaving) {
		return leaving()
	}
	var e *wire.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, syscall.ENOSPC):
		e = wire.Errorf(wire.DiskFull, "the disk is full").WithNext("free some space, then try again; nothing you wrote is lost")
	case errors.Is(err, context.DeadlineExceeded):
		e = wire.Errorf(wire.Unreachable, "there was no answer in time").WithNext("check the connection, then try again")
	case errors.Is(err, context.Canceled):
		e = wire.Errorf(wire.Internal, "stopped before it was done").WithNext("try again")
	default:
		e = wire.Errorf(wire.Internal, "%w", err).WithNext("try again; if it stays, report it")
	}
	return newError(codeFailed, e.Code, e.Message, e.Next)
}

// Error returns the message.
func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// Unwrap returns the same error as a *wire.Error, or ErrLeaving.
func (e *Error) Unwrap() error {
	if e.Code == codeLeaving {
		return ErrLeaving
	}
	if e.Data == nil {
		return &wire.Error{Code: wire.Internal, Message: e.Message}
	}
	return &wire.Error{Code: e.Data.Code, Message: e.Data.Message, Next: e.Data.Next}
}
