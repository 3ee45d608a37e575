//! What goes wrong, each kind as often as the configuration allows.

use crate::clock;
use crate::config::{Config, Part};
use crate::model::Action;
use crate::records::{Dropped, Epoch, Records, Set};
use crate::state::{LAPSE, Saved, State};

/// A fault, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A key's record goes.
    EvictKey(usize),
    /// The namespace's record goes.
    EvictNamespace,
    /// The epoch's record goes.
    EvictEpoch,
    /// An operator purges.
    Purge,
    /// The backend begins to refuse writes, or ends it.
    StopWrites,
    /// The cache restarts empty.
    RestartEmpty,
    /// The backend's file is as the records are now.
    Save,
    /// The backend restarts with that file.
    RestartOld,
    /// A replica loses the backend, or finds it again.
    BackendLink(usize),
    /// A router loses the replicas, or finds them again.
    RouterLink(usize),
    /// A replica is suspended, or goes on.
    Pause(usize),
}

/// The faults that may happen now.
pub fn actions(config: &Config, state: &State, out: &mut Vec<Action>) {
    let mut push = |fault| out.push(Action::Fault(fault));
    let left = &state.faults;
    record_faults(config, state, &mut push);
    if left.purges > 0 {
        push(Fault::Purge);
    }
    if left.stop_writes > 0 {
        push(Fault::StopWrites);
    }
    if left.empty_restarts > 0 {
        push(Fault::RestartEmpty);
    }
    if left.saves > 0 {
        push(Fault::Save);
    }
    if left.old_restarts > 0 && state.saved.is_some() {
        push(Fault::RestartOld);
    }
    route_faults(config, state, &mut push);
}

fn record_faults(config: &Config, state: &State, push: &mut impl FnMut(Fault)) {
    let left = &state.faults;
    let present = |key: &usize| state.records.keys[*key].token != 0;
    if left.evicted_keys > 0 {
        (0..config.keys).filter(present).for_each(|key| push(Fault::EvictKey(key)));
    }
    if left.evicted_namespaces > 0 && state.records.namespace.generation != 0 {
        push(Fault::EvictNamespace);
    }
    if left.evicted_epochs > 0 && state.records.epoch.epoch != 0 {
        push(Fault::EvictEpoch);
    }
}

fn route_faults(config: &Config, state: &State, push: &mut impl FnMut(Fault)) {
    let left = &state.faults;
    let stays = clock::unnoticed(config, state);
    for (index, replica) in state.replicas[..config.replicas].iter().enumerate() {
        if !replica.linked || left.backend_cuts > 0 && !stays {
            push(Fault::BackendLink(index));
        }
        if !replica.awake || left.pauses > 0 && !stays {
            push(Fault::Pause(index));
        }
    }
    for (index, router) in state.routers[..config.routers].iter().enumerate() {
        if !router.linked || left.router_cuts > 0 && !stays {
            push(Fault::RouterLink(index));
        }
    }
}

impl State {
    /// A fault happens.
    pub fn fault(&mut self, config: &Config, fault: Fault) {
        match fault {
            Fault::EvictKey(key) => {
                self.faults.evicted_keys -= 1;
                let dropped = self.records.remove_key(key);
                self.note_dropped(dropped);
            }
            Fault::EvictNamespace => {
                self.faults.evicted_namespaces -= 1;
                let dropped = self.records.remove_namespace();
                self.note_dropped(dropped);
            }
            Fault::EvictEpoch => {
                self.faults.evicted_epochs -= 1;
                self.records.epoch = Epoch::default();
            }
            Fault::Purge => {
                self.faults.purges -= 1;
                self.call(config, crate::records::Call::Purge);
            }
            Fault::StopWrites => {
                self.faults.stop_writes -= 1;
                self.refuses = !self.refuses;
            }
            Fault::RestartEmpty => self.restart_empty(config),
            Fault::Save => {
                self.faults.saves -= 1;
                let Records { keys, namespace, epoch, .. } = self.records;
                self.saved = Some(Saved { keys, namespace, epoch });
            }
            Fault::RestartOld => self.restart_old(config),
            Fault::BackendLink(_) | Fault::RouterLink(_) | Fault::Pause(_) => self.flip(fault),
        }
    }

    fn flip(&mut self, fault: Fault) {
        let (left, up) = match fault {
            Fault::BackendLink(index) => (&mut self.faults.backend_cuts, &mut self.replicas[index].linked),
            Fault::Pause(index) => (&mut self.faults.pauses, &mut self.replicas[index].awake),
            Fault::RouterLink(index) => (&mut self.faults.router_cuts, &mut self.routers[index].linked),
            _ => return,
        };
        if *up {
            *left -= 1;
        }
        *up = !*up;
    }

    fn restart_empty(&mut self, config: &Config) {
        self.faults.empty_restarts -= 1;
        self.drop_holds(Set::MAX, &[Set::MAX; crate::records::KEYS]);
        self.records = Records { next: self.records.next, ..Records::new() };
        self.records.epoch = Epoch::default();
        if !config.timed() {
            self.records.epoch.epoch = self.records.draw();
        }
    }

    fn restart_old(&mut self, config: &Config) {
        self.faults.old_restarts -= 1;
        let Some(saved) = self.saved.take() else { return };
        let kept = saved.keys.map(|record| !record.holds);
        self.drop_holds(!saved.namespace.holds, &kept);
        self.records.keys = saved.keys;
        self.records.namespace = saved.namespace;
        self.records.epoch = Epoch { epoch: saved.epoch.epoch, age: 0 };
        if !config.lacks(Part::RestartTakesLong) {
            self.records.epoch.age = LAPSE;
            for replica in &mut self.replicas[..config.replicas] {
                replica.age = LAPSE;
                replica.flying = None;
            }
        }
    }

    /// Notes the holds of the given writers, on the namespace and on each key, as lost.
    fn drop_holds(&mut self, namespace: Set, keys: &[Set]) {
        let lost = Dropped { holds: self.records.namespace.holds & namespace, keys: Set::MAX };
        self.note_dropped(lost);
        for (key, gone) in keys.iter().enumerate() {
            let holds = self.records.keys[key].holds & gone;
            self.note_dropped(Dropped { holds, keys: 1 << key });
        }
    }
}
