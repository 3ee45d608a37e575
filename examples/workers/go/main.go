// A worker that turns documents of a pipeline into rows, over layer.pipeline.v1.
//
// Start as many as you like: no two ever have the same document. One that dies loses nothing; what it had comes back when
// its leases end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pipelinev1 "github.com/layer-mesh/layer/examples/workers/go/layer/pipeline/v1"
	typesv1 "github.com/layer-mesh/layer/examples/workers/go/layer/types/v1"
)

const (
	lease    = time.Minute
	waitFor  = 10 * time.Second
	callTime = time.Minute
	batch    = 20
)

type worker struct {
	service  pipelinev1.PipelineServiceClient
	pipeline string
	name     string
}

func main() {
	pipeline := flag.String("pipeline", "", "the pipeline (required)")
	address := flag.String("address", "127.0.0.1:8080", "the router's host and port")
	key := flag.String("api-key", os.Getenv("LAYER_GATEWAY_API_KEY"), "the key to show")
	flag.Parse()
	if *pipeline == "" {
		flag.Usage()
		os.Exit(2)
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	connection, err := grpc.NewClient(*address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	host, _ := os.Hostname()
	w := worker{
		service:  pipelinev1.NewPipelineServiceClient(connection),
		pipeline: *pipeline,
		name:     fmt.Sprintf("%s-%d", host, os.Getpid()),
	}
	if err := w.run(stop, "Bearer "+*key); err != nil {
		log.Fatal(err)
	}
}

// run works until told to stop. A part that is away is tried again: calls may be repeated safely.
func (w worker) run(stop context.Context, authorization string) error {
	// What was begun is finished after the word to stop, so calls do not end with it.
	calls := metadata.AppendToOutgoingContext(context.WithoutCancel(stop), "authorization", authorization)
	for stop.Err() == nil {
		err := w.work(stop, calls)
		switch status.Code(err) {
		case codes.OK:
		case codes.Unavailable, codes.DeadlineExceeded:
			log.Printf("trying again: %v", err)
			select {
			case <-time.After(time.Second):
			case <-stop.Done():
			}
		default:
			return err
		}
	}
	return nil
}

// work claims some documents and does them.
func (w worker) work(stop, calls context.Context) error {
	ctx, cancel := context.WithTimeout(calls, callTime)
	defer cancel()
	claimed, err := w.service.Claim(ctx, &pipelinev1.ClaimRequest{
		PipelineId: w.pipeline, WorkerId: w.name, Limit: batch,
		LeaseMs: uint64(lease.Milliseconds()), WaitMs: uint32(waitFor.Milliseconds()),
	})
	if err != nil {
		return err
	}
	left := &guards{}
	for _, document := range claimed.Documents {
		left.add(&pipelinev1.DocumentGuard{DocumentId: document.DocumentId, Token: document.Token})
	}
	defer w.keep(calls, left)()
	for _, document := range claimed.Documents {
		if stop.Err() != nil {
			break
		}
		if err := w.one(calls, document); err != nil {
			return err
		}
		left.remove(document.DocumentId)
	}
	if rest := left.all(); len(rest) > 0 {
		ctx, cancel := context.WithTimeout(calls, callTime)
		defer cancel()
		_, err = w.service.Release(ctx, &pipelinev1.ReleaseRequest{PipelineId: w.pipeline, Documents: rest})
	}
	return err
}

// one turns a document into rows.
func (w worker) one(calls context.Context, document *pipelinev1.ClaimedDocument) error {
	ctx, cancel := context.WithTimeout(calls, callTime)
	defer cancel()
	guard := &pipelinev1.DocumentGuard{DocumentId: document.DocumentId, Token: document.Token}
	chunks, err := w.service.GetChunks(ctx, &pipelinev1.GetChunksRequest{
		PipelineId: w.pipeline, DocumentId: document.DocumentId, Version: document.Version,
	})
	if err != nil {
		return err
	}
	var rows []*pipelinev1.ChunkRow
	for {
		piece, err := chunks.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, chunk := range piece.Chunks {
			rows = append(rows, row(chunk))
		}
	}
	answer, err := w.service.PutRows(ctx, &pipelinev1.PutRowsRequest{
		PipelineId: w.pipeline,
		Documents:  []*pipelinev1.DocumentRows{{Document: guard, Rows: rows, Complete: true}},
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d rows, %s\n", document.DocumentId, len(rows), answer.Results[0].Status)
	return nil
}

// keep extends the leases of what is left, in the background; the answer ends it.
func (w worker) keep(calls context.Context, left *guards) func() {
	calls, cancel := context.WithCancel(calls)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-calls.Done():
				return
			case <-ticker.C:
				if rest := left.all(); len(rest) > 0 {
					_, err := w.service.Heartbeat(calls, &pipelinev1.HeartbeatRequest{
						PipelineId: w.pipeline, Documents: rest, LeaseMs: uint64(lease.Milliseconds()),
					})
					if err != nil && calls.Err() == nil {
						log.Printf("leases were not extended: %v", err)
					}
				}
			}
		}
	}()
	return func() { cancel(); <-ended }
}

func row(chunk *pipelinev1.Chunk) *pipelinev1.ChunkRow {
	vector := &typesv1.DenseVector{Elements: &typesv1.DenseVector_Floats{Floats: &typesv1.Floats{Values: embed(chunk.GetText())}}}
	return &pipelinev1.ChunkRow{
		ChunkId: chunk.ChunkId,
		Attributes: map[string]*typesv1.Value{
			"vector": {Kind: &typesv1.Value_DenseVector{DenseVector: vector}},
			"text":   {Kind: &typesv1.Value_StringValue{StringValue: chunk.GetText()}},
		},
	}
}

// embed is a toy: the share of each letter. Put your model here.
func embed(text string) []float32 {
	vector := make([]float32, 26)
	sum := float32(0)
	for _, letter := range strings.ToLower(text) {
		if letter >= 'a' && letter <= 'z' {
			vector[letter-'a']++
			sum++
		}
	}
	for at := range vector {
		vector[at] /= max(1, sum)
	}
	return vector
}

// guards are documents whose leases are extended.
type guards struct {
	mutex sync.Mutex
	held  []*pipelinev1.DocumentGuard
}

func (g *guards) add(guard *pipelinev1.DocumentGuard) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.held = append(g.held, guard)
}

func (g *guards) remove(document string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for at, guard := range g.held {
		if guard.DocumentId == document {
			g.held = append(g.held[:at:at], g.held[at+1:]...)
			return
		}
	}
}

func (g *guards) all() []*pipelinev1.DocumentGuard {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return append([]*pipelinev1.DocumentGuard(nil), g.held...)
}
