//! Time, canaries and routes.
//!
//! A tick stands for a quarter of a second. Nothing has to happen between two ticks but two things, which are what the
//! routers must be built to keep: a call that finds a way at any moment of its patience is not given up, and a router
//! whose breaker is open notices a way within [`NOTICE`] ticks, and before it goes again.

use crate::config::{Config, Part};
use crate::model::Action;
use crate::state::{LAPSE, NOTICE, PATIENCE, SETTLE, State, Step};

/// What time, replicas and routers may do.
pub fn actions(config: &Config, state: &State, out: &mut Vec<Action>) {
    if may_tick(config, state) {
        out.push(Action::Tick);
    }
    for (index, replica) in state.replicas[..config.replicas].iter().enumerate() {
        if replica.works() && replica.flying.is_none() {
            out.push(Action::Canary { replica: index, slow: false });
            if state.faults.slow_canaries > 0 {
                out.push(Action::Canary { replica: index, slow: true });
            }
        }
        if replica.awake && replica.flying.is_some() {
            out.push(Action::CanaryAnswer(index));
        }
    }
    for router in 0..config.routers {
        if state.routers[router].open && state.has_way(config, router) {
            out.push(Action::Notice(router));
        }
    }
}

fn may_tick(config: &Config, state: &State) -> bool {
    (0..config.routers).all(|index| {
        let router = &state.routers[index];
        !router.open || !state.has_way(config, index) || router.unnoticed < NOTICE
    })
}

/// Whether some router has yet to notice the way that it has: the way may not go before.
pub fn unnoticed(config: &Config, state: &State) -> bool {
    (0..config.routers).any(|router| state.routers[router].open && state.has_way(config, router))
}

impl State {
    /// A quarter of a second passes.
    pub fn tick(&mut self, config: &Config) {
        self.records.epoch.age = (self.records.epoch.age + 1).min(LAPSE);
        for replica in &mut self.replicas[..config.replicas] {
            if replica.awake || !config.lacks(Part::ClockRunsOn) {
                replica.age = (replica.age + 1).min(LAPSE);
                replica.settle = replica.settle.saturating_sub(1);
                replica.flying = replica.flying.map(|(age, epoch)| ((age + 1).min(LAPSE), epoch));
            }
        }
        for router in 0..config.routers {
            if self.routers[router].open && self.has_way(config, router) {
                self.routers[router].unnoticed += 1;
            }
        }
        self.count_tries(config);
    }

    fn count_tries(&mut self, config: &Config) {
        for (index, plan) in config.writers.iter().enumerate() {
            let way = self.has_way(config, plan.router);
            let writer = &mut self.writers[index];
            let calls = matches!(writer.step, Step::Hold | Step::Purge | Step::Clear | Step::Release);
            if calls && !way && !writer.owes() {
                writer.tried = (writer.tried + 1).min(PATIENCE);
            }
        }
    }

    /// A canary reaches the backend; a slow one's answer is yet to come.
    pub fn canary(&mut self, config: &Config, index: usize, slow: bool) {
        let proven = self.replicas[index].age < LAPSE;
        if self.refuses {
            if !proven && !config.lacks(Part::StopWritesBeginsNoProof) {
                return;
            }
        } else {
            self.touch_epoch(config);
        }
        if slow {
            self.replicas[index].flying = Some((0, self.records.epoch.epoch));
        } else {
            self.prove(index, 0, self.records.epoch.epoch);
        }
    }

    fn touch_epoch(&mut self, config: &Config) {
        let lapsed = self.records.epoch.age >= LAPSE && !config.lacks(Part::NewEpochAfterLapse);
        if lapsed || self.records.epoch.epoch == 0 {
            self.records.epoch.epoch = self.records.draw();
        }
        self.records.epoch.age = 0;
    }

    /// A slow canary's answer arrives.
    pub fn canary_answer(&mut self, config: &Config, index: usize) {
        let Some((age, epoch)) = self.replicas[index].flying.take() else { return };
        let age = if config.lacks(Part::CanaryAgeFromSend) { 0 } else { age };
        if age < LAPSE {
            self.prove(index, age, epoch);
        }
    }

    fn prove(&mut self, index: usize, age: u8, epoch: u8) {
        let replica = &mut self.replicas[index];
        if replica.age >= LAPSE {
            replica.settle = SETTLE;
        }
        replica.age = replica.age.min(age);
        replica.epoch = epoch;
    }

    /// A router notices that there is a way.
    pub fn notice(&mut self, index: usize) {
        let router = &mut self.routers[index];
        router.open = false;
        router.unnoticed = 0;
        router.severed = false;
    }

    /// After every step: who has a way starts to count anew, and who alone has none is severed.
    pub fn settle_routes(&mut self, config: &Config) {
        let works = self.some_replica_works(config);
        for router in 0..config.routers {
            let way = self.has_way(config, router);
            let router = &mut self.routers[router];
            if way && !router.open {
                router.severed = false;
            }
            router.severed |= works && !way;
        }
        for (index, plan) in config.writers.iter().enumerate() {
            if self.has_way(config, plan.router) {
                self.writers[index].tried = 0;
            }
        }
    }
}
