//! A disk without room: a small one in memory, where the machine lets us mount it.

use super::Outcome;
use super::ground::{Ground, Plan};
use super::journal::Count;
use anyhow::Context;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::time::Instant;

/// Room for a database and two segments of its log.
const SIZE: &str = "size=192m,mode=0777";

/// Calls that end without an answer while there is no room: more than there are callers.
const ENDED: u64 = 40;

/// A mounted disk, unmounted when this is dropped.
struct Disk(TempDir);

impl Disk {
    /// Mounts it, or says why that is not possible.
    fn mount() -> anyhow::Result<Result<Self, String>> {
        let folder = TempDir::new()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "makegood-fault"]).arg(folder.path());
        Ok(match mount.stdin(Stdio::null()).output() {
            Ok(ended) if ended.status.success() => Ok(Self(folder)),
            Ok(ended) => Err(String::from_utf8_lossy(&ended.stderr).trim().to_owned()),
            Err(error) => Err(format!("mount cannot be run: {error}")),
        })
    }

    /// Fills all room that is left.
    fn fill(&self) -> anyhow::Result<()> {
        let mut filler = File::create(self.filler())?;
        for piece in [vec![0; 1 << 20], vec![0; 1 << 12]] {
            while filler.write_all(&piece).is_ok() {}
        }
        Ok(())
    }

    fn free(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that is still ending keeps it for a moment.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// The database's disk is full for a while.
pub(super) async fn disk_full(rounds: u32) -> anyhow::Result<Outcome> {
    let disk = match Disk::mount()? {
        Ok(disk) => disk,
        Err(why) => return Ok(Outcome::NotPossibleHere(why)),
    };
    let folder: &Path = disk.0.path();
    let mut ground = Ground::prepare_in(Plan::ORDINARY, folder.to_owned(), TempDir::new()?).await?;
    for round in 0..rounds {
        let load = ground.load(round.into()).await?;
        let before = ground.work.journal.count();
        disk.fill()?;
        let ended =
            move |count: Count| count.unknown + count.nothing >= before.unknown + before.nothing + ENDED;
        ground.until(ended, "calls are answered by a database without room").await?;
        let freed = Instant::now();
        disk.free()?;
        // A server that could not write its log has ended, or is about to.
        if ground.superuser().await.is_err() {
            ground.start_database().await.context("the database does not come back")?;
        }
        ground.settle(load, freed).await?;
    }
    Ok(Outcome::Came(ground.end().await?))
}
