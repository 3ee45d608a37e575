use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{LimitSettings, ListenSettings, LogSettings, Secret};
use super::*;

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Sample {
    /// Where.
    listen: ListenSettings,
    log: LogSettings,
    limits: LimitSettings,
    auth: Auth,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Auth {
    key: Option<Secret>,
    names: Vec<String>,
}

impl Settings for Sample {
    fn validate(&self) -> Result<(), ConfigError> {
        self.limits.validate()
    }
}

fn with(env: &[(&str, &str)], args: &[&str]) -> Result<Loaded<Sample>, ConfigError> {
    let environment: BTreeMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let arguments = std::iter::once("sample").chain(args.iter().copied()).map(OsString::from).collect();
    load(Sources { program: "sample", about: "", environment: &environment, arguments, presets: vec![] })
}

fn refusal(env: &[(&str, &str)], args: &[&str]) -> String {
    with(env, args).expect_err("must be refused").to_string()
}

#[test]
fn flags_go_before_environment_before_file_before_defaults() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "[limits]\nrequests_max = 1\nbody_bytes = 1\nhead_timeout_ms = 1\n").unwrap();
    let config = file.path().to_str().unwrap();
    let env = [("LAYER_LIMITS_BODY_BYTES", "2"), ("LAYER_LIMITS_HEAD_TIMEOUT_MS", "2"), ("LAYER_AUTH_NAMES", "a, b")];
    let loaded = with(&env, &["--config", config, "--limits-head-timeout-ms", "3"]).unwrap().settings;
    assert_eq!(loaded.limits.requests_max, 1);
    assert_eq!(loaded.limits.body_bytes, 2);
    assert_eq!(loaded.limits.head_timeout_ms, 3);
    assert_eq!(loaded.limits.idle_timeout_ms, LimitSettings::default().idle_timeout_ms);
    assert_eq!(loaded.auth.names, ["a", "b"]);
}

#[test]
fn unknown_names_are_refused_by_name_with_a_suggestion() {
    let refused = refusal(&[("LAYER_LIMITS_BODY_BYTE", "2")], &[]);
    assert!(refused.contains("LAYER_LIMITS_BODY_BYTE") && refused.contains("LAYER_LIMITS_BODY_BYTES"), "{refused}");
    assert!(refusal(&[], &["--limits-nope", "1"]).contains("--limits-nope"));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "[limits]\nbody_byte = 1\n").unwrap();
    let refused = refusal(&[], &["--config", file.path().to_str().unwrap()]);
    assert!(refused.contains("`limits.body_byte`") && refused.contains("limits.body_bytes"), "{refused}");
}

#[test]
fn variables_of_others_are_left_alone() {
    with(&[("LAYER_GATEWAY_URL", "http://x"), ("LAYER_ROUTER_SERVICE_HOST", "10.0.0.1")], &[]).unwrap();
}

#[test]
fn wrong_values_name_the_setting_and_what_it_accepts() {
    let refused = refusal(&[("LAYER_LIMITS_BODY_BYTES", "-1")], &[]);
    assert!(refused.contains("limits.body_bytes") && refused.contains("whole number"), "{refused}");
    let refused = refusal(&[], &["--log-format", "xml"]);
    assert!(refused.contains("log.format") && refused.contains("text, json"), "{refused}");
    assert!(refusal(&[], &["--limits-requests-max", "-1"]).contains("limits.requests_max"));
    assert!(refusal(&[], &["--limits-requests-max", "0"]).contains("limits.requests_max"));
    assert!(refusal(&[], &["--config", "/nonexistent/layer.toml"]).contains("/nonexistent/layer.toml"));
}

#[test]
fn printing_redacts_secrets_and_reads_back() {
    let loaded = with(&[("LAYER_AUTH_KEY", "hunter2")], &["--print-config"]).unwrap();
    assert!(loaded.print);
    let printed = loaded.to_toml();
    assert!(!printed.contains("hunter2") && printed.contains("(redacted)"), "{printed}");
    assert!(printed.parse::<toml::Table>().unwrap().contains_key("limits"));
}

#[test]
fn errors_of_the_file_say_where_but_never_what_was_written() {
    let said = |text: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        refusal(&[], &["--config", file.path().to_str().unwrap()])
    };
    for broken in ["key = tpuf_SECRET", "key = \"tpuf_SECRET", "key = 'tpuf_SECRET' x", "key = 12tpuf_SECRET"] {
        let refused = said(&format!("[auth]\n\n{broken}\n"));
        assert!(refused.contains("line 3") && !refused.contains("SECRET"), "{refused}");
    }
    let refused = said("[auth]\nkey = 12345678\n");
    assert!(refused.contains("`auth.key`") && refused.contains("a text") && !refused.contains("1234"), "{refused}");
    let refused = said("[auth]\nnames = [12345678]\n");
    assert!(refused.contains("`auth.names`") && !refused.contains("1234"), "{refused}");
    let refused = said("[log]\nformat = \"tpuf_SECRET\"\n");
    assert!(refused.contains("`log.format`") && refused.contains("json") && !refused.contains("SECRET"), "{refused}");
}

#[test]
fn what_is_given_is_told_apart_from_defaults_and_presets() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "[limits]\nrequests_max = 1\n").unwrap();
    let environment = BTreeMap::from([
        ("LAYER_CONFIG_FILE".to_owned(), file.path().to_str().unwrap().to_owned()),
        ("LAYER_AUTH_KEY".to_owned(), "k".to_owned()),
    ]);
    let arguments = ["sample", "--log-filter", "warn"].map(OsString::from).to_vec();
    let presets = vec![("limits.body_bytes", Value::from(1))];
    let sources = Sources { program: "sample", about: "", environment: &environment, arguments, presets };
    let found: Vec<String> = given::<Sample>(&sources).unwrap().into_iter().collect();
    assert_eq!(found, ["auth.key", "limits.requests_max", "log.filter"]);
}
