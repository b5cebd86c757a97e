package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
)

// None is the parameters of a method that takes none.
type None struct{}

// List is the answer of a method that lists things. Fresh is false when the
// home could not be brought up to date first: this is what was known before.
type List[T any] struct {
	Items []T  `json:"items"`
	Fresh bool `json:"fresh"`
}

// call carries out a method: it reads the parameters and returns the result. Their
// types make the schema (schema.json, api.ts).
type call struct {
	do             func(ctx context.Context, c Core, params json.RawMessage) (any, error)
	params, result reflect.Type
}

// methods is the whole API, beside recv (events.go), ack and cancel (conn.go),
// and what a locked home answers too (lock.go).
var methods = map[string]call{
	"register":      settled(register),
	"invite":        acting(invite),
	"invite.revoke": acting(inviteRevoke),
	"contact.add":   acting(contactAdd),
	"contact.share": acting(contactShare),
	"contacts":      method(contacts),
	"arrange":       acting(arrange),
	"safety":        method(safety),
	"settings":      acting(settings),

	"send":      settled(send),
	"draft":     acting(draft),
	"edit":      acting(edit),
	"delete":    acting(remove),
	"react":     acting(react),
	"forward":   acting(forward),
	"catch_up":  method(catchUp),
	"history":   method(history),
	"poll":      acting(poll),
	"vote":      acting(vote),
	"place":     acting(place),
	"details":   method(details),
	"typing":    method(typing),
	"search":    method(search),
	"save":      method(save),
	"thumbnail": method(thumbnail),

	"requests": method(requests),
	"accept":   acting(accept),
	"decline":  acting(decline),
	"block":    acting(block),
	"unblock":  acting(unblock),

	"device.list":     method(deviceList),
	"device.link":     acting(deviceLink),
	"device.asked":    method(deviceAsked),
	"device.confirm":  acting(deviceConfirm),
	"device.refuse":   acting(deviceRefuse),
	"device.finish":   method(deviceFinish),
	"device.join":     method(deviceJoin),
	"device.progress": method(deviceProgress),
	"device.revoke":   acting(deviceRevoke),
	"device.alone":    acting(deviceAlone),

	"rooms":          method(rooms),
	"group.new":      acting(groupNew),
	"group.add":      acting(groupAdd),
	"group.remove":   acting(groupRemove),
	"group.role":     acting(groupRole),
	"group.transfer": acting(groupTransfer),
	"group.link":     acting(groupLink),
	"group.join":     acting(groupJoin),
	"group.leave":    acting(groupLeave),
	"group.move":     acting(groupMove),
	"group.set":      acting(groupSet),

	"backup.create":  method(backupCreate),
	"backup.verify":  method(backupVerify),
	"backup.restore": method(backupRestore),
	"export":         method(export),
	"account.delete": method(accountDelete),
}

// method makes a call of a function with typed parameters.
func method[P, R any](f func(ctx context.Context, c Core, p P) (R, error)) call {
	return call{func(ctx context.Context, c Core, raw json.RawMessage) (any, error) {
		var p P
		if err := readParams(raw, &p); err != nil {
			return nil, err
		}
		return f(ctx, c, p)
	}, reflect.TypeFor[P](), reflect.TypeFor[R]()}
}

// acting is method for what sends something: it ends when that is sent, or
// SendWait after it began. What is late goes by itself.
func acting[P, R any](f func(ctx context.Context, c Core, p P) (R, error)) call {
	return settled(func(ctx context.Context, c Core, p P) (R, error) {
		ctx, cancel := context.WithTimeout(ctx, SendWait)
		defer cancel()
		return f(ctx, c, p)
	})
}

// settled is acting for what sets its own bound. An invitation, a ratchet tree
// or an answer may be under way longer than the call that made it.
func settled[P, R any](f func(ctx context.Context, c Core, p P) (R, error)) call {
	return method(func(ctx context.Context, c Core, p P) (R, error) {
		bound, cancel := context.WithTimeout(ctx, SendWait)
		defer cancel()
		settle := c.Begin()
		r, err := f(ctx, c, p)
		if err == nil {
			settle(bound)
		}
		return r, err
	})
}

// readParams reads the parameters of a request; absent means empty.
func readParams(raw json.RawMessage, p any) error {
	if raw == nil {
		return nil
	}
	if err := strict(raw, p); err != nil {
		return invalidParams(err.Error())
	}
	return nil
}

// need refuses a parameter that is empty.
func need(name, value string) error {
	if value == "" {
		return invalidParams(fmt.Sprintf("%s is missing", name))
	}
	return nil
}

// fresh brings the home up to date; an error says that it could not be.
func fresh(ctx context.Context, c Core) error {
	ctx, cancel := context.WithTimeout(ctx, CatchUpWait)
	defer cancel()
	return c.CatchUp(ctx)
}

// list answers with what f finds, after bringing the home up to date if that
// can be done: an old answer is better than none, and says that it is old.
func list[T any](ctx context.Context, c Core, f func(ctx context.Context) ([]T, error)) (List[T], error) {
	stale := fresh(ctx, c)
	if err := ctx.Err(); err != nil {
		return List[T]{}, err
	}
	items, err := f(ctx)
	if err != nil {
		return List[T]{}, err
	}
	if items == nil {
		items = []T{}
	}
	return List[T]{Items: items, Fresh: stale == nil}, nil
}
