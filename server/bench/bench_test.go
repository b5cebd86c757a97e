package bench

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"hearth/server"
	"hearth/wire"
)

// TestMain is also the server, when a test starts it again as another process.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HEARTH_BENCH_SERVE"); dir != "" {
		if err := server.ServeBench(context.Background(), dir, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// start runs a server of its own in another process.
func start(context.Context) (*Process, error) {
	return StartCommand(func(dir string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "HEARTH_BENCH_SERVE="+dir)
		return cmd
	})
}

var (
	seconds = flag.Int("bench.seconds", 1, "how long each run posts")
	pairs   = flag.Int("bench.pairs", 4, "rooms of deliver and offline")
	under   = flag.Int("bench.outstanding", 8, "posts under way for each sender")
	conns   = flag.Int("bench.connections", 50, "connections of idle")
	seats   = flag.Int("bench.seats", 20, "seats of group")
)

func TestEveryBenchReportsItsFieldsAndLosesNothing(t *testing.T) {
	for _, c := range []struct {
		o      Options
		fields []string
	}{
		{Options{Bench: "idle", Connections: *conns}, []string{"connections", "seats", "kib_per_connection", "rss_mib", "tls"}},
		{Options{Bench: "deliver", Pairs: *pairs}, []string{"delivered_per_s", "p50_ms", "p99_ms", "cpu_s_per_1k", "lost", "duplicated"}},
		{Options{Bench: "deliver", Pairs: *pairs, Receipts: true}, []string{"delivered_per_s"}},
		{Options{Bench: "offline", Pairs: *pairs}, []string{"stored_per_s", "drained_per_s", "lost", "duplicated"}},
		{Options{Bench: "group", Seats: *seats}, []string{"seats", "posts", "deliveries_per_s", "records_per_post", "bytes_per_post"}},
	} {
		t.Run(c.o.Bench, func(t *testing.T) {
			c.o.Seconds, c.o.Start, c.o.Outstanding = *seconds, start, *under
			r, err := Run(t.Context(), c.o)
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(string(b))
			var m map[string]any
			if err := json.Unmarshal(b, &m); err != nil {
				t.Fatal(err)
			}
			for _, f := range append(c.fields, "bench", "runs", "server_cpu_s", "client_cpu_s") {
				if _, ok := m[f]; !ok {
					t.Errorf("the field %s is missing", f)
				}
			}
			for _, f := range []string{"lost", "duplicated"} {
				if n, ok := m[f]; ok && n != 0.0 {
					t.Errorf("%s: got %v, want 0", f, n)
				}
			}
			if n, ok := m["records_per_post"]; ok && n != 1.0 {
				t.Errorf("records_per_post: got %v, want 1", n)
			}
			if n, ok := m["kib_per_connection"]; ok && *conns >= 500 && n.(float64) > 32 {
				t.Errorf("an idle connection costs %v KiB, want at most 32", n)
			}
		})
	}
}

func TestOnlyThisMachineIsLoaded(t *testing.T) {
	for _, url := range []string{"http://example.com:80", "https://127.0.0.1:1", "http://10.0.0.1:80", "ftp://localhost", ""} {
		_, err := Run(t.Context(), Options{Bench: "idle", Server: url})
		if !errors.Is(err, &wire.Error{Code: wire.BadInput}) {
			t.Errorf("%q: got %v, want bad_input", url, err)
		}
	}
	if _, err := Run(t.Context(), Options{Bench: "nonsense"}); !errors.Is(err, &wire.Error{Code: wire.BadInput}) {
		t.Errorf("an unknown bench: got %v", err)
	}
}
