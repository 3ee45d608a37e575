//! A model's weights, by the names that transformers gives them.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, pickle, safetensors};

use super::LoadError;

/// The weights of a file.
pub(super) struct Weights {
    file: &'static str,
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    /// Reads `model.safetensors`, or else `pytorch_model.bin`.
    pub(super) fn load(folder: &Path) -> Result<Self, LoadError> {
        let [new, old] = ["model.safetensors", "pytorch_model.bin"];
        let broken = |file: &str, reason: String| LoadError::Broken { file: file.to_owned(), reason };
        if folder.join(new).exists() {
            let tensors = safetensors::load(folder.join(new), &Device::Cpu);
            let tensors = tensors.map_err(|error| broken(new, error.to_string()))?;
            return Ok(Self { file: new, tensors });
        }
        if !folder.join(old).exists() {
            return Err(LoadError::Missing { file: new.to_owned() });
        }
        let tensors = pickle::read_all(folder.join(old)).map_err(|error| broken(old, error.to_string()))?;
        Ok(Self { file: old, tensors: tensors.into_iter().collect() })
    }

    /// The numbers of a matrix or vector of this shape, row by row. Older files say `gamma` and `beta`, and some put `bert.` before
    /// all names.
    pub(super) fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        let names = [name.to_owned(), format!("bert.{name}"), format!("bert.{old}"), old];
        let found = names.iter().find_map(|name| self.tensors.get(name));
        let tensor = found.ok_or_else(|| self.broken(format!("there is no {name}")))?;
        if tensor.dims() != shape {
            return Err(self.broken(format!("{name} has the shape {:?}, not {shape:?}", tensor.dims())));
        }
        let flat = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.flatten_all()?.to_vec1());
        flat.map_err(|error| self.broken(error.to_string()))
    }

    /// An error of the file.
    pub(super) fn broken(&self, reason: String) -> LoadError {
        LoadError::Broken { file: self.file.to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/reference/weights.py` made it.
    const OLD: &[u8] = include_bytes!("../../tests/reference/pytorch_model.bin");

    fn loaded(file: &str, content: &[u8]) -> Result<Weights, LoadError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), content).unwrap();
        Weights::load(folder.path())
    }

    #[test]
    fn weights_of_older_models_are_found_by_their_names_now() {
        let weights = loaded("pytorch_model.bin", OLD).unwrap();
        assert_eq!(weights.numbers("embeddings.LayerNorm.weight", &[3]).unwrap(), [1.0, 2.0, 3.0]);
        assert_eq!(weights.numbers("embeddings.LayerNorm.bias", &[3]).unwrap(), [0.5, -0.5, 0.25]);
        let matrix = weights.numbers("pooler.dense.weight", &[2, 3]).unwrap();
        assert_eq!(matrix, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_file() {
        let told = |found: Result<Weights, LoadError>| found.err().unwrap().to_string();
        for file in ["model.safetensors", "pytorch_model.bin"] {
            assert!(told(loaded(file, &OLD[..OLD.len() / 2])).contains(file));
        }
        assert!(told(loaded("other.bin", OLD)).contains("model.safetensors"));
        let weights = loaded("pytorch_model.bin", OLD).unwrap();
        let missing = weights.numbers("nothing", &[3]).unwrap_err().to_string();
        assert!(missing.contains("pytorch_model.bin") && missing.contains("nothing"), "{missing}");
        let shape = weights.numbers("pooler.dense.weight", &[3, 2]).unwrap_err().to_string();
        assert!(shape.contains("[2, 3]"), "{shape}");
    }
}
