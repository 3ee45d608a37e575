//! A stand-in for an Aerospike server, for tests: it speaks the real wire protocol to the real client.
