// Package meshtest starts Layer's programs as processes, for tests.
package meshtest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// Key is the origin's, and so Layer's in its default mode.
	Key         = "key-of-the-store"
	internalKey = "key-of-the-mesh"
	readyWithin = 30 * time.Second
	adminOffset = 1000
)

// Need skips a test where LAYER_BIN_DIR does not name the programs.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv("LAYER_BIN_DIR") == "" {
		t.Skip("LAYER_BIN_DIR names no directory with Layer's programs")
	}
}

// Program is a running program with a data port.
type Program struct {
	t         testing.TB
	name      string
	arguments []string
	port      int
	command   *exec.Cmd
	ended     chan struct{}
	log       *os.File
}

// URL is where it is.
func (p *Program) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", p.port) }

// Address is where it is, without a scheme.
func (p *Program) Address() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

func start(t testing.TB, name string, port int, arguments ...string) *Program {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{t: t, name: name, arguments: arguments, port: port, log: log}
	t.Cleanup(p.end)
	p.Start()
	p.WaitReady()
	return p
}

func (p *Program) end() {
	p.Kill()
	if p.t.Failed() {
		text, _ := os.ReadFile(p.log.Name())
		p.t.Logf("the log of %s ends in:\n%s", p.name, text[max(0, len(text)-4000):])
	}
	_ = p.log.Close()
}

// Start starts it, also again.
func (p *Program) Start() {
	p.t.Helper()
	command := exec.Command(filepath.Join(os.Getenv("LAYER_BIN_DIR"), p.name), p.arguments...)
	command.Env = environment()
	command.Stdout, command.Stderr = p.log, p.log
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	p.command, p.ended = command, ended
}

// environment leaves out a developer's own settings.
func environment() (kept []string) {
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "LAYER_") && !strings.HasPrefix(line, "ROTEL_") {
			kept = append(kept, line)
		}
	}
	return kept
}

// WaitReady waits until it says that it is ready.
func (p *Program) WaitReady() {
	p.t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	Until(p.t, p.name+" is ready", readyWithin, func() bool {
		answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/ready", p.port+adminOffset))
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// Signal sends it a signal.
func (p *Program) Signal(signal syscall.Signal) {
	_ = p.command.Process.Signal(signal)
}

// Kill ends it at once, and waits.
func (p *Program) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// Drain asks it to stop, and waits.
func (p *Program) Drain() {
	p.Signal(syscall.SIGTERM)
	<-p.ended
}

// Until waits for the thing itself.
func Until(t testing.TB, what string, within time.Duration, is func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("it never came to be that %s", what)
}

// freePort answers a port that is free, as is the one for the admin's pages above it. Both lie below the range that the
// system takes ports from for connections.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 10_000 + int(time.Now().UnixNano()/1000)%20_000
		if isFree(port) && isFree(port+adminOffset) {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func isFree(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
