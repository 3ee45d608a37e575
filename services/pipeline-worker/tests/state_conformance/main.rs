//! What both databases must do, as tests that run against each: SQLite in a directory, PostgreSQL on a server that the
//! tests start.
//!
//! Each case is a rule of docs/adr/0005-pipelines.md. After each, the counters are held against the items.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers of tests too")]

mod bodies;
mod claims;
mod cluster;
mod failures;
mod faults;
mod fences;
mod functions;
mod leases;
mod plans;
mod purges;
mod queues;
mod races;
mod rounds;
mod stages;
mod staging;
mod stores;

macro_rules! conformance {
    ($($module:ident :: { $($case:ident),+ $(,)? })+) => {
        mod sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    let store = crate::stores::sqlite().await;
                    crate::$module::$case(&store).await;
                    store.audit().await;
                }
            )+)+
        }

        mod postgres {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    let store = crate::stores::postgres().await;
                    crate::$module::$case(&store).await;
                    store.audit().await;
                }
            )+)+
        }
    };
}

conformance! {
    queues::{
        a_queue_is_made_found_listed_and_deleted,
        a_name_is_free_again_at_once_for_a_queue_of_its_own,
        what_makes_no_sense_is_refused_by_the_fields_name,
    }
    staging::{
        items_enter_the_first_stage,
        a_repeated_call_changes_nothing_until_the_item_is_claimed,
        another_body_is_another_version,
        staging_again_cancels_what_is_in_flight,
        a_version_is_above_its_floor,
        staging_again_forgets_outputs_and_failures,
    }
    claims::{
        larger_priorities_come_first_then_the_older,
        a_prefix_bounds_a_claim,
        a_prefix_that_many_have_bounds_a_claim_as_well,
        an_item_is_claimed_once,
        a_claim_never_takes_what_waits_for_another_stage,
        a_concurrency_limit_holds_across_claims,
        stages_are_passed_one_by_one,
        a_claim_into_the_last_stage_is_refused,
        a_deep_queue_is_no_slower_than_a_shallow_one,
    }
    leases::{
        a_lease_that_is_over_returns_its_item,
        a_lease_that_is_over_is_over_for_its_worker_too,
        a_heartbeat_keeps_a_lease,
        a_released_item_keeps_its_place_and_its_attempts,
        who_loses_leases_comes_in_ever_smaller_numbers,
        who_loses_all_its_leases_dies_alone,
    }
    fences::{
        an_older_token_moves_nothing,
        an_older_version_moves_nothing,
        another_worker_moves_nothing,
        another_stage_moves_nothing,
        one_refusal_hinders_no_other_item,
        a_completion_may_be_repeated,
    }
    stages::{
        published_clients_move_documents_by_stage_and_worker,
        a_document_without_chunks_is_made_where_it_is_missing,
        an_unguarded_move_ends_the_lease,
        an_output_counts_for_the_stage_that_it_was_stored_under,
        what_is_done_is_counted_per_minute,
    }
    failures::{
        what_failed_waits_and_is_tried_again,
        what_fails_every_time_is_dead,
        what_fails_for_good_is_dead_at_once,
        dead_letters_are_listed_in_pages_and_put_back,
        a_long_message_is_cut,
    }
    purges::{
        what_is_done_goes_when_its_time_is_over,
        dead_letters_go_when_their_time_is_over,
        a_deleted_queue_goes_in_batches,
        what_is_owed_at_the_origin_is_kept,
        rows_of_older_versions_are_deleted_twice,
        a_cleanup_that_was_overtaken_is_still_owed,
    }
    bodies::{
        a_body_that_could_be_swept_is_not_named,
        only_old_bodies_that_no_row_names_are_orphans,
        a_pack_lives_as_long_as_a_row_names_it,
        what_is_noted_of_packs_goes_with_them,
    }
    races::{
        racing_claimers_never_get_the_same_item,
        a_concurrency_limit_holds_in_a_race,
        racing_stagings_of_one_item_are_one_item,
        anything_at_all_keeps_the_counters_right,
    }
    functions::{
        only_items_that_are_not_there_are_put_into_the_queue,
        what_is_done_leaves_the_queue_and_is_counted,
        an_item_whose_row_is_gone_leaves_the_queue_uncounted,
        what_changed_since_it_was_given_is_claimed_anew,
        who_is_vouched_for_keeps_the_lease,
        a_lease_that_is_over_is_not_vouched_for,
        a_new_version_outdates_every_claim,
        a_change_that_is_none_changes_nothing,
        functions_whose_marks_would_be_the_same_exclude_each_other,
        nothing_is_claimed_from_a_queue_that_is_paused,
    }
    rounds::{
        a_round_looks_through_every_namespace_once,
        a_page_counts_only_for_who_has_the_namespace,
        racing_scanners_share_the_namespaces,
        a_page_that_could_not_be_read_is_tried_again_later,
        nothing_is_searched_for_while_enough_waits,
        a_change_ends_a_round_and_begins_the_next_at_once,
        at_its_time_all_rows_are_done_anew,
        a_paused_function_is_not_searched_for,
        a_round_can_be_hastened,
        what_belongs_to_a_deleted_function_is_purged,
    }
    faults::{
        a_second_process_finds_everything,
        a_closed_store_is_unavailable,
        nothing_is_answered_before_the_schema_is_up_to_date,
        a_call_that_is_given_up_leaves_no_transaction_open,
    }
}
