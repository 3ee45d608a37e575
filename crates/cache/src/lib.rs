//! The handle by which services speak to the document cache: replicas, deadlines, breaker, backlog.
