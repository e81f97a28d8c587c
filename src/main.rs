//! Makegood.

fn main() {
    let _ = makegood::config::load();
}
