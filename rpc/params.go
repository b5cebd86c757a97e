package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// strict reads a JSON object into v, a pointer to a struct (or to a pointer to
// one): exact names, none unknown, none twice. The error names the member that
// is wrong, in words.
func strict(b []byte, v any) error {
	fields, err := object(b)
	if err != nil {
		return err
	}
	names := memberNames(reflect.TypeOf(v))
	for name := range fields {
		if !slices.Contains(names, name) {
			if len(names) == 0 {
				return fmt.Errorf("%q is not a parameter; there are none", name)
			}
			return fmt.Errorf("%q is not a parameter; there are %s", name, strings.Join(names, ", "))
		}
	}
	err = json.NewDecoder(bytes.NewReader(b)).Decode(v)
	var typed *json.UnmarshalTypeError
	if errors.As(err, &typed) {
		return fmt.Errorf("%s must be a %s, not a %s", typed.Field, kindForPeople(typed.Type), typed.Value)
	}
	return err
}

// memberNames lists the JSON names of a struct's fields.
func memberNames(t reflect.Type) (names []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func kindForPeople(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list of texts"
	case reflect.Struct, reflect.Map:
		return "object"
	}
	return "number"
}
