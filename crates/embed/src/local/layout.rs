//! What a model's folder says of the model: the files that sentence-transformers writes.
//!
//! What this crate does not do is refused here, by the name of the setting: a model that is run in another way than it was
//! trained for gives vectors that look like any others.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::LoadError;

/// The shape of a BERT model (`config.json`).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    pub(super) model_type: String,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) type_vocab_size: usize,
    pub(super) vocab_size: usize,
    #[serde(default = "default_epsilon")]
    pub(super) layer_norm_eps: f64,
    hidden_act: String,
    #[serde(default)]
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

fn default_epsilon() -> f64 {
    1e-12
}

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token.
    First,
}

/// What surrounds the model.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) config: Config,
    pub(super) pooling: Pooling,
    pub(super) normalize: bool,
    /// The most tokens of a text, with the ones that the model adds.
    pub(super) tokens_max: usize,
    pub(super) lower_case: bool,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    r#type: String,
}

#[derive(Deserialize)]
struct Prompts {
    #[serde(default)]
    default_prompt_name: Option<String>,
}

#[derive(Default, Deserialize)]
struct Sentence {
    #[serde(default)]
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

#[derive(Deserialize)]
struct Tokenizer {
    /// Some say 1e30 for "any".
    #[serde(default)]
    model_max_length: Option<f64>,
}

#[derive(Default, Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode: Option<String>,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
    #[serde(default)]
    pooling_mode_weightedmean_tokens: bool,
    #[serde(default)]
    pooling_mode_lasttoken: bool,
}

/// Reads a model's folder, all but its weights and its tokenizer.
pub(super) fn read(folder: &Path) -> Result<Layout, LoadError> {
    let config: Config = required(folder, "config.json")?;
    config.check()?;
    let prompts: Option<Prompts> = optional(folder, "config_sentence_transformers.json")?;
    if let Some(name) = prompts.and_then(|prompts| prompts.default_prompt_name) {
        return Err(unsupported("config_sentence_transformers.json", "default_prompt_name", &name));
    }
    let (pooling, normalize) = modules(folder)?;
    let sentence: Sentence = optional(folder, "sentence_bert_config.json")?.unwrap_or_default();
    let tokenizer: Option<Tokenizer> = optional(folder, "tokenizer_config.json")?;
    // A length that does not fit is the largest there is, which is what `as` makes of it.
    let most = tokenizer.and_then(|tokenizer| tokenizer.model_max_length).map_or(usize::MAX, |most| most as usize);
    let tokens_max = sentence.max_seq_length.unwrap_or(most).min(config.max_position_embeddings);
    if tokens_max < 3 {
        return Err(unsupported("sentence_bert_config.json", "max_seq_length", &tokens_max.to_string()));
    }
    Ok(Layout { config, pooling, normalize, tokens_max, lower_case: sentence.do_lower_case })
}

impl Config {
    fn check(&self) -> Result<(), LoadError> {
        let refuse = |field, value: &str| Err(unsupported("config.json", field, value));
        if self.model_type != "bert" {
            return refuse("model_type", &self.model_type);
        }
        if self.hidden_act != "gelu" {
            return refuse("hidden_act", &self.hidden_act);
        }
        if let Some(kind) = self.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            return refuse("position_embedding_type", kind);
        }
        if self.is_decoder {
            return refuse("is_decoder", "true");
        }
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return refuse("num_attention_heads", &self.num_attention_heads.to_string());
        }
        Ok(())
    }
}

/// What `modules.json` puts behind the model. Without it, the mean, as sentence-transformers does.
fn modules(folder: &Path) -> Result<(Pooling, bool), LoadError> {
    let Some(modules) = optional::<Vec<Module>>(folder, "modules.json")? else { return Ok((Pooling::Mean, false)) };
    let mut pooling = None;
    let mut normalize = false;
    for (index, module) in modules.iter().enumerate() {
        match (index, module.r#type.rsplit('.').next().unwrap_or_default()) {
            (0, "Transformer") if module.path.is_empty() => {}
            (1, "Pooling") => pooling = Some(self::pooling(folder, &module.path)?),
            (2, "Normalize") => normalize = true,
            _ => return Err(unsupported("modules.json", "type", &module.r#type)),
        }
    }
    let pooling = pooling.ok_or_else(|| unsupported("modules.json", "type", "(no Pooling)"))?;
    Ok((pooling, normalize))
}

fn pooling(folder: &Path, path: &str) -> Result<Pooling, LoadError> {
    let file = format!("{path}/config.json");
    let config: PoolingConfig = required(folder, &file)?;
    let others = config.pooling_mode_max_tokens
        || config.pooling_mode_mean_sqrt_len_tokens
        || config.pooling_mode_weightedmean_tokens
        || config.pooling_mode_lasttoken;
    match (config.pooling_mode.as_deref(), config.pooling_mode_mean_tokens, config.pooling_mode_cls_token, others) {
        (Some("mean"), ..) | (None, true, false, false) => Ok(Pooling::Mean),
        (Some("cls"), ..) | (None, false, true, false) => Ok(Pooling::First),
        (mode, ..) => Err(unsupported(&file, "pooling_mode", mode.unwrap_or("(several)"))),
    }
}

fn required<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<T, LoadError> {
    optional(folder, file)?.ok_or_else(|| LoadError::Missing { file: file.to_owned() })
}

fn optional<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<Option<T>, LoadError> {
    let broken = |reason: String| LoadError::Broken { file: file.to_owned(), reason };
    match std::fs::read(folder.join(file)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| broken(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(broken(error.to_string())),
    }
}

fn unsupported(file: &str, field: &str, value: &str) -> LoadError {
    LoadError::Unsupported { file: file.to_owned(), field: field.to_owned(), value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": 64, "type_vocab_size": 2, "vocab_size": 9, "hidden_act": "gelu"}"#;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    #[test]
    fn a_bare_model_is_pooled_by_the_mean() {
        let layout = read(folder(&[("config.json", CONFIG)]).path()).unwrap();
        assert_eq!((layout.pooling, layout.normalize, layout.tokens_max), (Pooling::Mean, false, 64));
    }

    #[test]
    fn the_modules_are_followed() {
        let modules = r#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
            {"path": "1_Pooling", "type": "x.Pooling"}, {"path": "2_Normalize", "type": "x.Normalize"}]"#;
        let files = [
            ("config.json", CONFIG),
            ("modules.json", modules),
            ("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#),
            ("sentence_bert_config.json", r#"{"max_seq_length": 32}"#),
            ("tokenizer_config.json", r#"{"model_max_length": 1e30}"#),
        ];
        let layout = read(folder(&files).path()).unwrap();
        assert_eq!((layout.pooling, layout.normalize, layout.tokens_max), (Pooling::First, true, 32));
    }

    #[test]
    fn what_is_not_done_is_refused_by_name() {
        let roberta = CONFIG.replace("\"bert\"", "\"roberta\"");
        let error = read(folder(&[("config.json", &roberta)]).path()).unwrap_err();
        assert_eq!(error.to_string(), "config.json: model_type \"roberta\" is not supported");
        let dense = r#"[{"path": "", "type": "Transformer"}, {"path": "1_Dense", "type": "Dense"}]"#;
        let error = read(folder(&[("config.json", CONFIG), ("modules.json", dense)]).path()).unwrap_err();
        assert!(matches!(error, LoadError::Unsupported { file, .. } if file == "modules.json"));
        assert!(matches!(read(folder(&[]).path()), Err(LoadError::Missing { .. })));
    }
}
