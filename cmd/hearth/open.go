package main

import "context"

// openHome opens a home's client, with everything native that it is handed.
func openHome(ctx context.Context, dir string) (owned, error) {
	return nil, unsupported("hearth with an account")
}
