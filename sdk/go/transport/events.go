package transport

// EventKind says what happened.
type EventKind string

const (
	// EventOpened says that Layer is taken for away: calls go direct, or fail fast, until EventClosed.
	EventOpened EventKind = "opened"
	// EventClosed says that Layer answers again and knows what was written past it.
	EventClosed EventKind = "closed"
	// EventFallback says that a call went to Turbopuffer directly.
	EventFallback EventKind = "fallback"
	// EventHedge says that a read was asked of Turbopuffer too, because Layer did not begin its answer in the usual time.
	EventHedge EventKind = "hedge"
	// EventUnavailable says that a call failed because it needs Layer.
	EventUnavailable EventKind = "unavailable"
	// EventOutcomeUnknown says that a write failed, and that it may have been applied.
	EventOutcomeUnknown EventKind = "outcome_unknown"
	// EventUntold says that Layer could not be told what was written past it.
	EventUntold EventKind = "untold"
)

// Reasons of events, which are the failures of docs/api/client-fall-through.md.
const (
	// ReasonOpen says that Layer was known to be away.
	ReasonOpen = "open"
	// ReasonNotSent says that no byte of the request was sent.
	ReasonNotSent = "not_sent"
	// ReasonBroken says that the connection ended before the answer.
	ReasonBroken = "broken"
	// ReasonSilent says that no answer came in the call's own time.
	ReasonSilent = "silent"
	// ReasonIngress says that something before Layer answered in its place.
	ReasonIngress = "ingress"
	// ReasonDraining says that the router is stopping.
	ReasonDraining = "gateway_draining"
	// ReasonUpstream says that Layer could not reach Turbopuffer.
	ReasonUpstream = "upstream_error"
	// ReasonMaybeApplied says that Layer answered that a write may have been applied.
	ReasonMaybeApplied = "maybe_applied"
	// ReasonHung says that Layer did not begin its answer in the usual time.
	ReasonHung = "hung"
	// ReasonUntold says that Layer could not be told of a write past it.
	ReasonUntold = "untold"
)

// Event is for counters: its kind, operation and reason are of a small fixed set. Ids, keys and bodies are never in it.
type Event struct {
	// Kind of what happened.
	Kind EventKind
	// Operation by its name in docs/api/client-fall-through.md; empty for transitions and for unlisted calls.
	Operation string
	// Reason of it; empty for EventClosed.
	Reason string
	// Err that led to it; nil where there is none.
	Err error
}

func (t *Transport) emit(event Event) {
	if t.options.OnEvent != nil {
		t.options.OnEvent(event)
	}
}
