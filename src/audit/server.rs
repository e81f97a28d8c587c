//! The server's settings: those that let an acknowledged write vanish, or a lie in.

use super::finding::{Check, Violation};
use crate::store::ServerSetting;

/// Settings, and the values that are safe.
const SAFE: &[(&str, &[&str])] = &[
    ("allow_system_table_mods", &["off"]),
    ("data_checksums", &["on"]),
    ("data_sync_retry", &["off"]),
    ("default_transaction_isolation", &["read committed"]),
    ("fsync", &["on"]),
    ("full_page_writes", &["on"]),
    ("ignore_checksum_failure", &["off"]),
    ("ignore_invalid_pages", &["off"]),
    ("session_replication_role", &["origin"]),
    ("synchronous_commit", &["on", "local", "remote_write", "remote_apply"]),
    ("zero_damaged_pages", &["off"]),
];

/// The settings that are looked at.
pub(super) fn names() -> Vec<&'static str> {
    SAFE.iter().map(|(name, _)| *name).collect()
}

/// Checks one setting.
pub(super) fn check(setting: &ServerSetting, found: &mut Vec<Violation>) {
    let ServerSetting { name, value, is_local } = setting;
    let safe = SAFE.iter().find(|(known, _)| known == name).map(|(_, safe)| *safe);
    let is_safe = safe.is_none_or(|safe| safe.iter().any(|safe| safe.eq_ignore_ascii_case(value)));
    if !is_safe {
        let place = if *is_local { "a role or database" } else { "the server" };
        let message = format!(
            "{place} has it {value}; acknowledged writes need {}",
            safe.unwrap_or_default().join(" or ")
        );
        found.push(Violation::new(Check::ServerSetting, "pg_settings", name, message));
    }
}
