//! The BERT encoder (Devlin et al. 2018, arXiv:1810.04805), as transformers' `BertModel` computes it.
//!
//! Everything from the tokens to the last layer is done by one thread in memory that is used again. Rows are taken through what follows
//! attention a few at a time, so that the numbers in between do not leave the core's cache.

use pulp::{Arch, Simd, WithSimd};

use super::LoadError;
use super::attention::{Head, Shape};
use super::kernels;
use super::layout::Config;
use super::product::{Dense, ROWS, Rows, Then};
use super::weights::Weights;

/// How many rows go together from attention to the end of the layer.
const BLOCK_ROWS: usize = 16 * ROWS;

/// A model's encoder.
pub(super) struct Bert {
    embeddings: Embeddings,
    layers: Vec<Layer>,
    shape: Shape,
    /// How many numbers a token has between the two last products of a layer.
    inner: usize,
}

/// What a token and its place begin as.
struct Embeddings {
    words: Vec<f32>,
    places: Vec<f32>,
    /// That of the first kind of text: there is no second.
    kind: Vec<f32>,
    norm: Norm,
}

struct Layer {
    /// Query, key and value in one product.
    projection: Dense,
    attended: Dense,
    attended_norm: Norm,
    inner: Dense,
    outer: Dense,
    outer_norm: Norm,
}

/// Adds what was there before, and normalizes.
struct Norm {
    scale: Vec<f32>,
    shift: Vec<f32>,
    epsilon: f32,
}

/// The memory that texts are worked on in. It grows to what the largest group needs.
#[derive(Default)]
pub(super) struct Scratch {
    hidden: Vec<f32>,
    projected: Vec<f32>,
    attended: Vec<f32>,
    mixed: Vec<f32>,
    inner: Vec<f32>,
    head: Head,
}

impl Bert {
    pub(super) fn new(weights: &Weights, config: &Config) -> Result<Self, LoadError> {
        let layers = 0..config.num_hidden_layers;
        let layers = layers.map(|index| Layer::new(weights, config, index)).collect::<Result<_, _>>()?;
        let shape = Shape { width: config.hidden_size, heads: config.num_attention_heads };
        Ok(Self { embeddings: Embeddings::new(weights, config)?, layers, shape, inner: config.intermediate_size })
    }

    /// The last layer's numbers for every token of `texts`, one text behind the other, as many for each token as the model is wide.
    pub(super) fn forward<'a>(&self, texts: &[&[u32]], scratch: &'a mut Scratch) -> &'a [f32] {
        let width = self.shape.width;
        self.embeddings.of(texts, width, &mut scratch.hidden);
        let count = scratch.hidden.len() / width;
        scratch.projected.resize(count * 3 * width, 0.0);
        scratch.attended.resize(count * width, 0.0);
        scratch.mixed.resize(BLOCK_ROWS * width, 0.0);
        scratch.inner.resize(BLOCK_ROWS * self.inner, 0.0);
        Arch::new().dispatch(Forward { bert: self, texts, scratch });
        &scratch.hidden
    }
}

struct Forward<'a> {
    bert: &'a Bert,
    texts: &'a [&'a [u32]],
    scratch: &'a mut Scratch,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for layer in &self.bert.layers {
            layer.attend(simd, self.texts, self.bert.shape, self.scratch);
            layer.mix(simd, self.bert.shape.width, self.scratch);
        }
    }
}

impl Embeddings {
    fn new(weights: &Weights, config: &Config) -> Result<Self, LoadError> {
        let width = config.hidden_size;
        let table = |name: &str, rows: usize| weights.numbers(&format!("embeddings.{name}.weight"), &[rows, width]);
        let mut kind = table("token_type_embeddings", config.type_vocab_size)?;
        kind.truncate(width);
        Ok(Self {
            words: table("word_embeddings", config.vocab_size)?,
            places: table("position_embeddings", config.max_position_embeddings)?,
            kind,
            norm: Norm::new(weights, config, "embeddings.LayerNorm")?,
        })
    }

    fn of(&self, texts: &[&[u32]], width: usize, rows: &mut Vec<f32>) {
        rows.clear();
        for text in texts {
            for (place, word) in self.places.chunks_exact(width).zip(*text) {
                let word = &self.words[*word as usize * width..][..width];
                let parts = word.iter().zip(&self.kind).zip(place);
                rows.extend(parts.map(|((word, kind), place)| word + kind + place));
            }
        }
        self.norm.apply(rows);
    }
}

impl Layer {
    fn new(weights: &Weights, config: &Config, index: usize) -> Result<Self, LoadError> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let name = |rest: &str| format!("encoder.layer.{index}.{rest}");
        let dense = |rest: &str, to: usize, from: usize| -> Result<Dense, LoadError> {
            let numbers = weights.numbers(&format!("{}.weight", name(rest)), &[to, from])?;
            Ok(Dense::new(&numbers, &weights.numbers(&format!("{}.bias", name(rest)), &[to])?))
        };
        Ok(Self {
            projection: projection(weights, config, &name("attention.self"))?,
            attended: dense("attention.output.dense", width, width)?,
            attended_norm: Norm::new(weights, config, &name("attention.output.LayerNorm"))?,
            inner: dense("intermediate.dense", inner, width)?,
            outer: dense("output.dense", width, inner)?,
            outer_norm: Norm::new(weights, config, &name("output.LayerNorm"))?,
        })
    }

    /// What each token takes from the others of its text.
    #[inline(always)]
    fn attend<S: Simd>(&self, simd: S, texts: &[&[u32]], shape: Shape, scratch: &mut Scratch) {
        let width = shape.width;
        let rows = Rows { numbers: &scratch.hidden, stride: width, count: scratch.hidden.len() / width };
        self.projection.apply(simd, rows, &mut scratch.projected, Then::Nothing);
        let (mut projected, mut attended) = (scratch.projected.as_slice(), scratch.attended.as_mut_slice());
        for text in texts {
            let (own, behind) = projected.split_at(text.len() * 3 * width);
            let (out, out_behind) = attended.split_at_mut(text.len() * width);
            scratch.head.attend(simd, own, shape, out);
            (projected, attended) = (behind, out_behind);
        }
    }

    /// What becomes of each token by that.
    #[inline(always)]
    fn mix<S: Simd>(&self, simd: S, width: usize, scratch: &mut Scratch) {
        let Scratch { hidden, attended, mixed, inner, .. } = scratch;
        let depth = inner.len() / BLOCK_ROWS;
        for (hidden, attended) in hidden.chunks_mut(BLOCK_ROWS * width).zip(attended.chunks(BLOCK_ROWS * width)) {
            let count = hidden.len() / width;
            let (mixed, inner) = (&mut mixed[..count * width], &mut inner[..count * depth]);
            self.attended.apply(simd, Rows { numbers: attended, stride: width, count }, mixed, Then::Nothing);
            self.attended_norm.add_and_apply(mixed, hidden);
            self.inner.apply(simd, Rows { numbers: mixed, stride: width, count }, inner, Then::Gelu);
            self.outer.apply(simd, Rows { numbers: inner, stride: depth, count }, hidden, Then::Nothing);
            self.outer_norm.add_and_apply(hidden, mixed);
        }
    }
}

/// Query, key and value in one, the query with the scale of its products.
fn projection(weights: &Weights, config: &Config, name: &str) -> Result<Dense, LoadError> {
    let width = config.hidden_size;
    let scale = 1.0 / ((width / config.num_attention_heads) as f32).sqrt();
    let (mut matrix, mut bias) = (Vec::with_capacity(3 * width * width), Vec::with_capacity(3 * width));
    for (part, scale) in [("query", scale), ("key", 1.0), ("value", 1.0)] {
        let numbers = weights.numbers(&format!("{name}.{part}.weight"), &[width, width])?;
        matrix.extend(numbers.iter().map(|number| number * scale));
        let numbers = weights.numbers(&format!("{name}.{part}.bias"), &[width])?;
        bias.extend(numbers.iter().map(|number| number * scale));
    }
    Ok(Dense::new(&matrix, &bias))
}

impl Norm {
    fn new(weights: &Weights, config: &Config, name: &str) -> Result<Self, LoadError> {
        let width = config.hidden_size;
        Ok(Self {
            scale: weights.numbers(&format!("{name}.weight"), &[width])?,
            shift: weights.numbers(&format!("{name}.bias"), &[width])?,
            epsilon: config.layer_norm_eps as f32,
        })
    }

    fn apply(&self, rows: &mut [f32]) {
        kernels::normalize_rows(rows, &self.scale, &self.shift, self.epsilon);
    }

    fn add_and_apply(&self, rows: &mut [f32], before: &[f32]) {
        kernels::add(rows, before);
        self.apply(rows);
    }
}
