//! Makegood.
