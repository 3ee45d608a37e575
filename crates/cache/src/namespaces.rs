//! What holds for single namespaces: rules by name, the first that fits.
//!
//! A rule only changes what is stored and served. Writes are held all the same, also where the cache is off: another
//! router may have other rules (they change one router at a time), and what was cached before must not wake up old.

use std::time::Duration;

use layer_service::config::ConfigError;

use crate::settings::CacheSettings;

/// The setting that holds the rules.
const SETTING: &str = "cache.namespaces";
/// More rules than anybody keeps by hand; each is looked at for every call.
const RULES_MAX: usize = 256;

/// What holds for a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Its documents are served from the cache and stored in it.
    pub enabled: bool,
    /// How long they are served, where it is not `cache.ttl_ms`.
    pub ttl: Option<Duration>,
    /// Documents are read back into the cache after small writes.
    pub warm_on_write: bool,
    /// Bytes that its values may take in the cache, with what each costs there; `None`: no bound of its own.
    pub max_bytes: Option<u64>,
}

/// The rules of `cache.namespaces`, read.
#[derive(Debug, Clone)]
pub struct Policies {
    rules: Vec<(String, Policy)>,
    otherwise: Policy,
}

/// No rules: what the settings' defaults say.
impl Default for Policies {
    fn default() -> Self {
        let otherwise = Policy { enabled: true, ttl: None, warm_on_write: true, max_bytes: None };
        Self { rules: Vec::new(), otherwise }
    }
}

impl Policies {
    /// Reads the rules of `settings`: each `PATTERN OPTION...`, for example `logs-* enabled=false`. A pattern is a name
    /// in which `*` stands for any text. Options: `enabled` and `warm_on_write` (`true`, `false`), `ttl_ms`,
    /// `max_bytes`.
    ///
    /// # Errors
    /// [`ConfigError`] naming the rule and what is wrong with it.
    pub fn new(settings: &CacheSettings) -> Result<Self, ConfigError> {
        if settings.namespaces.len() > RULES_MAX {
            return Err(ConfigError::invalid(SETTING, format!("must have {RULES_MAX} rules or fewer")));
        }
        let otherwise = Policy { enabled: true, ttl: None, warm_on_write: settings.warm_on_write, max_bytes: None };
        let rules = settings.namespaces.iter().map(|rule| read(rule, otherwise)).collect::<Result<_, _>>()?;
        Ok(Self { rules, otherwise })
    }

    /// What holds for `namespace`.
    pub fn of(&self, namespace: &str) -> Policy {
        let found = self.rules.iter().find(|(pattern, _)| fits(pattern.as_bytes(), namespace.as_bytes()));
        found.map_or(self.otherwise, |(_, policy)| *policy)
    }
}

fn read(rule: &str, otherwise: Policy) -> Result<(String, Policy), ConfigError> {
    let invalid = |reason: String| ConfigError::invalid(SETTING, format!("`{rule}`: {reason}"));
    let mut words = rule.split_ascii_whitespace();
    let pattern = words.next().ok_or_else(|| invalid("a rule begins with a pattern of names".to_owned()))?;
    if !pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte)) {
        return Err(invalid(format!(
            "`{pattern}` is no pattern: letters, digits, `-`, `_`, `.`, and `*` for any text"
        )));
    }
    let mut policy = otherwise;
    let mut options = 0;
    for word in words {
        set(&mut policy, word).ok_or_else(|| {
            invalid(format!(
                "`{word}` is none of enabled=true|false, warm_on_write=true|false, ttl_ms=1 or more, max_bytes=1 or more"
            ))
        })?;
        options += 1;
    }
    if options == 0 {
        return Err(invalid("says nothing: enabled=, warm_on_write=, ttl_ms= or max_bytes= must follow".to_owned()));
    }
    Ok((pattern.to_owned(), policy))
}

fn set(policy: &mut Policy, option: &str) -> Option<()> {
    let (name, value) = option.split_once('=')?;
    match name {
        "enabled" => policy.enabled = value.parse().ok()?,
        "warm_on_write" => policy.warm_on_write = value.parse().ok()?,
        "ttl_ms" => {
            let ms = value.parse().ok().filter(|ms| *ms > 0)?;
            policy.ttl = Some(Duration::from_millis(ms));
        }
        "max_bytes" => policy.max_bytes = Some(value.parse().ok().filter(|bytes| *bytes > 0)?),
        _ => return None,
    }
    Some(())
}

/// Whether `name` is what `pattern` stands for. Takes time in proportion to both lengths, whatever the stars.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where the last star is, and what of the name it stands for up to now.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == name[from] => (at, from) = (at + 1, from + 1),
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                (at, from) = (place + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policies(rules: &[&str]) -> Result<Policies, ConfigError> {
        let namespaces = rules.iter().map(|rule| (*rule).to_owned()).collect();
        Policies::new(&CacheSettings { namespaces, ..CacheSettings::default() })
    }

    #[test]
    fn the_first_rule_that_fits_holds() {
        let policies = policies(&[
            "logs-* enabled=false",
            "logs-eu ttl_ms=5",
            "*-eu ttl_ms=60000 warm_on_write=false max_bytes=9",
        ])
        .unwrap();
        let otherwise = Policy { enabled: true, ttl: None, warm_on_write: true, max_bytes: None };
        assert_eq!(policies.of("logs-eu"), Policy { enabled: false, ..otherwise });
        let ttl = Some(Duration::from_secs(60));
        let eu = Policy { enabled: true, ttl, warm_on_write: false, max_bytes: Some(9) };
        assert_eq!(policies.of("shop-eu"), eu);
        assert_eq!(policies.of("shop-us"), otherwise);
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("*ab", "aab", true),
            ("a**b", "ab", true),
            ("a*", "ba", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn wrong_rules_are_refused_by_name() {
        for rule in [
            "",
            "a",
            "a/b enabled=true",
            "a enabled",
            "a enabled=no",
            "a ttl_ms=0",
            "a ttl_ms=x",
            "a quota=1",
            "a max_bytes=0",
        ] {
            let error = policies(&[rule]).expect_err(rule).to_string();
            assert!(error.contains("cache.namespaces") && error.contains(&format!("`{rule}`")), "{error}");
        }
        assert!(policies(&vec!["a enabled=true"; RULES_MAX + 1]).is_err());
    }
}
