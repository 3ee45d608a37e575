package hevlayer_test

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/turbopuffer/turbopuffer-go/v2"
	"github.com/turbopuffer/turbopuffer-go/v2/option"

	hevlayer "github.com/layer-mesh/layer/sdk/go"
	"github.com/layer-mesh/layer/sdk/go/internal/meshtest"
)

// BenchmarkOverhead asks the real router the same query by the official client and by this one, in turns, so that both see
// the same machine. The medians are reported, in microseconds, and what the second has over the first; and, as others may use
// the machine too, the processor's time that the process took for a call of each.
func BenchmarkOverhead(b *testing.B) {
	meshtest.Need(b)
	origin := meshtest.StandIn(b)
	router := meshtest.Router(b, origin.URL())
	official := turbopuffer.NewClient(option.WithBaseURL(router.URL()), option.WithAPIKey(meshtest.Key), option.WithRegion(""))
	ours, err := hevlayer.NewClient(hevlayer.WithBaseURL(router.URL()), hevlayer.WithAPIKey(meshtest.Key),
		hevlayer.WithTurbopufferBaseURL(origin.URL()), hevlayer.WithTurbopufferAPIKey(meshtest.Key))
	if err != nil {
		b.Fatal(err)
	}
	defer ours.Close()
	fill(b, official)
	var theirs, own []time.Duration
	var theirsTook, ownTook time.Duration
	both := []func(){
		func() { asks(b, official, &theirs, &theirsTook) },
		func() { asks(b, ours.Client, &own, &ownTook) },
	}
	for b.Loop() {
		both[0]()
		both[1]()
		// What the first leaves to be done in the background would be counted for the second.
		both[0], both[1] = both[1], both[0]
	}
	b.ReportMetric(micros(theirsTook)/float64(b.N), "official-cpu-µs")
	b.ReportMetric(micros(ownTook)/float64(b.N), "hevlayer-cpu-µs")
	of, with := median(theirs), median(own)
	b.ReportMetric(micros(of), "official-µs")
	b.ReportMetric(micros(with), "hevlayer-µs")
	b.ReportMetric(100*(micros(with)/micros(of)-1), "overhead-%")
}

func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

const benchRows = 500

func fill(b *testing.B, client turbopuffer.Client) {
	b.Helper()
	rows := make([]turbopuffer.RowParam, benchRows)
	for i := range rows {
		rows[i] = turbopuffer.RowParam{"id": i, "vector": []float32{float32(i), 1}}
	}
	namespace := client.Namespace("bench")
	if _, err := namespace.Write(context.Background(), turbopuffer.NamespaceWriteParams{UpsertRows: rows, DistanceMetric: "cosine_distance"}); err != nil {
		b.Fatal(err)
	}
}

func asks(b *testing.B, client turbopuffer.Client, times *[]time.Duration, took *time.Duration) {
	begun := processorTime(b)
	*times = append(*times, timed(b, client))
	*took += processorTime(b) - begun
}

func timed(b *testing.B, client turbopuffer.Client) time.Duration {
	namespace := client.Namespace("bench")
	begun := time.Now()
	_, err := namespace.Query(context.Background(), turbopuffer.NamespaceQueryParams{RankBy: turbopuffer.NewRankByAnn("vector", []float32{3, 1}), TopK: turbopuffer.Int(10)})
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(begun)
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func micros(of time.Duration) float64 { return float64(of.Nanoseconds()) / 1000 }
