"""What calls about warming answer."""

from __future__ import annotations

from turbopuffer import BaseModel


class WarmJob(BaseModel):
    """A job that reads a namespace into the document cache."""

    id: str
    namespace: str
    status: str
    """`running`, `completed`, `failed` or `cancelled`."""
    progress: float
    """0 to 1, by the origin's estimate of its rows."""
    documents_scanned: int
    documents_warmed: int | None = None
    created_at: str | None = None
    completed_at: str | None = None
    error: str | None = None


class WarmJobs(BaseModel):
    """The last jobs of a namespace."""

    warm_jobs: list[WarmJob]


class WarmStep(BaseModel):
    """What became of one part of a warm hint."""

    enabled: bool
    status: str
    """`skipped`, `completed`, `started` or `no_snapshot`."""
    job: WarmJob | None = None


class WarmHint(BaseModel):
    """What became of a warm hint with Layer's options."""

    namespace: str
    turbopuffer: WarmStep
    documents: WarmStep
    snapshots: WarmStep
    blobs: WarmStep
