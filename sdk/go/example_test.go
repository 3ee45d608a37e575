package hevlayer_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/turbopuffer/turbopuffer-go/v2"

	hevlayer "github.com/layer-mesh/layer/sdk/go"
	"github.com/layer-mesh/layer/sdk/go/layer"
	"github.com/layer-mesh/layer/sdk/go/worker"
)

// The official client with Layer behind it: it writes, asks, and fetches by id.
func Example() {
	client, err := hevlayer.NewClient() // LAYER_GATEWAY_URL, LAYER_GATEWAY_API_KEY, TURBOPUFFER_API_KEY, TURBOPUFFER_REGION
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	shop := client.Namespace("shop")
	_, err = shop.Write(ctx, turbopuffer.NamespaceWriteParams{
		UpsertRows: []turbopuffer.RowParam{{"id": 7, "title": "blue whale"}, {"id": 9, "title": "walrus"}},
		Schema:     map[string]turbopuffer.AttributeSchemaConfigParam{"title": {Type: "string", FullTextSearch: &turbopuffer.FullTextSearchConfigParam{}}},
	})
	if err != nil {
		log.Fatal(err)
	}

	asked, perf := hevlayer.WithPerf(ctx)
	answer, err := shop.Query(asked, turbopuffer.NamespaceQueryParams{
		RankBy: turbopuffer.NewRankByTextBM25("title", "whale"), TopK: turbopuffer.Int(1),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Rows[0]["id"], perf.Perf().Fallback == hevlayer.TurbopufferDirect)

	document, err := client.FetchDocument(ctx, "shop", 7)
	switch {
	case errors.Is(err, hevlayer.ErrLayerUnavailable):
		fmt.Println("fetches by id are Layer's own, and it is away")
	case err != nil:
		log.Fatal(err)
	default:
		fmt.Println(document.Attributes["title"])
	}
}

// A worker of a pipeline: chunks become rows with a vector.
func Example_worker() {
	client, err := hevlayer.NewClient()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	embed := func(text string) []float32 { return []float32{float32(len(text)), 1} }

	err = worker.RunWorker(context.Background(), worker.Pipeline{Calls: client.Calls, ID: "handbook", Handle: func(_ context.Context, documents []*worker.Document) []worker.DocumentResult {
		results := make([]worker.DocumentResult, len(documents))
		for i, document := range documents {
			for _, chunk := range document.Chunks {
				results[i].Rows = append(results[i].Rows, worker.Row{ChunkID: chunk.GetChunkId(), Attributes: map[string]any{"vector": embed(chunk.GetText())}})
			}
		}
		return results
	}}, worker.Options{UntilIdle: true})
	fmt.Println(layer.ReasonOf(err))
}
