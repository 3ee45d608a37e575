//! Calls over real sockets, on the real clock: channels as they are in production.

mod calls;
mod server;
