//! How a Layer service starts, is configured, observed, secured and stopped.
//!
//! Every service is the same outside: settings read once, logs and traces, an admin port, a data port that speaks
//! HTTP/1.1, HTTP/2 and gRPC together, and a drain. This crate holds that outside; what a service does is its own.
//! It must know nothing of Turbopuffer, documents or pipelines.

pub mod admin;
pub mod breaker;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod grpc;
pub mod health;
pub mod lifecycle;
pub mod metrics;
pub mod ports;
pub mod program;
pub mod server;
pub mod shed;
pub mod telemetry;
pub mod tls;
