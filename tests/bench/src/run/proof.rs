//! Before anything is measured: the target does the work that it is measured for.
//!
//! A router that forgets to stamp is fast. So every case is sent once to a namespace that the fake origin looks into.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};

use crate::case::{Case, Work};
use crate::load::{Generator, Limit, Plan};
use crate::origin::Tally;

use super::targets::{Kind, Target};

/// Sends every case once through `target` and checks what came out at `origin`.
pub(super) fn check(target: &Target, origin: SocketAddr) -> Result<()> {
    for case in Case::ALL {
        let before = Tally::fetch(origin)?;
        let plan = Plan::of(case, &target.address.to_string(), true);
        let mut generator = Generator::connect(target.address, 1, plan)?;
        generator.run(Limit::Requests(1))?.checked().context(case.name())?;
        let seen = Tally::fetch(origin)?.since(before);
        if case != Case::Namespaces {
            judge(case, target.kind, seen).with_context(|| format!("{}: the origin saw {seen:?}", case.name()))?;
        }
    }
    Ok(())
}

fn judge(case: Case, kind: Kind, seen: Tally) -> Result<()> {
    let sent =
        Tally { requests: 1, body_bytes: case.body().len() as u64, rows: u64::from(case.rows()), ..Tally::default() };
    if kind != Kind::Router || case.work() == Work::PassedThrough {
        ensure!(seen == sent, "the request was changed or lost on the way");
        return Ok(());
    }
    ensure!(seen.requests == 1 && seen.rows == sent.rows, "rows or requests were lost");
    if case.rows() > 0 {
        // The schema's declaration of the stamp has the same name and may be one more.
        let stamps = seen.rows..=seen.rows + 1;
        ensure!(stamps.contains(&seen.stamps), "not every row is stamped");
    } else {
        ensure!(seen.exclusions == 1, "the reserved attributes are not left out");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(case: Case) -> Tally {
        Tally { requests: 1, body_bytes: case.body().len() as u64, rows: u64::from(case.rows()), ..Tally::default() }
    }

    #[test]
    fn what_is_passed_through_must_come_out_as_it_went_in() {
        let seen = passed(Case::QueryPassLarge);
        judge(Case::QueryPassLarge, Kind::Router, seen).unwrap();
        let longer = Tally { body_bytes: seen.body_bytes + 1, ..seen };
        assert!(judge(Case::QueryPassLarge, Kind::Router, longer).is_err());
        assert!(judge(Case::WriteLarge, Kind::Nginx, passed(Case::WriteSmall)).is_err());
    }

    #[test]
    fn the_router_must_stamp_every_row() {
        let seen = passed(Case::WriteLarge);
        for (stamps, right) in [(0, false), (10, false), (11, true), (12, true), (13, false)] {
            let verdict = judge(Case::WriteLarge, Kind::Router, Tally { stamps, ..seen });
            assert_eq!(verdict.is_ok(), right, "{stamps} stamps");
        }
    }

    #[test]
    fn the_router_must_leave_reserved_attributes_out() {
        let seen = passed(Case::QueryReadSmall);
        assert!(judge(Case::QueryReadSmall, Kind::Router, seen).is_err());
        judge(Case::QueryReadSmall, Kind::Router, Tally { exclusions: 1, ..seen }).unwrap();
    }
}
