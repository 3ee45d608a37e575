//! What both backends promise, held against each: the directory always, and a bucket where `LAYER_TEST_S3_ENDPOINT` names
//! a server (`tests/object_store` starts one). Faults are in `faults.rs`.

mod conditions;
mod faults;
mod listing;
mod objects;
mod stores;
mod uploads;
