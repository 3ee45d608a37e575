//! The BERT encoder (Devlin et al. 2018, arXiv:1810.04805), as transformers' `BertModel` computes it.
//!
//! The products are candle's. What stands between them is done in one pass each by operations of our own, since candle has one pass
//! for each plus sign, and works out the error function one number at a time.

use candle_core::{CpuStorage, Device, InplaceOp1, InplaceOp2, Layout, Result, Tensor};

use super::LoadError;
use super::attention::Attention;
use super::kernels;
use super::layout::Config;
use super::weights::Weights;

/// A model's encoder.
pub(super) struct Bert {
    embeddings: Embeddings,
    layers: Vec<Layer>,
    width: usize,
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
    projection: Tensor,
    attention: Attention,
    attended: Tensor,
    attended_norm: Norm,
    inner: Tensor,
    inner_bias: Vec<f32>,
    outer: Tensor,
    outer_norm: Norm,
}

/// Adds a bias and what was there before, and normalizes.
struct Norm {
    bias: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    epsilon: f32,
}

/// Adds a bias and goes through the Gaussian error linear unit.
struct Gelu<'a>(&'a [f32]);

impl Bert {
    pub(super) fn new(weights: &Weights, config: &Config) -> std::result::Result<Self, LoadError> {
        let layers = 0..config.num_hidden_layers;
        let layers = layers.map(|index| Layer::new(weights, config, index)).collect::<std::result::Result<_, _>>()?;
        Ok(Self { embeddings: Embeddings::new(weights, config)?, layers, width: config.hidden_size })
    }

    /// The last layer's numbers for every token of `texts`, one text behind the other, `width` for each token.
    pub(super) fn forward(&self, texts: &[&[u32]]) -> Result<Vec<f32>> {
        let sizes: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        let count: usize = sizes.iter().sum();
        let start = self.embeddings.of(texts, self.width);
        let mut hidden = Tensor::from_vec(start, (count, self.width), &Device::Cpu)?;
        for layer in &self.layers {
            hidden = layer.forward(hidden, &sizes)?;
        }
        hidden.flatten_all()?.to_vec1()
    }
}

impl Embeddings {
    fn new(weights: &Weights, config: &Config) -> std::result::Result<Self, LoadError> {
        let width = config.hidden_size;
        let table = |name: &str, rows: usize| -> std::result::Result<Vec<f32>, LoadError> {
            let table = weights.get(&format!("embeddings.{name}.weight"), &[rows, width])?;
            table.flatten_all().and_then(|flat| flat.to_vec1()).map_err(|error| weights.broken(error.to_string()))
        };
        let mut kind = table("token_type_embeddings", config.type_vocab_size)?;
        kind.truncate(width);
        Ok(Self {
            words: table("word_embeddings", config.vocab_size)?,
            places: table("position_embeddings", config.max_position_embeddings)?,
            kind,
            norm: Norm::new(weights, config, None, "embeddings.LayerNorm")?,
        })
    }

    fn of(&self, texts: &[&[u32]], width: usize) -> Vec<f32> {
        let mut rows = Vec::with_capacity(texts.iter().map(|text| text.len()).sum::<usize>() * width);
        for text in texts {
            for (place, word) in self.places.chunks_exact(width).zip(*text) {
                let word = &self.words[*word as usize * width..][..width];
                rows.extend(word.iter().zip(&self.kind).map(|(word, kind)| word + kind));
                let row = rows.len() - width;
                rows[row..].iter_mut().zip(place).for_each(|(number, place)| *number += place);
            }
        }
        let nothing = vec![0.0; rows.len()];
        self.norm.apply(&mut rows, &nothing);
        rows
    }
}

impl Layer {
    fn new(weights: &Weights, config: &Config, index: usize) -> std::result::Result<Self, LoadError> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let name = |rest: &str| format!("encoder.layer.{index}.{rest}");
        let parts = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
        let mut bias = Vec::with_capacity(3 * width);
        let mut matrices = Vec::with_capacity(3);
        for part in &parts {
            bias.extend(weights.vector(&format!("{part}.bias"), width)?);
            matrices.push(weights.get(&format!("{part}.weight"), &[width, width])?);
        }
        let turned = |matrix: Result<Tensor>| {
            let turned = matrix.and_then(|matrix| matrix.t()?.contiguous());
            turned.map_err(|error| weights.broken(error.to_string()))
        };
        let dense = |rest: &str, to: usize, from: usize| {
            turned(Ok(weights.get(&format!("{}.weight", name(rest)), &[to, from])?))
        };
        Ok(Self {
            projection: turned(Tensor::cat(&matrices, 0))?,
            attention: Attention { heads: config.num_attention_heads, bias },
            attended: dense("attention.output.dense", width, width)?,
            attended_norm: Norm::new(
                weights,
                config,
                Some(&name("attention.output.dense")),
                &name("attention.output.LayerNorm"),
            )?,
            inner: dense("intermediate.dense", inner, width)?,
            inner_bias: weights.vector(&name("intermediate.dense.bias"), inner)?,
            outer: dense("output.dense", width, inner)?,
            outer_norm: Norm::new(weights, config, Some(&name("output.dense")), &name("output.LayerNorm"))?,
        })
    }

    fn forward(&self, before: Tensor, sizes: &[usize]) -> Result<Tensor> {
        let projected = before.matmul(&self.projection)?;
        let attended = self.attention.apply(&projected, sizes)?.matmul(&self.attended)?;
        attended.inplace_op2(&before, &self.attended_norm)?;
        let inner = attended.matmul(&self.inner)?;
        inner.inplace_op1(&Gelu(&self.inner_bias))?;
        let outer = inner.matmul(&self.outer)?;
        outer.inplace_op2(&attended, &self.outer_norm)?;
        Ok(outer)
    }
}

impl Norm {
    fn new(
        weights: &Weights,
        config: &Config,
        dense: Option<&str>,
        norm: &str,
    ) -> std::result::Result<Self, LoadError> {
        let width = config.hidden_size;
        Ok(Self {
            bias: match dense {
                Some(dense) => weights.vector(&format!("{dense}.bias"), width)?,
                None => vec![0.0; width],
            },
            scale: weights.vector(&format!("{norm}.weight"), width)?,
            shift: weights.vector(&format!("{norm}.bias"), width)?,
            epsilon: config.layer_norm_eps as f32,
        })
    }

    fn apply(&self, rows: &mut [f32], before: &[f32]) {
        kernels::add_and_normalize(rows, before, [&self.bias, &self.scale, &self.shift], self.epsilon);
    }
}

impl InplaceOp2 for Norm {
    fn name(&self) -> &'static str {
        "add-and-normalize"
    }

    fn cpu_fwd(&self, to: &mut CpuStorage, to_layout: &Layout, from: &CpuStorage, from_layout: &Layout) -> Result<()> {
        let before = numbers(from, from_layout)?;
        self.apply(numbers_mut(to, to_layout)?, before);
        Ok(())
    }
}

impl InplaceOp1 for Gelu<'_> {
    fn name(&self) -> &'static str {
        "add-and-gelu"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        kernels::add_and_gelu(numbers_mut(storage, layout)?, self.0);
        Ok(())
    }
}

/// The numbers of a tensor that lies in one piece.
pub(super) fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(all), Some((from, to))) => Ok(&all[from..to]),
        _ => candle_core::bail!("expected numbers of 32 bits in one piece"),
    }
}

fn numbers_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(all), Some((from, to))) => Ok(&mut all[from..to]),
        _ => candle_core::bail!("expected numbers of 32 bits in one piece"),
    }
}
