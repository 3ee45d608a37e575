"""What can be tuned, with the defaults that docs/api/client-fall-through.md names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Times are in seconds. The defaults are those of `sdk/operations.json`."""

    connect_timeout_s: float = 0.25
    """How long connecting to Layer may take, over HTTP and over gRPC; Turbopuffer has the client's own timeout."""
    failures_to_open: int = 3
    """So many failures in a row open the breaker; one is enough where nobody listens."""
    probe_initial_s: float = 0.5
    """The wait before the first probe; it doubles, with jitter."""
    probe_max_s: float = 15.0
    """The longest wait between two probes."""
    probe_timeout_s: float = 1.0
    """How long a probe, or telling Layer what was written past it, may take."""
    probe_path: str = "/ready"
    """What a probe asks for at Layer's address; 200 that is marked as Layer's own means ready."""
    hedge: bool = True
    """False: Turbopuffer is asked only once Layer has failed, and a read of a router that stands still waits for its timeout."""
    hedge_samples: int = 256
    """Of so many latencies the hedge's delay is learned."""
    hedge_samples_min: int = 16
    """Before so many are known the delay is the default."""
    hedge_quantile: float = 0.95
    """The quantile of the latencies that is multiplied."""
    hedge_factor: float = 3.0
    """What it is multiplied by."""
    hedge_delay_min_s: float = 0.05
    """The shortest delay."""
    hedge_delay_max_s: float = 2.0
    """The longest delay."""
    hedge_delay_default_s: float = 0.5
    """The delay before enough is known."""
    hedge_budget_ratio: float = 0.1
    """Hedges per call."""
    hedge_budget_burst: float = 10.0
    """Hedges that may come at once."""
    healing_ids_max: int = 10_000
    """Ids written past Layer that are remembered; then only their namespaces are."""
    healing_namespaces_max: int = 1_000
    """Namespaces that are remembered; then only that it was any."""
