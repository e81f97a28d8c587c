//! The `makegood` binary.

fn main() {}
