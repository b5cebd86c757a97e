package main

import (
	"net/http"

	"hearth/core/httpblobs"
)

// blobs moves blobs for a client.
var blobs = &httpblobs.Client{
	Do: func(at string, r *http.Request) (*http.Response, error) {
		u, err := serverURL(at)
		if err != nil {
			return nil, err
		}
		r.URL.Scheme, r.URL.Host = u.Scheme, u.Host
		answer, err := web.Do(r)
		if err != nil {
			return nil, transportError(err)
		}
		return answer, nil
	},
	Broke: transportError,
}
