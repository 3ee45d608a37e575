package transport_test

import (
	"fmt"
	"syscall"
	"testing"
)

// blackHole answers the address of a listener whose backlog is full, so that the kernel drops what comes.
func blackHole(t *testing.T) string {
	t.Helper()
	listener, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(listener) })
	if err := syscall.Bind(listener, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(listener, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(listener)
	if err != nil {
		t.Fatal(err)
	}
	address := name.(*syscall.SockaddrInet4)
	for range 4 {
		fill(t, address)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", address.Port)
}

func fill(t *testing.T, address *syscall.SockaddrInet4) {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.Connect(socket, address); err != nil && err != syscall.EINPROGRESS {
		t.Fatal(err)
	}
}
