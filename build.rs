//! Compiles `proto/` into the service's wire types, without an installed `protoc`.
//!
//! Two files appear in `OUT_DIR`: `proto.rs`, which the wire room includes, and `descriptor.bin`, the same protos as a
//! descriptor set with their comments, which reflection serves.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

const ANNOTATIONS: &str = "google.api";
const PROTOS: &str = "proto";
const VENDORED: &str = "third_party";

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script where to write, and for whom, by the environment only"
)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTOS}");
    println!("cargo:rerun-if-changed={VENDORED}");

    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?);
    let mut compiler = protox::Compiler::new([PROTOS, VENDORED])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(protos(&Path::new(PROTOS).join("makegood/v1"))?)?;
    // Encoded by protox: prost's own types would drop the annotations, which clients read through reflection.
    fs::write(out.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;

    // The service itself needs no Rust types for the annotations.
    let mut descriptors = compiler.file_descriptor_set();
    descriptors.file.retain(|file| file.package() != ANNOTATIONS);
    // A program that only calls the service has no use for the servers.
    let has_servers = env::var_os("CARGO_FEATURE_SERVER").is_some();
    let generator = tonic_prost_build::configure().build_client(true).build_server(has_servers);
    generator.include_file("proto.rs").compile_fds(descriptors)?;
    Ok(())
}

/// The protos of a folder, in a fixed order so that the same sources give the same code.
fn protos(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
