//! How often what was asked: so that a test can say "one batch for all of this".

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What was asked since the start, or since [`Control::reset_counters`](super::Control::reset_counters). Requests
        /// count when they arrive, whatever becomes of them. A batch counts once in `batches`, and its rows in `batch_*`; what
        /// the client sends as a single request because it holds one key only counts as that.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Names and values.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }

        #[derive(Debug, Default)]
        pub(crate) struct Tally {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Tally {
            pub(crate) fn read(&self) -> Counters {
                Counters { $($name: self.$name.load(Ordering::Relaxed),)* }
            }

            pub(crate) fn reset(&self) {
                $(self.$name.store(0, Ordering::Relaxed);)*
            }
        }
    };
}

counters! {
    /// Connections taken.
    connections,
    /// Info requests; one may hold several commands.
    infos,
    /// Logins and authentications.
    logins,
    /// Reads of one record, also of its header only.
    gets,
    /// Writes of one record whose operations are all writes of bins.
    puts,
    /// Removes of one record.
    deletes,
    /// Touches of one record.
    touches,
    /// Requests for one record with operations that are none of these: operate.
    operates,
    /// Scans.
    queries,
    /// Batches.
    batches,
    /// Rows of batches that read.
    batch_reads,
    /// Rows of batches that write or operate with a write.
    batch_writes,
    /// Rows of batches that remove.
    batch_deletes,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
