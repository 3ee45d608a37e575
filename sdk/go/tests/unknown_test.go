package tests

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/layer-mesh/layer/sdk/go/layer"
	functionv1 "github.com/layer-mesh/layer/sdk/go/layerpb/layer/function/v1"
	"github.com/layer-mesh/layer/sdk/go/transport"
)

// A call over gRPC that changes something, was sent, and got no answer, has an unknown outcome; one that only reads has not.
func TestUnknownOutcomesOverGRPC(t *testing.T) {
	address := swallower(t)
	by := newCaller(t, transport.Options{LayerURL: "http://" + address, LayerKey: "k", DirectURL: "http://127.0.0.1:1", DirectKey: "d", ProbeInitial: time.Hour})
	calls, err := layer.New(layer.Options{URL: "http://" + address, Key: "k", Transport: by.via, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer calls.Close()
	_, err = calls.FetchDocument(context.Background(), "n", 1)
	var away *transport.LayerUnavailable
	if !errors.As(err, &away) || away.Operation != "fetch_document" {
		t.Errorf("a read: %v", err)
	}
	var unknown *transport.OutcomeUnknown
	_, err = calls.CreateUDF(context.Background(), &functionv1.CreateFunctionRequest{FunctionId: "f"})
	if !errors.As(err, &unknown) || unknown.Operation != "create_function" {
		t.Errorf("a write: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err = calls.FetchDocument(ctx, "n", 1); errors.Is(err, transport.ErrLayerUnavailable) {
		t.Errorf("the caller's own deadline: %v", err)
	}
	if _, err = calls.FetchDocument(context.Background(), "n", 1); !errors.As(err, &away) || by.via.Away() == nil {
		t.Fatalf("after three calls without an answer: %v", err)
	}
	patient, err := layer.New(layer.Options{URL: "http://" + address, Key: "k", Transport: by.via, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer patient.Close()
	begun := time.Now()
	if _, err = patient.FetchDocument(context.Background(), "n", 1); !errors.As(err, &away) || time.Since(begun) > 10*time.Second {
		t.Errorf("while Layer is known to be away: %v", err)
	}
}

// swallower speaks as much HTTP/2 as makes a connection, and answers nothing.
func swallower(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); running.Wait() })
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				_, _ = conn.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // An empty SETTINGS frame.
				buffer := make([]byte, 1024)
				for err == nil {
					_, err = conn.Read(buffer)
				}
			})
		}
	})
	return listener.Addr().String()
}
