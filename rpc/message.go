package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// message is one line in either direction: a request (method and id), a
// notification (method only) or an answer (id with result or error), as
// JSON-RPC 2.0 says. Batches are not spoken here: send one message a line.
type message struct {
	ID     json.RawMessage // a string, a number or null; nil if absent
	Method string          // "" in an answer
	Params json.RawMessage // an object; nil if absent
	Result json.RawMessage // nil if absent
	Error  *Error
}

// wireMessage is message as it is written; the order of its fields is ours.
type wireMessage struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
}

// encode returns the message as one line, newline included.
func (m message) encode() ([]byte, error) {
	w := wireMessage{Version: "2.0", ID: m.ID, Method: m.Method, Params: m.Params, Result: m.Result, Error: m.Error}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(w); err != nil {
		return nil, fmt.Errorf("write a message: %w", err)
	}
	return b.Bytes(), nil
}

// decodeMessage reads one line strictly. The error says in words what is wrong;
// a message whose id could be read is returned with it, so that the answer
// finds its asker.
func decodeMessage(line []byte) (message, *Error) {
	if !utf8.Valid(line) {
		return message{}, parseError("the message is not UTF-8")
	}
	fields, err := object(line)
	if err != nil {
		return message{}, parseError(err.Error())
	}
	var m message
	if id, ok := fields["id"]; ok {
		if !validID(id) {
			return m, invalidRequest("id must be a string or a number")
		}
		m.ID = id
	}
	for name := range fields {
		if !slices.Contains([]string{"jsonrpc", "id", "method", "params", "result", "error"}, name) {
			return m, invalidRequest(fmt.Sprintf("%q is not part of a JSON-RPC message", name))
		}
	}
	if string(fields["jsonrpc"]) != `"2.0"` {
		return m, invalidRequest(`jsonrpc must be "2.0"`)
	}
	_, hasMethod := fields["method"]
	_, hasResult := fields["result"]
	_, hasError := fields["error"]
	if hasMethod {
		if hasResult || hasError {
			return m, invalidRequest("a message has a method, or a result, or an error")
		}
		if string(m.ID) == "null" {
			return m, invalidRequest("id must be a string or a number")
		}
		if err := json.Unmarshal(fields["method"], &m.Method); err != nil || m.Method == "" {
			return m, invalidRequest("method must be a word")
		}
		if p, ok := fields["params"]; ok {
			if p[0] != '{' {
				return m, invalidParams("params must be an object with names")
			}
			m.Params = p
		}
		return m, nil
	}
	if _, ok := fields["params"]; ok || m.ID == nil || hasResult == hasError {
		return m, invalidRequest("a message needs a method, or an id with a result or an error")
	}
	if hasResult {
		m.Result = fields["result"]
		return m, nil
	}
	if err := strict(fields["error"], &m.Error); err != nil || m.Error == nil {
		return m, invalidRequest("error must be an object with code and message")
	}
	return m, nil
}

// validID reports whether raw may name a request: a short string, a number, or
// null, which an answer has when the request's id could not be read.
func validID(raw json.RawMessage) bool {
	if len(raw) > 256 {
		return false
	}
	switch c := raw[0]; {
	case c == '"', c == '-', c >= '0' && c <= '9':
		return true
	}
	return string(raw) == "null"
}

// object reads the bytes of one JSON object into its members, each compacted.
// A name that stands twice is an error: two readers could take two values.
func object(b []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	start, err := d.Token()
	if err != nil {
		return nil, errors.New("the message is not JSON")
	}
	if start != json.Delim('{') {
		return nil, errors.New("the message must be one JSON object")
	}
	fields := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errors.New("the message is not JSON")
		}
		key, ok := name.(string)
		if !ok {
			return nil, errors.New("the message is not JSON")
		}
		if _, twice := fields[key]; twice {
			return nil, fmt.Errorf("%q stands twice", key)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errors.New("the message is not JSON")
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			return nil, errors.New("the message is not JSON")
		}
		fields[key] = compact.Bytes()
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("the message is not JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is something after the message")
	}
	return fields, nil
}
