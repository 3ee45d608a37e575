//! The document cache as a part of the mesh: the same service as elsewhere, on its embedded backend.
//!
//! Its settings are its own: the environment's are the router's, but for the sections that only it has.

use std::ffi::OsString;

use doc_cache::DocCacheSettings;
use layer_service::config::{self, Environment, Sources};
use serde_json::json;

use super::{mesh::admin_address, part::own_variables};
use crate::{arguments::Up, failure::Failure};

/// Variables that can only be meant for the cache.
const OWN_VARIABLES: [&str; 3] = ["LAYER_EMBEDDED_", "LAYER_PROOF_", "LAYER_VALUES_"];
/// Once the router is gone, nobody calls: what is left in flight is an operator's.
const DRAIN_TIMEOUT_MS: u64 = 5000;

/// The least that a router needs to find the cache again.
const SETTLE_MS: u64 = 3000;

/// The settings of the cache of `layer up`.
pub fn settings(arguments: &Up, environment: &dyn Environment) -> Result<DocCacheSettings, Failure> {
    let own = own_variables(environment, &OWN_VARIABLES);
    let address = &arguments.doc_cache_address;
    let sources = Sources {
        program: "layer up",
        about: "",
        environment: &own,
        arguments: vec![OsString::from("layer")],
        presets: vec![
            ("listen.address", json!(address)),
            ("admin.address", json!(admin_address(address)?)),
            ("access.open_anywhere", json!(arguments.open_anywhere)),
            ("embedded.directory", json!(arguments.data.data_dir().join("cache"))),
            // No name service stands between the router and its cache.
            ("proof.settle_ms", json!(SETTLE_MS)),
            ("drain.linger_ms", json!(0)),
            ("drain.timeout_ms", json!(DRAIN_TIMEOUT_MS)),
        ],
    };
    Ok(config::load::<DocCacheSettings>(sources)?.settings)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Verb};

    fn of(flags: &[&str], environment: &[(&str, &str)]) -> Result<DocCacheSettings, Failure> {
        let Verb::Up(up) = Arguments::try_parse_from(["layer", "up"].iter().chain(flags)).unwrap().verb else {
            panic!("not `up`")
        };
        let named = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        settings(&up, &environment.iter().map(named).collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn it_listens_beside_the_router_and_keeps_its_values_in_the_data_directory() {
        let settings = of(&["--data-dir", "/d"], &[("LAYER_LISTEN_ADDRESS", "127.0.0.1:1")]).unwrap();
        assert_eq!((&*settings.listen.address, &*settings.admin.address), ("127.0.0.1:8081", "127.0.0.1:9081"));
        assert_eq!(settings.embedded.directory, Some("/d/cache".into()));
        let settings = of(&["--doc-cache-address", "127.0.0.1:5"], &[]).unwrap();
        assert_eq!((&*settings.listen.address, &*settings.admin.address), ("127.0.0.1:5", "127.0.0.1:1005"));
    }

    #[test]
    fn its_own_variables_count_and_an_open_network_must_be_asked_for() {
        let settings = of(&[], &[("LAYER_EMBEDDED_MEMORY_BYTES", "536870912")]).unwrap();
        assert_eq!(settings.embedded.memory_bytes, 536_870_912);
        assert!(of(&[], &[("LAYER_EMBEDDED_MEMORY", "1")]).is_err());
        assert!(of(&["--doc-cache-address", "0.0.0.0:1"], &[]).is_err());
        assert!(of(&["--doc-cache-address", "0.0.0.0:1", "--open-anywhere"], &[]).is_ok());
    }
}
