//! What an audit came to, in a file that Prometheus is given: by a node exporter that collects text files, or by a push.

use super::Tally;
use chrono::{DateTime, Utc};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fs;
use std::path::Path;

/// Replaces the file. Whoever reads it meanwhile reads the old figures or the new ones, whole.
///
/// # Errors
/// The folder is missing, full or not ours to write to; the file is as it was.
pub(super) fn write(file: &Path, tally: Tally, ended_at: DateTime<Utc>) -> anyhow::Result<()> {
    let unfinished = file.with_extension("unfinished");
    fs::write(&unfinished, page(tally, ended_at)?)?;
    Ok(fs::rename(unfinished, file)?)
}

fn page(tally: Tally, ended_at: DateTime<Utc>) -> anyhow::Result<String> {
    let mut registry = Registry::with_prefix("makegood_audit");
    let mut tell = |name, help, value| registry.register(name, help, ConstGauge::<i64>::new(value));
    tell("violations", "Promises that the last audit found broken", i64::try_from(tally.violations)?);
    tell("rows", "Rows that the last audit read", i64::try_from(tally.rows)?);
    tell("timestamp_seconds", "When the last audit ended", ended_at.timestamp());
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::{Tally, page, write};
    use chrono::DateTime;

    #[test]
    fn figures_replace_those_of_the_audit_before_and_leave_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.prom");
        let ended_at = DateTime::from_timestamp(1_735_689_600, 0).unwrap();
        write(&file, Tally { rows: 9, violations: 0 }, ended_at).unwrap();
        write(&file, Tally { rows: 12, violations: 2 }, ended_at).unwrap();
        let written = std::fs::read_to_string(&file).unwrap();
        let samples: Vec<&str> = written.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "makegood_audit_violations 2",
                "makegood_audit_rows 12",
                "makegood_audit_timestamp_seconds 1735689600"
            ]
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn figures_that_cannot_be_written_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let ended_at = DateTime::from_timestamp(0, 0).unwrap();
        assert!(write(&folder.path().join("gone/audit.prom"), Tally::default(), ended_at).is_err());
        assert!(page(Tally { rows: u64::MAX, violations: 0 }, ended_at).is_err());
    }
}
