//! A writer, as its router carries it through: hold, origin, clear or purge, release, acknowledge.
//!
//! A call that finds no way for [`PATIENCE`] ticks is given up. A hold given up leaves the write unheld; a release
//! given up is owed: the write is acknowledged and the same steps go on in the background, which is the backlog.

use crate::config::{Config, Kind, Part};
use crate::model::Action;
use crate::records::{Call, KEYS, members};
use crate::state::{PATIENCE, State, Step, Writer};

/// What this writer may do now.
pub fn actions(config: &Config, state: &State, index: usize, out: &mut Vec<Action>) {
    let writer = &state.writers[index];
    let late = state.faults.late_calls > 0;
    if let Some(call) = next_call(config, writer, index) {
        if may_call(config, state, index) {
            out.push(Action::Call { writer: index, call, copy: false });
            if late {
                out.push(Action::Call { writer: index, call, copy: true });
            }
        }
        if may_give_up(config, state, index) {
            out.push(Action::GiveUp { writer: index, late: false });
            if late {
                out.push(Action::GiveUp { writer: index, late: true });
            }
        }
    }
    origin_actions(config, state, index, out);
}

fn origin_actions(config: &Config, state: &State, index: usize, out: &mut Vec<Action>) {
    let writer = &state.writers[index];
    match writer.step {
        Step::Idle if config.timed() || config.lacks(Part::HoldFirst) => out.push(Action::Begin(index)),
        Step::Send => out.push(Action::Apply(index)),
        Step::Limbo => out.extend([Action::Apply(index), Action::NeverApplied(index)]),
        Step::Done if config.writes_again && leaves_no_trace(state, index) => out.push(Action::Again(index)),
        _ => {}
    }
    let losable = matches!(writer.step, Step::Hold | Step::Send | Step::Purge | Step::Clear | Step::Release);
    if losable && state.faults.lost_writers > 0 {
        out.push(Action::Lose(index));
    }
    if state.records.holds(index) && !writer.unapplied() {
        out.push(Action::Expire(index));
    }
}

fn leaves_no_trace(state: &State, index: usize) -> bool {
    let bit = 1 << index;
    let late = state.late.iter().flatten().any(|call| match call {
        Call::Hold { writer, .. } | Call::Release { writer, .. } => *writer == index,
        Call::HoldNamespace { writer } | Call::ReleaseNamespace { writer } => *writer == index,
        _ => false,
    });
    let saved = state.saved.as_ref().is_some_and(|saved| {
        (saved.namespace.holds | saved.namespace.expired) & bit != 0
            || saved.keys.iter().any(|record| record.holds & bit != 0)
    });
    !late && !saved && !state.records.holds(index) && state.records.namespace.expired & bit == 0
}

/// The call that this writer has to make next.
pub fn next_call(config: &Config, writer: &Writer, index: usize) -> Option<Call> {
    let kind = config.writers[index].kind;
    let todo = if writer.step == Step::Idle { kind.keys() } else { writer.todo };
    let key = todo.trailing_zeros() as usize;
    let by_key = matches!(kind, Kind::Keys(_));
    match writer.step {
        Step::Idle if config.timed() || config.lacks(Part::HoldFirst) => None,
        Step::Idle | Step::Hold if by_key => Some(Call::Hold { writer: index, key }),
        Step::Idle | Step::Hold => Some(Call::HoldNamespace { writer: index }),
        Step::Purge => Some(Call::Purge),
        Step::Clear => Some(Call::Clear { key }),
        Step::Release if by_key => Some(Call::Release { writer: index, key }),
        Step::Release => Some(Call::ReleaseNamespace { writer: index }),
        _ => None,
    }
}

/// A router whose breaker is open makes no call that somebody waits for; what it owes it tries for ever.
fn may_call(config: &Config, state: &State, index: usize) -> bool {
    let router = config.writers[index].router;
    state.has_way(config, router) && (state.writers[index].owes() || !state.routers[router].open)
}

fn may_give_up(config: &Config, state: &State, index: usize) -> bool {
    let writer = &state.writers[index];
    let open = state.routers[config.writers[index].router].open;
    config.timed() && !writer.owes() && (open || writer.tried >= PATIENCE)
}

impl State {
    /// A writer begins.
    pub fn begin(&mut self, config: &Config, index: usize) {
        self.writers[index].todo = config.writers[index].kind.keys();
        self.writers[index].step = if config.lacks(Part::HoldFirst) { Step::Send } else { Step::Hold };
    }

    /// A writer's call goes through.
    pub fn write_call(&mut self, config: &Config, index: usize, call: Call) {
        if self.writers[index].step == Step::Idle {
            self.begin(config, index);
        }
        self.call(config, call);
        let writer = &mut self.writers[index];
        writer.tried = 0;
        match call {
            Call::Hold { key, .. } | Call::Release { key, .. } | Call::Clear { key } => writer.todo &= !(1 << key),
            _ => writer.todo = 0,
        }
        if writer.todo == 0 {
            self.next_step(config, index);
        }
    }

    fn next_step(&mut self, config: &Config, index: usize) {
        let writer = &mut self.writers[index];
        let applied = writer.versions != [0; KEYS];
        let early = config.lacks(Part::ClearsBeforeRelease);
        let by_filter = matches!(config.writers[index].kind, Kind::Filter(_));
        writer.todo = config.writers[index].kind.keys();
        writer.step = match writer.step {
            Step::Hold if config.lacks(Part::ReleaseAfterAnswer) => Step::Release,
            Step::Hold => Step::Send,
            Step::Purge => Step::Release,
            Step::Clear if !early => Step::Release,
            Step::Release if !applied => Step::Send,
            Step::Release if by_filter && early => Step::Clear,
            _ => return self.finish(config, index),
        };
    }

    /// The origin applies the write.
    pub fn apply_write(&mut self, config: &Config, index: usize) {
        let kind = config.writers[index].kind;
        for key in members(kind.keys()) {
            self.origin[key] += 1;
            self.writers[index].versions[key] = self.origin[key];
        }
        if self.writers[index].step == Step::Limbo {
            self.writers[index].step = Step::Lost;
            return;
        }
        if config.lacks(Part::AcknowledgeLast) {
            self.promise(config, index, false);
        }
        if config.lacks(Part::ReleaseAfterAnswer) {
            return self.finish(config, index);
        }
        self.writers[index].todo = kind.keys();
        self.writers[index].step = match kind {
            Kind::Keys(_) => Step::Release,
            Kind::Whole(_) => Step::Purge,
            Kind::Filter(_) if config.lacks(Part::ClearsKeys) => Step::Release,
            Kind::Filter(_) if config.lacks(Part::ClearsBeforeRelease) => Step::Release,
            Kind::Filter(_) => Step::Clear,
        };
    }

    /// Everything is delivered.
    fn finish(&mut self, config: &Config, index: usize) {
        self.promise(config, index, false);
        self.writers[index].step = Step::Done;
    }

    /// From now on fetches must see the write: through every router, or, if its router is severed, through that one.
    fn promise(&mut self, config: &Config, index: usize, severed: bool) {
        let router = config.writers[index].router;
        let versions = self.writers[index].versions;
        for (row, acked) in self.acked.iter_mut().enumerate() {
            if !severed || row == router {
                for key in members(config.writers[index].kind.keys()) {
                    acked[key] = acked[key].max(versions[key]);
                }
            }
        }
    }

    /// A call was tried for long enough.
    pub fn give_up(&mut self, config: &Config, index: usize, late: bool) {
        let router = config.writers[index].router;
        if let Some(call) = next_call(config, &self.writers[index], index).filter(|_| late) {
            self.send_late(call);
        }
        self.routers[router].open = true;
        let severed = self.routers[router].severed;
        let writer = &mut self.writers[index];
        writer.tried = 0;
        if writer.step == Step::Hold {
            writer.unheld = true;
            writer.bare |= config.writers[index].kind.keys();
            writer.step = Step::Send;
            return;
        }
        writer.acked = true;
        writer.excused = severed;
        if config.lacks(Part::Backlog) {
            writer.step = Step::Done;
        }
        self.promise(config, index, severed);
    }

    /// The writer dies, or gives the origin up.
    pub fn lose(&mut self, config: &Config, index: usize) {
        let step = self.writers[index].step;
        match step {
            Step::Send if config.lacks(Part::UnknownKeepsHold) => self.release_all(config, index),
            Step::Hold => self.writers[index].bare = 0,
            _ if self.writers[index].owes() => self.forget_promise(config.writers[index].router),
            _ => {}
        }
        self.writers[index].step = if step == Step::Send { Step::Limbo } else { Step::Lost };
    }

    fn release_all(&mut self, config: &Config, index: usize) {
        match config.writers[index].kind {
            Kind::Keys(keys) => {
                for key in members(keys) {
                    self.call(config, Call::Release { writer: index, key });
                }
            }
            _ => self.call(config, Call::ReleaseNamespace { writer: index }),
        }
    }

    /// A router that dies with what it owes takes its own promise along; what was promised for all stays.
    fn forget_promise(&mut self, router: usize) {
        self.acked[router] = self.acked[self.acked.len() - 1];
    }
}
