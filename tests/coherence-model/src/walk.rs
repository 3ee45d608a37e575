//! Long random walks through configurations that are too large to be explored.
//!
//! A walk is told by its seed alone: the same seed takes the same steps.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use stateright::Model;

use crate::config::Config;
use crate::faults::Fault;
use crate::invariants::{self, QUIET, RULE_3};
use crate::model::Action;
use crate::reader::Move;
use crate::state::State;

/// How a walk ended.
#[derive(Debug)]
pub struct Walk {
    /// Steps taken.
    pub steps: usize,
    /// States in which a written value would have been served.
    pub served: usize,
    /// The promise that it broke, and the steps to there.
    pub violation: Option<(&'static str, Vec<Action>)>,
}

/// Takes up to `steps` steps at random.
pub fn walk(config: &Config, seed: u64, steps: usize) -> Walk {
    let mut random = StdRng::seed_from_u64(seed);
    let mut state = State::new(config);
    let mut taken = Vec::new();
    let mut served = 0;
    while taken.len() < steps {
        let Some((action, next)) = step(config, &state, &mut random) else { break };
        taken.push(action);
        state = next;
        served += usize::from(invariants::caches(config, &state));
        if let Some(property) = broken(config, &state) {
            return Walk { steps: taken.len(), served, violation: Some((property, taken)) };
        }
    }
    Walk { steps: taken.len(), served, violation: None }
}

fn broken(config: &Config, state: &State) -> Option<&'static str> {
    if !invariants::keeps_rule_3(config, state) {
        return Some(RULE_3);
    }
    (!invariants::quiet_is_right(config, state)).then_some(QUIET)
}

fn step(config: &Config, state: &State, random: &mut StdRng) -> Option<(Action, State)> {
    let mut actions = Vec::new();
    config.actions(state, &mut actions);
    while !actions.is_empty() {
        let action = *actions.choose_weighted(random, |action| weight(state, action)).ok()?;
        actions.retain(|other| *other != action);
        if let Some(next) = config.next_state(state, action) {
            return Some((action, next));
        }
    }
    None
}

/// How often a step is drawn: so that there is time to fill and to serve between faults, and outages last until somebody
/// gives up.
fn weight(state: &State, action: &Action) -> u32 {
    match action {
        Action::Fault(fault) if ends(state, *fault) => 6,
        Action::Fault(_) | Action::Lose(_) => 1,
        Action::Read(_, Move::Drop | Move::Fill { copy: true }) | Action::Call { copy: true, .. } => 2,
        Action::Canary { slow: true, .. } => 2,
        Action::Expire(_) | Action::Deliver(_) | Action::NeverApplied(_) => 8,
        Action::Fetch { .. } | Action::Begin(_) | Action::Again(_) | Action::Tick => 12,
        _ => 60,
    }
}

fn ends(state: &State, fault: Fault) -> bool {
    match fault {
        Fault::BackendLink(index) => !state.replicas[index].linked,
        Fault::Pause(index) => !state.replicas[index].awake,
        Fault::RouterLink(index) => !state.routers[index].linked,
        Fault::StopWrites => state.refuses,
        _ => false,
    }
}
