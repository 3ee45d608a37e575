//! Tokens, leases and holds of keys.

use doc_cache::backend::{Body, Fill, Filled, Kind, Lookup, Scope};

use super::*;

pub async fn what_was_filled_in_is_a_hit_for_any_bytes<F: Fixture>(case: Case<F>) {
    let ids: Vec<Id> = [
        vec![0],
        vec![0xff],
        vec![0; 2],
        b"plain".to_vec(),
        vec![0xc3, 0x28],
        (0..=255).collect(),
        vec![b'x'; 1024],
        [vec![b'x'; 1023], vec![b'y']].concat(),
    ]
    .into_iter()
    .map(Bytes::from)
    .collect();
    for kind in [Kind::Document, Kind::Chunk, Kind::Snapshot, Kind::Blob] {
        let scope = Scope { kind, ..case.scope.clone() };
        for (at, lookup) in case.get_in(&scope, &ids).await.into_iter().enumerate() {
            let Lookup::Miss(lease) = lookup else { panic!("{kind:?} {at}: {lookup:?}") };
            let body = numbered(at);
            let fill = Fill { id: ids[at].clone(), lease, body, ttl: LONG };
            assert_eq!(case.backend.fill(&scope, vec![fill], None, DEADLINE).await.unwrap(), [Filled::Stored]);
        }
        let expected: Vec<_> = (0..ids.len()).map(|at| Lookup::Hit(numbered(at))).collect();
        assert_eq!(case.get_in(&scope, &ids).await, expected, "{kind:?}");
    }
}

/// A body that is told from others by each of its parts.
fn numbered(at: usize) -> Body {
    Body {
        data: Bytes::from(vec![u8::try_from(at).unwrap(); at]),
        content_type: format!("application/x-{at}"),
        compression: i32::from(at % 2 == 1),
    }
}

pub async fn keys_that_differ_in_anything_share_nothing<F: Fixture>(case: Case<F>) {
    case.store("a", "one").await;
    let scope = &case.scope;
    let others = [
        Scope { tenant: "stor".to_owned(), ..scope.clone() },
        Scope { namespace: format!("{}a", scope.namespace), ..scope.clone() },
        Scope { kind: Kind::Chunk, ..scope.clone() },
    ];
    for other in others {
        let found = case.get_in(&other, &[id("a")]).await;
        assert!(matches!(found[0], Lookup::Miss(_)), "{other:?}: {found:?}");
        case.backend.hold(&other, write(), &[id("a")], LONG, DEADLINE).await.unwrap();
    }
    for key in ["aa", "A", "b"] {
        case.assert_miss(key).await;
        case.clear(key).await;
    }
    case.assert_hit("a", "one").await;
}

pub async fn a_batch_is_answered_in_its_order<F: Fixture>(case: Case<F>) {
    case.store("a", "one").await;
    case.store("b", "two").await;
    case.hold(write(), "c", LONG).await;
    let found = case.get_all(&["b", "c", "missing", "a", "b"].map(id)).await;
    assert_eq!(found[0], Lookup::Hit(body("two")));
    assert_eq!(found[1], Lookup::Held);
    assert!(matches!(found[2], Lookup::Miss(_)));
    assert_eq!(found[3..], [Lookup::Hit(body("one")), Lookup::Hit(body("two"))]);
}

pub async fn misses_of_one_key_share_a_lease<F: Fixture>(case: Case<F>) {
    let (first, second) = (case.lease("k").await, case.lease("k").await);
    assert_eq!(first, second);
    assert_ne!(first.token, case.lease("other").await.token);
    assert_eq!(case.fill("k", first, "one").await, Filled::Stored);
    assert_eq!(case.fill("k", second, "one").await, Filled::Stored);
    case.assert_hit("k", "one").await;
}

pub async fn an_open_hold_means_no_value_and_no_lease<F: Fixture>(case: Case<F>) {
    case.store("k", "one").await;
    let write = write();
    for key in ["k", "new"] {
        case.hold(write, key, LONG).await;
        case.assert_held(key).await;
        case.assert_held(key).await;
        case.release(write, key).await;
        case.assert_miss(key).await;
    }
}

pub async fn a_hold_and_a_release_each_end_older_leases<F: Fixture>(case: Case<F>) {
    let before = case.lease("k").await;
    let write = write();
    case.hold(write, "k", LONG).await;
    assert_eq!(case.fill("k", before, "stale").await, Filled::LeaseEnded);
    case.assert_held("k").await;
    case.release(write, "k").await;
    assert_eq!(case.fill("k", before, "stale").await, Filled::LeaseEnded);
    let between = case.lease("k").await;
    case.release(write, "k").await;
    assert_eq!(case.fill("k", between, "stale").await, Filled::LeaseEnded);
    case.assert_miss("k").await;
}

pub async fn two_holds_are_closed_one_by_one<F: Fixture>(case: Case<F>) {
    let (first, second) = (write(), write());
    case.hold(first, "k", LONG).await;
    case.hold(second, "k", LONG).await;
    case.release(write(), "k").await;
    case.assert_held("k").await;
    case.release(first, "k").await;
    case.assert_held("k").await;
    case.release(second, "k").await;
    case.assert_miss("k").await;
}

pub async fn a_hold_placed_twice_is_closed_once<F: Fixture>(case: Case<F>) {
    let write = write();
    case.hold(write, "k", LONG).await;
    case.hold(write, "k", LONG).await;
    case.assert_held("k").await;
    case.release(write, "k").await;
    case.store("k", "one").await;
    case.assert_hit("k", "one").await;
}

pub async fn a_release_without_a_hold_clears_all_the_same<F: Fixture>(case: Case<F>) {
    case.release(write(), "absent").await;
    case.clear("absent").await;
    case.assert_miss("absent").await;
    case.store("k", "one").await;
    case.release(write(), "k").await;
    case.assert_miss("k").await;
}

pub async fn a_clearing_leaves_holds_open<F: Fixture>(case: Case<F>) {
    case.store("k", "one").await;
    let lease = case.lease("other").await;
    case.clear("k").await;
    case.clear("other").await;
    case.assert_miss("k").await;
    assert_eq!(case.fill("other", lease, "stale").await, Filled::LeaseEnded);
    let write = write();
    case.hold(write, "k", LONG).await;
    case.clear("k").await;
    case.assert_held("k").await;
    case.release(write, "k").await;
    case.assert_miss("k").await;
}

pub async fn a_hold_that_ran_out_stands_no_longer<F: Fixture>(case: Case<F>) {
    let before = case.lease("k").await;
    let (short, long) = (write(), write());
    case.hold(short, "k", SHORT).await;
    case.hold(short, "both", SHORT).await;
    case.hold(long, "both", LONG).await;
    case.assert_held("k").await;
    case.fixture.pass(AFTER_SHORT).await;
    assert_eq!(case.fill("k", before, "stale").await, Filled::LeaseEnded);
    case.store("k", "one").await;
    case.assert_hit("k", "one").await;
    case.assert_held("both").await;
    // The writer was only slow: its release clears once more, for its write came after the value was read.
    case.release(short, "k").await;
    case.assert_miss("k").await;
}

pub async fn many_keys_at_once<F: Fixture>(case: Case<F>) {
    let ids: Vec<_> = (0..3000).map(|at| id(&format!("key-{at}"))).collect();
    let fills = case.get_all(&ids).await.into_iter().enumerate().map(|(at, lookup)| match lookup {
        Lookup::Miss(lease) => Fill { id: ids[at].clone(), lease, body: body(&at.to_string()), ttl: LONG },
        other => panic!("{at}: {other:?}"),
    });
    let filled = case.backend.fill(&case.scope, fills.collect(), None, DEADLINE).await.unwrap();
    assert_eq!(filled, vec![Filled::Stored; ids.len()]);
    let hits: Vec<_> = (0..ids.len()).map(|at| Lookup::Hit(body(&at.to_string()))).collect();
    assert_eq!(case.get_all(&ids).await, hits);
    let write = write();
    case.backend.hold(&case.scope, write, &ids[..1000], LONG, DEADLINE).await.unwrap();
    case.backend.clear(&case.scope, &ids[1000..2000], DEADLINE).await.unwrap();
    let found = case.get_all(&ids).await;
    assert!(found[..1000].iter().all(|lookup| *lookup == Lookup::Held));
    assert!(found[1000..2000].iter().all(|lookup| matches!(lookup, Lookup::Miss(_))));
    assert_eq!(found[2000..], hits[2000..]);
    case.backend.release(&case.scope, write, &ids, DEADLINE).await.unwrap();
    assert!(case.get_all(&ids).await.iter().all(|lookup| matches!(lookup, Lookup::Miss(_))));
}
