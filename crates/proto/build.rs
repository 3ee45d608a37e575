//! Compiles `proto/` without `protoc`: protox parses, tonic-prost-build writes the Rust code.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use prost_types::FileDescriptorSet;

/// Other projects' services that Layer serves.
const SERVED: [&str; 1] = ["keda/externalscaler.proto"];

/// Messages that error details are made of. They get no Rust code here (tonic-types has it), but reflection serves
/// them so that a client can show the details of an error.
const ERROR_DETAILS: [&str; 2] = ["google/rpc/error_details.proto", "google/rpc/status.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let own = proto_files(&root.join("layer"), &root)?;
    let includes = [root.clone(), root.join("third_party")];
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let mut code = protox::Compiler::new(&includes)?;
    code.include_source_info(true).include_imports(true).open_files(&own)?;
    code.open_files(SERVED)?;
    tonic_prost_build::configure().btree_map(".").bytes(".").compile_fds(code.file_descriptor_set())?;

    let mut reflection = protox::Compiler::new(&includes)?;
    reflection.include_source_info(false).include_imports(true).open_files(&own)?;
    reflection.open_files(SERVED)?;
    reflection.open_files(ERROR_DETAILS)?;
    write_descriptors(&reflection.file_descriptor_set(), &out.join("layer_descriptor.bin"))
}

fn write_descriptors(set: &FileDescriptorSet, path: &Path) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(path, set.encode_to_vec())?)
}

/// All `.proto` files below `dir`, as paths relative to `root`, in a stable order.
fn proto_files(dir: &Path, root: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(proto_files(&path, root)?);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path.strip_prefix(root)?.to_path_buf());
        }
    }
    files.sort();
    Ok(files)
}
