//! Taking any one part of the protocol away breaks a promise; what can be taken away unharmed is named too.

use coherence_model::config::{Config, Detail, Faults, Kind, Part, Plan};
use coherence_model::configurations as all;
use coherence_model::run::explore;

fn breaks(config: Config, part: Part) {
    let found = explore(config.without(part));
    let (property, trace) = found.violation.unwrap_or_else(|| panic!("nothing breaks without {part:?}"));
    println!("without {part:?}: {property}\n{trace}");
}

fn harmless(config: Config, part: Part) {
    let found = explore(config.without(part));
    if let Some((property, trace)) = found.violation {
        panic!("{part:?} matters after all: {property}\n{trace}");
    }
}

macro_rules! parts {
    ($check:ident: $($name:ident: $part:ident in $config:expr;)*) => { $(
        #[test]
        fn $name() {
            $check($config, Part::$part);
        }
    )* };
}

parts!(breaks:
    no_hold: HoldFirst in all::one_key();
    token_kept_by_hold: TokenEndsAtHold in all::one_key();
    no_release: ReleaseClears in all::one_key();
    token_kept_by_release: TokenEndsAtRelease in all::one_key();
    token_kept_by_clear: TokenEndsAtClear in all::filters();
    release_before_the_answer: ReleaseAfterAnswer in all::one_key();
    acknowledged_before_release: AcknowledgeLast in all::filters();
    unknown_outcome_releases: UnknownKeepsHold in all::one_key();
    unknown_outcome_releases_the_namespace: UnknownKeepsHold in all::filters();
    fill_unchecked: TokenCheckedAtFill in all::one_key();
    lease_under_an_open_hold: NoLeaseUnderHold in all::one_key();
    lease_after_the_query: LeaseBeforeQuery in all::one_key();
    joins_an_older_query: OwnQuery in all::one_key();
    generation_not_compared: GenerationCompared in all::filters();
    epoch_not_compared: EpochCompared in all::outage();
    absent_namespace_is_a_generation: AbsentNamespaceIsNone in all::filters();
    expiry_does_not_purge: ExpiryPurges in all::filters();
    expired_hold_forgotten: ExpiredHoldsStay in all::filters_refused();
    purge_closes_holds: PurgeKeepsHolds in all::filters();
    no_clear: ClearsKeys in all::filters();
    namespace_released_before_clears: ClearsBeforeRelease in all::filters();
    clear_closes_holds: ClearKeepsHolds in all::filters();
    no_remove_fallback: RemoveFallback in all::one_key();
    no_remove_fallback_for_namespaces: RemoveFallback in all::filters_refused();
    no_canary: CanaryChecked in all::outage();
    canary_checked_on_arrival: CanaryCheckedLast in all::old_restart_lost();
    proof_of_another_epoch: ProofOfThatEpoch in all::old_restart_lost();
    clock_stops_while_suspended: ClockRunsOn in all::pause_embedded();
    no_new_epoch: NewEpochAfterLapse in all::outage();
    stop_writes_begins_a_proof: StopWritesBeginsNoProof in all::outage_refused();
    serves_before_routers_notice: Settles in all::outage();
    owing_router_does_not_bypass: BypassWhileOwing in all::cut_router();
    nothing_owed_is_delivered: Backlog in all::cut_router();
    quick_restart_with_an_old_file: RestartTakesLong in all::old_restart();
    lease_by_an_unproven_replica: NoLeaseUnproven in all::outage();
);

parts!(harmless:
    canary_aged_from_its_answer: CanaryAgeFromSend in all::pause_embedded();
    unheld_router_does_not_bypass: BypassWhileUnheld in all::outage();
    unheld_cut_router_does_not_bypass: BypassWhileUnheld in all::cut_router();
);

/// A smoke test of the tests: a protocol with nothing to write has nothing to break.
#[test]
fn nothing_breaks_where_nobody_writes() {
    let quiet = Config {
        writers: vec![Plan { router: 0, kind: Kind::Keys(0) }; 0],
        faults: Faults { evicted_keys: 1, ..Faults::default() },
        ..Config::new("no writer", Detail::Records)
    };
    harmless(quiet, Part::TokenCheckedAtFill);
}
