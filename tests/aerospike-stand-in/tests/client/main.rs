//! The real client against the stand-in. With `LAYER_TEST_AEROSPIKE=host:port` the tests that need no control of the server
//! run against that one instead (`LAYER_TEST_AEROSPIKE_NAMESPACE`: its namespace, default `test`, in which records must be
//! able to expire).

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod batch;
mod common;
mod expressions;
mod faults;
mod filters;
mod info;
mod life;
mod maps;
mod operate;
mod port;
mod restart;
mod security;
mod single;
mod space;
