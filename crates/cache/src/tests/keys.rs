//! What keys promise: spellings of one id share a key, and different ids almost never do.

use proptest::prelude::*;
use uuid::Uuid;

use crate::{KEY_BYTES_MAX, Key};
use layer_proto::types::v1::{Id, id::Kind};

/// All spellings that the `uuid` crate reads, in both cases.
fn spellings(uuid: Uuid) -> Vec<String> {
    let plain =
        [uuid.hyphenated().to_string(), uuid.simple().to_string(), uuid.braced().to_string(), uuid.urn().to_string()];
    let upper = plain[..3].iter().map(|text| text.to_uppercase()).collect::<Vec<_>>();
    plain.into_iter().chain(upper).collect()
}

proptest! {
    #[test]
    fn an_integer_is_its_decimal_text(id: u64, zeros in 0_usize..5) {
        let key = Key::uint(id);
        prop_assert_eq!(&Key::text(&id.to_string()), &key);
        prop_assert_eq!(&Key::text(&format!("+{}{id}", "0".repeat(zeros))), &key);
        prop_assert_eq!(&Key::json(&id.to_string()).unwrap(), &key);
        prop_assert_eq!(&Key::json(&format!(" \"{id}\"\n")).unwrap(), &key);
        prop_assert_eq!(&Key::grpc(&Id { kind: Some(Kind::UintValue(id)) }).unwrap(), &key);
        prop_assert_eq!(&Key::grpc(&Id { kind: Some(Kind::StringValue(id.to_string())) }).unwrap(), &key);
    }

    #[test]
    fn every_spelling_of_a_uuid_is_one_key(bytes: [u8; 16]) {
        let uuid = Uuid::from_bytes(bytes);
        for spelling in spellings(uuid) {
            prop_assert_eq!(Key::text(&spelling), Key::text(&uuid.to_string()), "{}", spelling);
        }
    }

    #[test]
    fn json_escapes_change_nothing(id in "\\PC{0,40}") {
        let escaped: String = id.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let key = Key::text(&id);
        prop_assert_eq!(&Key::json(&format!("\"{escaped}\"")).unwrap(), &key);
        prop_assert_eq!(&Key::json(&serde_json::to_string(&id).unwrap()).unwrap(), &key);
    }

    #[test]
    fn other_strings_have_keys_of_their_own(first in "[^0-9+{u-].{0,20}", second in "[^0-9+{u-].{0,20}") {
        prop_assume!(Uuid::try_parse(&first).is_err() && Uuid::try_parse(&second).is_err());
        prop_assert_eq!(first == second, Key::text(&first) == Key::text(&second));
    }

    #[test]
    fn keys_are_within_bounds(id in ".{0,3000}") {
        for key in [Some(Key::text(&id)), Key::opaque(id.as_bytes())].into_iter().flatten() {
            prop_assert!((1..=KEY_BYTES_MAX).contains(&key.as_bytes().len()));
        }
    }
}

#[test]
fn kinds_of_keys_never_meet() {
    let uuid = Uuid::from_u128(7);
    let all = [
        Key::uint(7),
        Key::text("seven"),
        Key::text(&uuid.to_string()),
        Key::opaque(&7_u64.to_be_bytes()).unwrap(),
        Key::text("18446744073709551616"),
        Key::text("-7"),
        Key::text(""),
        Key::text("7.0"),
        Key::text(" 7"),
    ];
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn what_is_no_id_has_no_key() {
    for token in [
        "",
        " ",
        "-1",
        "1.0",
        "1e3",
        "18446744073709551616",
        "01",
        "null",
        "true",
        "[1]",
        "{}",
        "\"",
        "\"a",
        "\"\\x\"",
        "\"a\"b\"",
        "1 2",
    ] {
        assert_eq!(Key::json(token), None, "{token}");
    }
    assert_eq!(Key::grpc(&Id { kind: None }), None);
    assert_eq!(Key::opaque(&[0; KEY_BYTES_MAX]), None);
}
