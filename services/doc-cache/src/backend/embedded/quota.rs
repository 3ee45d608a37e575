//! How many bytes the values of a namespace take, for namespaces that have a bound.
//!
//! The account is exact: a value is charged before its record points to it, and given back when no record does any more.
//! Where a value finds no room, the oldest values of its own namespace go, never another's. What a purge or a new epoch
//! made void stays charged, as it takes room until it goes; it is the oldest, so it goes first.
//!
//! Only values that were filled with a bound are charged: a namespace without one costs nothing here. All accounts are
//! behind one lock, which is taken before the lock of a record's shard and never while one is held.

use std::collections::{HashMap, VecDeque};

use super::record::Pointer;

/// The account of values that are not charged.
pub(super) const NONE: u32 = 0;
/// What a charge costs, in bytes: its places in the map and in the queue, with the room that both keep to grow.
pub(super) const CHARGE_BYTES: usize = 80;
/// Numbers in a queue whose values have gone already, at the least, before the queue is cleaned of them.
const STALE_MIN: usize = 64;
/// Values that go at the most for one that comes. A bound that was lowered far is reached step by step.
const GOING_MAX: usize = 64;

/// A bound and whose it is.
pub(super) struct Quota {
    /// The namespace's name, as its record's.
    pub(super) name: Vec<u8>,
    pub(super) max_bytes: u64,
}

/// A value, by its number in the value store and the hash of its record's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Charged {
    pub(super) number: u64,
    pub(super) hash: u64,
}

/// What became of a charge.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The account that the value is charged to; `None` where there is no room for it.
    pub(super) account: Option<u32>,
    /// Values that must go. They are not charged any more.
    pub(super) goes: Vec<Charged>,
}

#[derive(Default)]
struct Account {
    name: Box<[u8]>,
    used: u64,
    /// By number: hash and bytes.
    values: HashMap<u64, (u64, u32)>,
    /// Numbers in the order of their coming, and some of values that have gone.
    order: VecDeque<u64>,
}

impl Account {
    fn add(&mut self, value: Charged, bytes: u32) {
        self.used += u64::from(bytes);
        self.values.insert(value.number, (value.hash, bytes));
        self.order.push_back(value.number);
    }

    fn remove(&mut self, number: u64) -> Option<u64> {
        let (hash, bytes) = self.values.remove(&number)?;
        self.used -= u64::from(bytes);
        if self.order.len() > 2 * self.values.len() + STALE_MIN {
            self.order.retain(|number| self.values.contains_key(number));
        }
        Some(hash)
    }

    /// Takes the value that has been there longest.
    fn oldest(&mut self) -> Option<Charged> {
        while let Some(number) = self.order.pop_front() {
            if let Some(hash) = self.remove(number) {
                return Some(Charged { number, hash });
            }
        }
        None
    }
}

/// The accounts of all namespaces with a bound.
#[derive(Default)]
pub(super) struct Quotas {
    names: HashMap<Box<[u8]>, u32>,
    /// Account n is at n - 1.
    accounts: Vec<Account>,
    free: Vec<u32>,
}

impl Quotas {
    /// Charges a value of `bytes` to the namespace of `quota`.
    pub(super) fn charge(&mut self, quota: &Quota, value: Charged, bytes: u32) -> Outcome {
        let Some(room) = quota.max_bytes.checked_sub(u64::from(bytes)) else {
            return Outcome { account: None, goes: Vec::new() };
        };
        let number = self.names.get(quota.name.as_slice()).copied().unwrap_or_else(|| self.open(&quota.name));
        let account = self.account(number);
        let mut goes = Vec::new();
        while account.used > room && goes.len() < GOING_MAX {
            goes.extend(account.oldest());
        }
        let fits = account.used <= room;
        if fits {
            account.add(value, bytes);
        }
        self.close_if_empty(number);
        Outcome { account: fits.then_some(number), goes }
    }

    /// Gives back what a value was charged with, if it was.
    pub(super) fn give_back(&mut self, value: &Pointer) {
        if value.account == NONE {
            return;
        }
        let account = self.account(value.account);
        if account.remove(value.number).is_some() {
            self.close_if_empty(value.account);
        }
    }

    fn account(&mut self, number: u32) -> &mut Account {
        &mut self.accounts[number as usize - 1]
    }

    fn open(&mut self, name: &[u8]) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.accounts.push(Account::default());
            // Each has a value at least, and the records' bound in bytes keeps these far below 2^32.
            u32::try_from(self.accounts.len()).expect("there are fewer than 2^32 accounts")
        });
        self.account(number).name = name.into();
        self.names.insert(name.into(), number);
        number
    }

    /// Nobody knows the number of an empty account: the last value that did was given back.
    fn close_if_empty(&mut self, number: u32) {
        if self.account(number).values.is_empty() {
            let closed = std::mem::take(self.account(number));
            self.names.remove(&closed.name);
            self.free.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::record::Era, *};

    fn quota(name: &str, max_bytes: u64) -> Quota {
        Quota { name: name.as_bytes().to_vec(), max_bytes }
    }

    fn value(number: u64) -> Charged {
        Charged { number, hash: number + 1000 }
    }

    fn pointer(number: u64, account: u32) -> Pointer {
        let era = Era { generation: 0, epoch: 0 };
        Pointer { number, era, expires: Duration::ZERO, bytes: 0, account }
    }

    #[test]
    fn the_oldest_of_the_same_namespace_go() {
        let mut quotas = Quotas::default();
        let other = quotas.charge(&quota("other", 100), value(1), 100);
        assert!(other.account.is_some() && other.goes.is_empty());
        for number in 2..6 {
            assert!(quotas.charge(&quota("n", 100), value(number), 25).goes.is_empty());
        }
        let came = quotas.charge(&quota("n", 100), value(6), 30);
        assert!(came.account.is_some());
        assert_eq!(came.goes, [value(2), value(3)]);
    }

    #[test]
    fn what_is_given_back_is_room_and_an_empty_account_is_used_again() {
        let mut quotas = Quotas::default();
        let first = quotas.charge(&quota("n", 100), value(1), 100).account.unwrap();
        quotas.give_back(&pointer(1, first));
        quotas.give_back(&pointer(1, first));
        assert_eq!((quotas.names.len(), quotas.free.len()), (0, 1));
        assert_eq!(quotas.charge(&quota("m", 100), value(2), 100).account, Some(first));
        let second = quotas.charge(&quota("n", 100), value(3), 100);
        assert!(second.goes.is_empty() && second.account != Some(first));
    }

    #[test]
    fn what_never_fits_is_refused_and_a_bound_that_fell_is_reached_in_steps() {
        let mut quotas = Quotas::default();
        assert_eq!(quotas.charge(&quota("n", 10), value(0), 11).account, None);
        assert!(quotas.names.is_empty(), "an account without values is not kept");
        for number in 1..=100 {
            assert!(quotas.charge(&quota("n", 1000), value(number), 10).account.is_some());
        }
        let refused = quotas.charge(&quota("n", 100), value(101), 10);
        assert_eq!((refused.account, refused.goes.len()), (None, GOING_MAX));
        let taken = quotas.charge(&quota("n", 100), value(102), 10);
        assert_eq!((taken.account.is_some(), taken.goes.len()), (true, 27));
    }
    #[test]
    fn a_queue_forgets_what_was_given_back() {
        let mut quotas = Quotas::default();
        let quota = quota("n", u64::MAX);
        let first = quotas.charge(&quota, value(0), 1).account.unwrap();
        for number in 1..10_000 {
            quotas.charge(&quota, value(number), 1);
            quotas.give_back(&pointer(number, first));
        }
        let account = quotas.account(first);
        assert_eq!((account.used, account.values.len()), (1, 1));
        assert!(account.order.len() <= 2 + STALE_MIN);
    }
}
