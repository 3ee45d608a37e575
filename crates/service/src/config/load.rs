//! Filling the tree: defaults, then the file, then the environment, then the flags.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::Path,
};

use clap::{Arg, ArgAction, ArgMatches, Command, builder::ValueHint};
use serde_json::{Map, Value};

use super::leaf::{Leaf, leaves, set};
use super::{ConfigError, Environment, Settings};

/// The variable that names the configuration file.
const FILE_VARIABLE: &str = "LAYER_CONFIG_FILE";

/// Where settings come from.
pub struct Sources<'a> {
    /// The program's name, for help and version.
    pub program: &'static str,
    /// One line on what the program is.
    pub about: &'static str,
    /// Named values from outside.
    pub environment: &'a dyn Environment,
    /// The command line, the program's name first.
    pub arguments: Vec<OsString>,
    /// Values that a caller in the same process lays over the defaults, by path (`layer up`); file, environment and flags
    /// go before them.
    pub presets: Vec<(&'static str, Value)>,
}

/// Checked settings, and what the caller asked to be done with them.
#[derive(Debug)]
pub struct Loaded<S> {
    /// The settings.
    pub settings: S,
    /// `--print-config` was given: print [`Loaded::to_toml`] and stop.
    pub print: bool,
}

impl<S: Settings> Loaded<S> {
    /// The settings in force as TOML, secrets redacted.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.settings).expect("settings serialize to TOML")
    }
}

/// Reads and checks the settings of one service.
///
/// # Errors
/// [`ConfigError`] for the first unknown name or wrong value; nothing has been started then.
pub fn load<S: Settings>(sources: Sources<'_>) -> Result<Loaded<S>, ConfigError> {
    let leaves = leaves::<S>();
    let flags = command(&sources, &leaves).try_get_matches_from(&sources.arguments)?;
    let mut tree = Map::new();
    let presets = sources.presets.iter().map(|(path, value)| ((*path).to_owned(), value.clone()));
    for (path, value) in presets.chain(outside(&sources, &leaves, &flags)?) {
        set(&mut tree, &path, value);
    }
    let settings: S = serde_path_to_error::deserialize(Value::Object(tree))
        .map_err(|error| wrong_type(&error.path().to_string(), &leaves))?;
    settings.validate()?;
    Ok(Loaded { settings, print: flags.get_flag("print-config") })
}

/// The paths of the settings that the file, the environment or the flags name, whatever their values: a caller that
/// presets some learns from it what it must leave alone.
///
/// # Errors
/// [`ConfigError`] as [`load`] gives, where one of them cannot be read.
pub fn given<S: Settings>(sources: &Sources<'_>) -> Result<BTreeSet<String>, ConfigError> {
    let leaves = leaves::<S>();
    let flags = command(sources, &leaves).try_get_matches_from(&sources.arguments)?;
    Ok(outside(sources, &leaves, &flags)?.into_iter().map(|(path, _)| path).collect())
}

/// What file, environment and flags set, the later before the earlier.
fn outside(sources: &Sources<'_>, leaves: &[Leaf], flags: &ArgMatches) -> Result<Vec<(String, Value)>, ConfigError> {
    let mut found = Vec::new();
    let file = flags.get_one::<String>("config").cloned().or_else(|| sources.environment.get(FILE_VARIABLE));
    if let Some(file) = file {
        read_file(Path::new(&file), leaves, &mut found)?;
    }
    read_environment(sources.environment, leaves, &mut found)?;
    for leaf in leaves {
        if let Some(text) = flags.get_one::<String>(&leaf.path) {
            found.push((leaf.path.clone(), parse(leaf, text, &format!("flag --{}", leaf.flag()))?));
        }
    }
    Ok(found)
}

/// A value of another type, which may be a secret in the wrong place: it is not printed.
fn wrong_type(path: &str, leaves: &[Leaf]) -> ConfigError {
    // A list's path goes on with the item's number.
    let name = path.split('[').next().unwrap_or(path);
    let leaf = leaves.iter().find(|leaf| leaf.path == name);
    let reason = leaf.map_or_else(|| "is of another type".to_owned(), |leaf| format!("must be {}", leaf.accepts()));
    ConfigError::invalid(name, reason)
}

fn command(sources: &Sources<'_>, leaves: &[Leaf]) -> Command {
    let config = Arg::new("config").long("config").value_name("FILE").value_hint(ValueHint::FilePath);
    let print = Arg::new("print-config").long("print-config").action(ArgAction::SetTrue);
    let mut command = Command::new(sources.program)
        .about(sources.about)
        .version(env!("CARGO_PKG_VERSION"))
        .arg(config.help(format!("TOML file of settings [env: {FILE_VARIABLE}]")))
        .arg(print.help("Print the settings in force as TOML, secrets redacted, and exit"));
    for leaf in leaves {
        let help = format!("{} [env: {}] [default: {}]", leaf.help, leaf.variable(), leaf.default);
        let arg = Arg::new(leaf.path.clone()).long(leaf.flag()).value_name("VALUE").help(help);
        // A negative number is refused as the setting's value then, not as a flag of that name.
        command = command.arg(arg.allow_negative_numbers(true));
    }
    command
}

fn parse(leaf: &Leaf, text: &str, origin: &str) -> Result<Value, ConfigError> {
    leaf.parse(text).ok_or_else(|| ConfigError::invalid(&leaf.path, format!("{origin} must be {}", leaf.accepts())))
}

fn read_file(file: &Path, leaves: &[Leaf], into: &mut Vec<(String, Value)>) -> Result<(), ConfigError> {
    let broken = |reason: String| ConfigError::File { file: file.display().to_string(), reason };
    let text = std::fs::read_to_string(file).map_err(|error| broken(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error| broken(where_and_what(&text, &error)))?;
    let origin = file.display().to_string();
    let mut found = Vec::new();
    flatten("", &toml::Value::Table(table), leaves, &mut found);
    for (path, value) in found {
        if !leaves.iter().any(|leaf| leaf.path == path) {
            return Err(unknown(&path, &origin, leaves.iter().map(|leaf| leaf.path.clone())));
        }
        let value = serde_json::to_value(value).map_err(|error| broken(error.to_string()))?;
        into.push((path, value));
    }
    Ok(())
}

/// The error without the line that it is about: that line may hold a key.
fn where_and_what(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.as_bytes().get(..span.start));
    let line = before.map(|before| before.iter().filter(|byte| **byte == b'\n').count() + 1);
    line.map_or_else(|| error.message().to_owned(), |line| format!("line {line}: {}", error.message()))
}

fn flatten(path: &str, value: &toml::Value, leaves: &[Leaf], found: &mut Vec<(String, toml::Value)>) {
    match value {
        toml::Value::Table(table) if !leaves.iter().any(|leaf| leaf.path == path) => {
            for (name, inner) in table {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, inner, leaves, found);
            }
        }
        other => found.push((path.to_owned(), other.clone())),
    }
}

/// Variables outside the sections of this service are left alone: other parts, the SDKs and Kubernetes' service links
/// use the same prefix.
fn read_environment(
    environment: &dyn Environment,
    leaves: &[Leaf],
    into: &mut Vec<(String, Value)>,
) -> Result<(), ConfigError> {
    let known: BTreeMap<String, &Leaf> = leaves.iter().map(|leaf| (leaf.variable(), leaf)).collect();
    let mut names = environment.names();
    names.sort();
    for name in names {
        let Some(leaf) = known.get(&name) else {
            let section =
                |leaf: &Leaf| format!("LAYER_{}_", leaf.path.split('.').next().unwrap_or_default().to_uppercase());
            if leaves.iter().any(|leaf| name.starts_with(&section(leaf))) {
                return Err(unknown(&name, "the environment", known.keys().cloned()));
            }
            continue;
        };
        if let Some(text) = environment.get(&name) {
            into.push((leaf.path.clone(), parse(leaf, &text, &format!("variable {name}"))?));
        }
    }
    Ok(())
}

fn unknown(name: &str, origin: &str, known: impl Iterator<Item = String>) -> ConfigError {
    let near = known.min_by_key(|candidate| distance(candidate, name)).filter(|near| distance(near, name) <= 4);
    ConfigError::Unknown { name: name.to_owned(), origin: origin.to_owned(), near }
}

/// Levenshtein distance, for "did you mean".
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests;
