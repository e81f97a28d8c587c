//! Compiles `proto/` into the service's wire types, without an installed `protoc`.
//!
//! Three files appear in `OUT_DIR`: `proto.rs`, which the wire room includes; `debug.rs`, how messages with words of
//! persons are printed, which is without them; and `descriptor.bin`, the protos as a descriptor set with their comments,
//! which reflection serves.

use protox::prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};
use std::error::Error;
use std::fmt::Write;
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
    let discreet = discreet_messages(&compiler.descriptor_pool());
    fs::write(out.join("debug.rs"), discreet.iter().map(debug_of).collect::<Result<String, _>>()?)?;

    // The service itself needs no Rust types for the annotations.
    let mut descriptors = compiler.file_descriptor_set();
    descriptors.file.retain(|file| file.package() != ANNOTATIONS);
    // A program that only calls the service has no use for the servers.
    let has_servers = env::var_os("CARGO_FEATURE_SERVER").is_some();
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(has_servers)
        .include_file("proto.rs")
        .skip_debug(discreet.iter().map(|message| format!(".{}", message.full_name())))
        .compile_fds(descriptors)?;
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

/// The messages that hold words of persons (`debug_redact`), and those inside of them: prost leaves out both.
fn discreet_messages(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    let holds = |message: &MessageDescriptor| message.fields().any(|field| is_redacted(&field));
    let is_discreet = |message: &MessageDescriptor| {
        std::iter::successors(Some(message.clone()), MessageDescriptor::parent_message).any(|it| holds(&it))
    };
    pool.all_messages().filter(|message| !message.is_map_entry() && is_discreet(message)).collect()
}

fn is_redacted(field: &FieldDescriptor) -> bool {
    let options = field.options();
    options.get_field_by_name("debug_redact").and_then(|value| value.as_bool()).unwrap_or(false)
}

/// How a message and its oneofs are printed.
fn debug_of(message: &MessageDescriptor) -> Result<String, Box<dyn Error>> {
    let path = rust_path(message);
    let mut fields = String::new();
    for field in message.fields().filter(|field| !is_in_oneof(field)) {
        let name = field.name();
        if is_redacted(&field) {
            write!(fields, ".field(\"{name}\", &crate::proto::Withheld)")?;
        } else {
            write!(fields, ".field(\"{name}\", &self.{name})")?;
        }
    }
    let mut written = String::new();
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        write!(fields, ".field(\"{0}\", &self.{0})", oneof.name())?;
        let mut arms = String::new();
        for field in oneof.fields() {
            if is_redacted(&field) {
                return Err(format!(
                    "{}: words of persons in a oneof are not provided for",
                    field.full_name()
                )
                .into());
            }
            let variant = upper_camel(field.name());
            write!(arms, "Self::{variant}(it) => f.debug_tuple(\"{variant}\").field(it).finish(),")?;
        }
        let of = format!("{}::{}", module_of(message), upper_camel(oneof.name()));
        written += &implementation(&of, &format!("match self {{ {arms} }}"));
    }
    written += &implementation(&path, &format!("f.debug_struct(\"{}\"){fields}.finish()", message.name()));
    Ok(written)
}

fn implementation(of: &str, body: &str) -> String {
    format!(
        "impl std::fmt::Debug for {of} {{
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{ {body} }}
        }}\n"
    )
}

fn is_in_oneof(field: &FieldDescriptor) -> bool {
    field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic())
}

/// Where prost puts a message.
fn rust_path(message: &MessageDescriptor) -> String {
    match message.parent_message() {
        Some(parent) => format!("{}::{}", module_of(&parent), message.name()),
        None => format!("{}::{}", message.package_name().replace('.', "::"), message.name()),
    }
}

/// Where prost puts what is inside of a message.
fn module_of(message: &MessageDescriptor) -> String {
    let path = rust_path(message);
    let (before, name) = path.rsplit_once("::").unwrap_or(("", &path));
    let mut module = format!("{before}::");
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            module.push('_');
        }
        module.push(letter.to_ascii_lowercase());
    }
    module
}

fn upper_camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect()
}
