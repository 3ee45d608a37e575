// Package layer makes the calls that only Layer has: fetches by id, warming, blobs, pipelines and functions.
//
// They are typed calls over gRPC where the contract has them, on the same port as everything else, and HTTP where it has
// not. They never go past Layer: while it is away they fail at once with [transport.LayerUnavailable]. The messages are
// those of layerpb, whose comments are the contract's own.
//
// Errors are [transport.LayerUnavailable] and [transport.OutcomeUnknown] where Layer has not answered; of Layer itself they are
// gRPC's status errors, with a reason that [ReasonOf] tells (docs/grpc-errors.md lists them), and [HTTPError] of what goes over
// HTTP: warming and blobs. A call whose context has no deadline gets [Options.Timeout].
package layer
