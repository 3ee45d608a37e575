//! The map against a simple model, and its order of eviction.

use std::collections::HashMap;

use super::*;

#[derive(Debug, Default, Clone, PartialEq)]
struct Sample {
    number: u32,
    held_until: Option<Duration>,
}

impl Entry for Sample {
    fn held_until(&self) -> Option<Duration> {
        self.held_until
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

const NOW: Duration = Duration::from_secs(100);
const LATER: Duration = Duration::from_secs(200);

fn key(bytes: &[u8]) -> Hashed<'_> {
    // Few hashes, so that keys collide.
    Hashed { hash: u64::from(bytes[0] % 4), bytes }
}

fn set(map: &mut Bounded<Sample>, name: &[u8], number: u32, held_until: Option<Duration>) -> Vec<u32> {
    let mut evicted = Vec::new();
    map.change_or_make(key(name), NOW, Sample::default, &mut evicted, |sample| {
        (sample.number, sample.held_until) = (number, held_until);
    });
    evicted.into_iter().map(|sample| sample.number).collect()
}

/// A map with room for `count` records.
fn room_for(count: usize) -> Bounded<Sample> {
    let mut map = Bounded::new(usize::MAX);
    set(&mut map, b"a", 0, None);
    Bounded::new(map.bytes() * count)
}

#[test]
fn the_one_used_least_lately_goes_first() {
    let mut map = room_for(3);
    for (number, name) in [b"a", b"b", b"c"].into_iter().enumerate() {
        assert!(set(&mut map, name, u32::try_from(number).unwrap(), None).is_empty());
    }
    assert_eq!(map.change(key(b"a"), NOW, |sample| sample.number), Some(0));
    assert_eq!(set(&mut map, b"d", 3, None), [1]);
    assert_eq!(map.peek(key(b"b")), None);
    assert_eq!(map.peek(key(b"a")).map(|sample| sample.number), Some(0));
}

#[test]
fn held_ones_go_last_and_those_whose_holds_ran_out_first() {
    let mut map = room_for(3);
    set(&mut map, b"a", 0, Some(LATER));
    set(&mut map, b"b", 1, None);
    set(&mut map, b"c", 2, Some(LATER));
    assert_eq!(set(&mut map, b"d", 3, Some(LATER)), [1]);
    assert_eq!(set(&mut map, b"e", 4, Some(LATER)), [0]);
    // Everything ran out by then: the oldest goes before anything that is idle.
    let mut evicted = Vec::new();
    map.change_or_make(key(b"f"), LATER, Sample::default, &mut evicted, |_| ());
    assert_eq!(evicted[0].number, 2);
}

#[test]
fn one_that_is_larger_than_the_map_stays_alone() {
    let mut map = room_for(1);
    let long = vec![b'x'; 1024];
    set(&mut map, b"a", 0, None);
    assert_eq!(set(&mut map, &long, 1, None), [0]);
    assert_eq!(set(&mut map, b"b", 2, None), [1]);
    assert!(map.remove(key(b"b")).is_some() && map.remove(key(b"b")).is_none());
    assert_eq!(map.bytes(), 0);
}

#[test]
fn it_does_as_a_plain_map_does_under_any_calls() {
    let mut map = Bounded::new(usize::MAX);
    let mut model: HashMap<Vec<u8>, Sample> = HashMap::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for step in 0..20_000_u32 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let name = [u8::try_from(state >> 60).unwrap(), u8::try_from((state >> 40) & 3).unwrap()];
        let held = (state & 4 == 0).then_some(if state & 8 == 0 { LATER } else { NOW });
        if state & 3 == 0 {
            assert_eq!(map.remove(key(&name)), model.remove(name.as_slice()), "step {step}");
        } else {
            set(&mut map, &name, step, held);
            model.insert(name.to_vec(), Sample { number: step, held_until: held });
        }
        assert_eq!(map.table.len(), model.len(), "step {step}");
        let linked = count(&map, map.idle) + count(&map, map.held);
        assert_eq!(linked, model.len(), "step {step}");
    }
    for (name, sample) in &model {
        assert_eq!(map.peek(key(name)), Some(sample));
    }
}

fn count(map: &Bounded<Sample>, ends: Ends) -> usize {
    let mut at = ends.first;
    let mut last = NONE;
    let mut counted = 0;
    while at != NONE {
        assert_eq!(map.places[at as usize].before, last);
        (last, at) = (at, map.places[at as usize].after);
        counted += 1;
    }
    assert_eq!(ends.last, last);
    counted
}
