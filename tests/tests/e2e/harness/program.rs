//! The program under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in the workspace")
}

/// Where the binary is: `CARETRACK_BIN`, or what this builds beside the test binary.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("CARETRACK_BIN") {
        Some(given) => PathBuf::from(given),
        None => build(),
    })
}

/// Nothing is done if it is there and up to date; an old one would prove nothing.
fn build() -> PathBuf {
    // target/PROFILE/deps/e2e-HASH
    let this = std::env::current_exe().unwrap();
    let folder = this
        .parent()
        .and_then(Path::parent)
        .expect("the test binary is in target/PROFILE/deps");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "-p", "caretrack-app"])
        .current_dir(workspace());
    command
        .arg("--target-dir")
        .arg(folder.parent().expect("the profile is in the target folder"));
    if folder.ends_with("release") {
        command.arg("--release");
    }
    assert!(
        command.status().expect("cargo runs").success(),
        "the program under test does not build"
    );
    folder.join("caretrack")
}

/// The program, in `folder` and without settings of this process's environment.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    wrapped(folder, &[], arguments)
}

/// The same, run by another program.
pub fn wrapped(folder: &Path, wrapper: &[String], arguments: &[&str]) -> Command {
    let mut command = match wrapper.split_first() {
        Some((outer, rest)) => {
            let mut command = Command::new(outer);
            command.args(rest).arg(binary());
            command
        }
        None => Command::new(binary()),
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARETRACK_")) {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(folder);
    command
}
