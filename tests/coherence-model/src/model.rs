//! The model as stateright explores it: actions, steps, and what must always hold.

use stateright::{Model, Property};

use crate::config::Config;
use crate::faults::{self, Fault};
use crate::invariants;
use crate::reader::{self, Move};
use crate::records::Call;
use crate::state::{At, State, Step, Writer};
use crate::{clock, writer};

/// A step.
#[expect(missing_docs, reason = "the variants' texts speak of their fields")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A writer begins.
    Begin(usize),
    /// A writer's call goes through; `copy`: it will arrive again.
    Call { writer: usize, call: Call, copy: bool },
    /// A writer's call was tried for long enough; `late`: it arrives later all the same.
    GiveUp { writer: usize, late: bool },
    /// The origin applies a write.
    Apply(usize),
    /// The origin will never apply a write that nobody waits for.
    NeverApplied(usize),
    /// A writer dies or gives the origin up.
    Lose(usize),
    /// A writer's holds run out.
    Expire(usize),
    /// A writer that is done is another one.
    Again(usize),
    /// A fetch begins.
    Fetch { router: usize, replica: usize, key: usize },
    /// A fetch goes on.
    Read(usize, Move),
    /// A late call arrives.
    Deliver(usize),
    /// Something goes wrong, or right again.
    Fault(Fault),
    /// Time passes.
    Tick,
    /// A canary reaches the backend.
    Canary { replica: usize, slow: bool },
    /// A slow canary is answered.
    CanaryAnswer(usize),
    /// A router's write breaker closes.
    Notice(usize),
}

impl Config {
    fn step(&self, state: &mut State, action: Action) {
        match action {
            Action::Begin(index) => state.begin(self, index),
            Action::Call { writer, call, copy } => {
                self.copy(state, call, copy);
                state.write_call(self, writer, call);
            }
            Action::GiveUp { writer, late } => {
                state.faults.late_calls -= u8::from(late);
                state.give_up(self, writer, late);
            }
            Action::Apply(index) => state.apply_write(self, index),
            Action::NeverApplied(index) => {
                state.writers[index].step = Step::Lost;
                state.writers[index].bare = 0;
            }
            Action::Lose(index) => {
                state.faults.lost_writers -= 1;
                state.lose(self, index);
            }
            Action::Expire(index) => state.records.expire(index),
            Action::Again(index) => state.writers[index] = Writer::default(),
            Action::Fetch { router, replica, key } => {
                state.begin_fetch(self, At { router, replica, key, least: 0 });
            }
            Action::Read(index, step) => self.read(state, index, step),
            Action::Deliver(slot) => {
                if let Some(call) = state.late[slot].take() {
                    state.call(self, call);
                }
            }
            Action::Fault(fault) => state.fault(self, fault),
            Action::Tick => state.tick(self),
            Action::Canary { replica, slow } => {
                state.faults.slow_canaries -= u8::from(slow);
                state.canary(self, replica, slow);
            }
            Action::CanaryAnswer(index) => state.canary_answer(self, index),
            Action::Notice(router) => state.notice(router),
        }
    }

    fn read(&self, state: &mut State, index: usize, step: Move) {
        if let (Move::Fill { copy }, crate::state::Fetch::Filling { key, lease, version }) =
            (step, state.readers[index])
        {
            self.copy(state, Call::Fill { key, lease, version }, copy);
        }
        state.read(self, index, step);
    }

    fn copy(&self, state: &mut State, call: Call, copy: bool) {
        if copy && state.send_late(call) {
            state.faults.late_calls -= 1;
        }
    }
}

impl Model for Config {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self).canonical(self)]
    }

    fn actions(&self, state: &State, out: &mut Vec<Action>) {
        for index in 0..self.writers.len() {
            writer::actions(self, state, index, out);
        }
        reader::begin_actions(self, state, out);
        for index in 0..crate::config::READERS {
            reader::actions(self, state, index, out);
        }
        for (slot, call) in state.late.iter().enumerate() {
            if call.is_some() {
                out.push(Action::Deliver(slot));
            }
        }
        faults::actions(self, state, out);
        if self.timed() {
            clock::actions(self, state, out);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.step(&mut state, action);
        if self.timed() {
            state.settle_routes(self);
        }
        let state = state.canonical(self);
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(invariants::RULE_3, invariants::keeps_rule_3),
            Property::always(invariants::QUIET, invariants::quiet_is_right),
            Property::sometimes(invariants::CACHES, invariants::caches),
        ]
    }
}
