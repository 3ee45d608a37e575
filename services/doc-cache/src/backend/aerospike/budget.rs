//! How many bytes this replica has filled of namespaces that have a bound.
//!
//! Aerospike keeps no account by namespace of the origin, and a counter in a record would be one hot key for all fills.
//! So each replica counts what it fills itself, until it expires, and keeps to its share: the bound divided by the
//! replicas. What lies in Aerospike is never more than that sum, as long as the replicas are as many as
//! configured and none was started anew within a time to live.
//!
//! It never learns that a value went early: cleared by a write, replaced by a later fill, evicted. So it may refuse while
//! there is room, and a namespace that is written often needs a larger bound than its documents take.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::backend::{Fill, Scope};

/// What a record takes beside key and value: its place in the index, its header, its bins.
const RECORD_BYTES: u64 = 256;
/// Namespaces with an account of their own; further ones share one, and are refused the sooner for it.
const ACCOUNTS_MAX: usize = 4096;
/// How often accounts are looked through for those that have become empty, while there are too many.
const PRUNE_MS: u64 = 1000;
/// Ends of values are kept as coarsely as a part of their time to live: so an account has few, whatever the load.
const PARTS: u64 = 16;

/// Values that end together, as far as the account can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    ends_ms: u64,
    bytes: u64,
    /// To the account of those that have none of their own.
    shared: bool,
}

#[derive(Debug, Default, Clone)]
struct Account {
    used: u64,
    /// Bytes by the time when they end.
    ends: BTreeMap<u64, u64>,
}

/// The accounts of all namespaces with a bound.
#[derive(Debug, Default)]
pub struct Budgets {
    accounts: HashMap<(String, String), Account>,
    /// Of the namespaces that find no place there.
    shared: Account,
    pruned_ms: Option<u64>,
}

impl Budgets {
    /// Charges `fill` at `now`, by a clock that runs on, to its namespace; `None` where that would be over `share` bytes.
    pub fn charge(&mut self, scope: &Scope, fill: &Fill, share: u64, now: Duration) -> Option<Charge> {
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let (account, shared) = self.account(scope, now_ms);
        account.expire(now_ms);
        let charge = Charge { ends_ms: ends_ms(now_ms, fill.ttl), bytes: bytes(fill), shared };
        let used = account.used.saturating_add(charge.bytes);
        (used <= share).then(|| {
            account.used = used;
            *account.ends.entry(charge.ends_ms).or_default() += charge.bytes;
            charge
        })
    }

    /// Gives back what was not stored.
    pub fn give_back(&mut self, scope: &Scope, charge: Charge) {
        let account = match charge.shared {
            true => Some(&mut self.shared),
            false => self.accounts.get_mut(&name(scope)),
        };
        let Some(account) = account else { return };
        if let Some(bytes) = account.ends.get_mut(&charge.ends_ms) {
            let back = charge.bytes.min(*bytes);
            *bytes -= back;
            account.used -= back;
        }
    }

    /// The account of a namespace, and whether it is the shared one.
    fn account(&mut self, scope: &Scope, now_ms: u64) -> (&mut Account, bool) {
        let name = name(scope);
        if !self.accounts.contains_key(&name) && self.accounts.len() >= ACCOUNTS_MAX {
            self.prune(now_ms);
            if self.accounts.len() >= ACCOUNTS_MAX {
                return (&mut self.shared, true);
            }
        }
        // Some of what is shared may be its own, of before it had a place.
        (self.accounts.entry(name).or_insert_with(|| self.shared.clone()), false)
    }

    fn prune(&mut self, now_ms: u64) {
        if self.pruned_ms.is_some_and(|pruned| now_ms.saturating_sub(pruned) < PRUNE_MS) {
            return;
        }
        self.pruned_ms = Some(now_ms);
        self.accounts.retain(|_, account| {
            account.expire(now_ms);
            account.used > 0
        });
    }
}

fn name(scope: &Scope) -> (String, String) {
    (scope.tenant.clone(), scope.namespace.clone())
}

impl Account {
    fn expire(&mut self, now_ms: u64) {
        while let Some(first) = self.ends.first_entry().filter(|first| *first.key() <= now_ms) {
            self.used -= first.remove();
        }
    }
}

/// Rounded up, by an eighth of the time to live at the most.
fn ends_ms(now_ms: u64, ttl: Duration) -> u64 {
    let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4);
    now_ms.saturating_add(ttl_ms).next_multiple_of((ttl_ms / PARTS).max(1).next_power_of_two())
}

fn bytes(fill: &Fill) -> u64 {
    (fill.id.len() + fill.body.data.len() + fill.body.content_type.len()) as u64 + RECORD_BYTES
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::backend::{Body, Kind, Lease};

    const TTL: Duration = Duration::from_secs(16);
    const NOW: Duration = Duration::from_secs(1000);

    fn scope(namespace: &str) -> Scope {
        Scope { tenant: "t".to_owned(), namespace: namespace.to_owned(), kind: Kind::Document }
    }

    /// A fill that counts a thousand bytes.
    fn fill(ttl: Duration) -> Fill {
        let body = Body { data: vec![0; 1000 - 256 - 1].into(), content_type: String::new(), compression: 0 };
        Fill { id: Bytes::from_static(b"k"), lease: Lease { token: 0, generation: 0, epoch: 0 }, body, ttl }
    }

    #[test]
    fn a_namespace_gets_its_share_and_no_more_until_values_expire() {
        let mut budgets = Budgets::default();
        let mut charge = |name, now| budgets.charge(&scope(name), &fill(TTL), 2500, now);
        assert!(charge("n", NOW).is_some() && charge("n", NOW).is_some());
        assert_eq!(charge("n", NOW), None);
        assert!(charge("other", NOW).is_some());
        assert_eq!(charge("n", NOW + TTL - Duration::from_millis(1)), None, "they may be there yet");
        assert!(charge("n", NOW + TTL + TTL / 8).is_some());
    }

    #[test]
    fn what_was_not_stored_is_given_back_once() {
        let mut budgets = Budgets::default();
        let charged = budgets.charge(&scope("n"), &fill(TTL), 1000, NOW).unwrap();
        assert_eq!(budgets.charge(&scope("n"), &fill(TTL), 1000, NOW), None);
        budgets.give_back(&scope("n"), charged);
        budgets.give_back(&scope("n"), charged);
        budgets.give_back(&scope("unknown"), charged);
        assert!(budgets.charge(&scope("n"), &fill(TTL), 1000, NOW).is_some());
    }

    #[test]
    fn a_namespace_gets_an_account_of_its_own_once_others_have_expired() {
        let mut budgets = Budgets::default();
        for name in 0..=ACCOUNTS_MAX {
            budgets.charge(&scope(&name.to_string()), &fill(TTL), 1000, NOW);
        }
        let last = scope(&ACCOUNTS_MAX.to_string());
        assert_eq!(budgets.charge(&scope("one more"), &fill(TTL), 1000, NOW), None, "it shares with the last");
        let later = NOW + 2 * TTL;
        assert!(budgets.charge(&last, &fill(TTL), 1000, later).is_some());
        assert!(budgets.charge(&scope("one more"), &fill(TTL), 1000, later).is_some());
        assert_eq!(budgets.accounts.len(), 2);
    }

    #[test]
    fn what_was_charged_to_the_shared_account_is_given_back_to_it() {
        let mut budgets = Budgets::default();
        for name in 0..ACCOUNTS_MAX {
            let ttl = if name == 0 { TTL / 4 } else { TTL };
            budgets.charge(&scope(&name.to_string()), &fill(ttl), 1000, NOW);
        }
        let shared = budgets.charge(&scope("late"), &fill(TTL), 1000, NOW).unwrap();
        // One has expired since, so there is room for an account of its own.
        let late = |budgets: &mut Budgets, share| budgets.charge(&scope("late"), &fill(TTL), share, NOW + TTL / 2);
        assert_eq!(late(&mut budgets, 1000), None, "what it had filled before counts");
        assert!(late(&mut budgets, 2000).is_some());
        budgets.give_back(&scope("late"), shared);
        assert_eq!(late(&mut budgets, 2000), None, "its own is used up");
        let another = budgets.charge(&scope("another"), &fill(TTL), 1000, NOW + TTL / 2);
        assert!(another.is_some(), "the shared one is not");
    }

    #[test]
    fn accounts_are_few_and_small() {
        let mut budgets = Budgets::default();
        for name in 0..2 * ACCOUNTS_MAX {
            budgets.charge(&scope(&name.to_string()), &fill(TTL), u64::MAX, NOW);
        }
        assert_eq!(budgets.accounts.len(), ACCOUNTS_MAX);
        assert_eq!(budgets.charge(&scope("one more"), &fill(TTL), 1500, NOW), None, "it shares an account");
        let later = NOW + 2 * TTL;
        assert!(budgets.charge(&scope("one more"), &fill(TTL), 1500, later).is_some());
        for ms in 0..60_000 {
            budgets.charge(&scope("1"), &fill(Duration::from_secs(60)), u64::MAX, NOW + Duration::from_millis(ms));
        }
        assert!(budgets.accounts[&("t".to_owned(), "1".to_owned())].ends.len() < 40);
    }
}
