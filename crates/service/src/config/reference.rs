//! The settings' reference page, written from the types.

use serde_json::Value;

use super::{Settings, leaf::leaves};

/// A Markdown table of every setting of `S`: name, default, what it accepts, meaning.
///
/// `docs/configuration.md` is made of these tables; the tests fail when it differs.
pub fn reference<S: Settings>(program: &str) -> String {
    let mut page = format!("## {program}\n\n| setting | default | accepts | meaning |\n|---|---|---|---|\n");
    for leaf in leaves::<S>() {
        let default = match &leaf.default {
            Value::Null => "unset".to_owned(),
            other => format!("`{other}`"),
        };
        page.push_str(&format!("| `{}` | {} | {} | {} |\n", leaf.path, default, leaf.accepts(), leaf.help));
    }
    page
}
