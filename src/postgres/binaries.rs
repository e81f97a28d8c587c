//! Finding the machine's PostgreSQL programs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::Error;
use super::place::Place;

/// The oldest major version that is used: the oldest one its makers still mend.
pub const OLDEST_MAJOR: u32 = 14;

/// How long a program may take to say its version before it counts as broken.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// Where distributions keep the server's programs when they are not on the path:
/// a folder, the beginning of the names in it that hold a version, and what follows.
const USUAL_FOLDERS: [(&str, &str, &str); 9] = [
    ("/usr/lib/postgresql", "", "bin"),         // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                  // Fedora and RHEL, from the PostgreSQL project
    ("/usr/libexec", "postgresql", ""),         // Alpine
    ("/usr/lib64", "postgresql-", "bin"),       // Gentoo
    ("/usr/lib", "postgresql", "bin"),          // openSUSE
    ("/opt/homebrew/opt", "postgresql", "bin"), // Homebrew on Apple silicon
    ("/usr/local/opt", "postgresql", "bin"),    // Homebrew on Intel
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("/usr/local", "pgsql", "bin"), // built from source
];

/// Folders that hold programs of no named version.
const PLAIN_FOLDERS: [&str; 2] = ["/usr/bin", "/usr/local/bin"];

/// One PostgreSQL installation that can make and run a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    dir: PathBuf,
    version: String,
    major: u32,
}

impl Binaries {
    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }
}

/// Every usable installation, the preferred one first: the named folder alone, or
/// the path's, `pg_config`'s, and the usual folders' from the newest version on.
pub(super) async fn find(named: Option<&Path>, path: Option<&OsStr>) -> Result<Vec<Binaries>, Error> {
    if let Some(dir) = named {
        let found = examine(dir).await.filter(|found| found.major >= OLDEST_MAJOR);
        return found.map(|found| vec![found]).ok_or_else(|| Error::BadBinDir(dir.to_owned()));
    }
    let mut preferred = on_path(path);
    preferred.extend(from_pg_config(path).await);
    let (mut found, mut too_old) = (Vec::new(), Vec::new());
    examine_all(preferred, &mut found, &mut too_old).await;
    let mut usual = Vec::new();
    examine_all(usual_folders(), &mut usual, &mut too_old).await;
    usual.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    for binaries in usual {
        if !found.contains(&binaries) {
            found.push(binaries);
        }
    }
    if found.is_empty() {
        let seen = too_old.first().map(|old: &Binaries| {
            format!(" (`{}` holds {}, which is too old)", old.dir.display(), old.version)
        });
        return Err(Error::NoServer { seen: seen.unwrap_or_default() });
    }
    Ok(found)
}

/// The installation for this place: the preferred one for a new cluster, one of the
/// same major version for a cluster that is there.
pub(super) fn matching(found: Vec<Binaries>, place: &Place) -> Result<Binaries, Error> {
    let made_by = place.made_by();
    let here = found.iter().map(|binaries| binaries.version.clone()).collect::<Vec<_>>().join(", ");
    let fits =
        |binaries: &Binaries| made_by.as_ref().is_none_or(|major| *major == binaries.major.to_string());
    found.into_iter().find(fits).ok_or_else(|| Error::OtherVersion {
        data_dir: place.root().to_owned(),
        made_by: made_by.clone().unwrap_or_default(),
        here,
    })
}

async fn examine_all(dirs: Vec<PathBuf>, found: &mut Vec<Binaries>, too_old: &mut Vec<Binaries>) {
    for dir in dirs {
        let Some(binaries) = examine(&dir).await else { continue };
        let list = if binaries.major >= OLDEST_MAJOR { &mut *found } else { &mut *too_old };
        if !list.contains(&binaries) {
            list.push(binaries);
        }
    }
}

/// What a folder holds, when it holds an `initdb` and a `postgres` of one version.
async fn examine(dir: &Path) -> Option<Binaries> {
    // Links are followed first: a program finds its own files beside its real place.
    let real = fs::canonicalize(dir.join("postgres")).ok()?;
    let dir = real.parent()?.to_owned();
    let version = version_of(&real).await?;
    if version_of(&dir.join("initdb")).await? != version {
        return None;
    }
    let major = version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()?;
    Some(Binaries { dir, version, major })
}

/// The version in `postgres (PostgreSQL) 15.4 (Debian 15.4-1)`.
async fn version_of(program: &Path) -> Option<String> {
    let text = output_of(program, "--version").await?;
    let (_, version) = text.split_once("(PostgreSQL)")?;
    version.split_whitespace().next().map(ToOwned::to_owned)
}

async fn output_of(program: &Path, argument: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.arg(argument).env_clear().env("LC_ALL", "C").current_dir("/");
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(VERSION_LIMIT, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn on_path(path: Option<&OsStr>) -> Vec<PathBuf> {
    let dirs = path.map(|path| std::env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
    dirs.into_iter().filter(|dir| dir.is_absolute() && dir.join("postgres").exists()).collect()
}

async fn from_pg_config(path: Option<&OsStr>) -> Option<PathBuf> {
    let programs: Vec<PathBuf> = std::env::split_paths(path?).map(|dir| dir.join("pg_config")).collect();
    let program = programs.into_iter().find(|program| program.is_absolute() && program.exists())?;
    let text = output_of(&program, "--bindir").await?;
    Some(PathBuf::from(text.trim()))
}

fn usual_folders() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for (parent, prefix, rest) in USUAL_FOLDERS {
        let Ok(entries) = fs::read_dir(parent) else { continue };
        let named = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(prefix));
        let found = entries.flatten().filter(|entry| named(&entry.file_name()));
        dirs.extend(found.map(|entry| entry.path().join(rest)));
    }
    dirs.extend(PLAIN_FOLDERS.map(PathBuf::from));
    dirs.retain(|dir| dir.join("postgres").exists());
    dirs
}

#[cfg(test)]
mod tests {
    use super::{Error, find};
    use std::path::Path;

    /// Written by a process of its own: a program that this one had open for writing could not be run while another
    /// test's child still has the file from its fork.
    fn fake(dir: &Path, program: &str, version: &str) {
        let script = format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n");
        let write = r#"printf '%s' "$1" > "$0" && chmod 755 "$0""#;
        let path = dir.join(program);
        let written = std::process::Command::new("sh").arg("-c").arg(write).arg(&path).arg(script).status();
        assert!(written.unwrap().success());
    }

    #[tokio::test]
    async fn the_named_folder_is_used() {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), "postgres", "16.2 (Debian 16.2-1)");
        fake(dir.path(), "initdb", "16.2 (Debian 16.2-1)");
        let found = find(Some(dir.path()), None).await.unwrap();
        assert_eq!(found.first().unwrap().version(), "16.2");
    }

    #[tokio::test]
    async fn a_beta_has_a_major_version_too() {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), "postgres", "19beta1");
        fake(dir.path(), "initdb", "19beta1");
        assert_eq!(find(Some(dir.path()), None).await.unwrap().first().unwrap().major, 19);
    }

    #[tokio::test]
    async fn a_named_folder_too_old_or_of_two_versions_or_empty_is_refused() {
        for (postgres, initdb) in [("13.9", "13.9"), ("16.2", "15.4"), ("", "")] {
            let dir = tempfile::tempdir().unwrap();
            if !postgres.is_empty() {
                fake(dir.path(), "postgres", postgres);
                fake(dir.path(), "initdb", initdb);
            }
            let refused = find(Some(dir.path()), None).await;
            assert!(matches!(refused, Err(Error::BadBinDir(_))), "{postgres} {initdb}");
        }
    }

    #[tokio::test]
    async fn the_path_comes_before_the_usual_folders_and_links_are_followed() {
        let (real, linked) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fake(real.path(), "postgres", "14.1");
        fake(real.path(), "initdb", "14.1");
        std::os::unix::fs::symlink(real.path().join("postgres"), linked.path().join("postgres")).unwrap();
        let found = find(None, Some(linked.path().as_os_str())).await.unwrap();
        let first = found.first().unwrap();
        assert_eq!(
            (first.version(), first.dir.as_path()),
            ("14.1", real.path().canonicalize().unwrap().as_path())
        );
    }

    #[test]
    fn without_a_server_one_sentence_says_how_to_get_one() {
        let sentence = Error::NoServer { seen: String::new() }.to_string();
        for words in ["apt install", "dnf install", "pacman -S", "apk add", "brew install", "DATABASE_URL"] {
            assert!(sentence.contains(words), "{words}");
        }
        assert!(!sentence.contains('\n') && !sentence.contains("  "), "{sentence}");
    }
}
