//! The first start on an empty store: where the administrator's key comes from, and where it goes.
//!
//! The key is written to its file before the store knows it: a start that is cut short in between finds the
//! file and goes on with it, so that no store ever has an administrator whose key nobody knows.

use anyhow::{Context, bail};
use caretrack_application::Application;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

const VARIABLE: &str = "CARETRACK_BOOTSTRAP_KEY";

pub async fn ensure_administrator(application: &Application, file: &Path) -> anyhow::Result<()> {
    if !application.needs_bootstrap().await? {
        return Ok(());
    }
    if let Some(key) = std::env::var(VARIABLE).ok().filter(|key| !key.is_empty()) {
        application.bootstrap(&key).await.context(VARIABLE)?;
        return Ok(());
    }
    let (key, is_ours) = key_in(file, || application.new_key())?;
    if application
        .bootstrap(&key)
        .await
        .with_context(|| file.display().to_string())?
    {
        println!(
            "The administrator's API key, shown only now and kept in {}:\n{key}",
            file.display()
        );
    } else if is_ours {
        // Another process was first; its key counts, and this one opens nothing.
        fs::remove_file(file)?;
    }
    Ok(())
}

/// The key that the file holds, or a new one put into it; and whether it is new.
fn key_in(file: &Path, make: impl FnOnce() -> String) -> anyhow::Result<(String, bool)> {
    let name = file.display();
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
    {
        Ok(mut new) => {
            let key = make();
            writeln!(new, "{key}")
                .and_then(|()| new.sync_all())
                .with_context(|| name.to_string())?;
            Ok((key, true))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let others_may_read = fs::metadata(file)?.permissions().mode() & 0o077 != 0;
            if others_may_read {
                bail!("{name} is there already, and others can read it: move it away");
            }
            let key = fs::read_to_string(file).with_context(|| name.to_string())?;
            Ok((key.trim().to_owned(), false))
        }
        Err(error) => Err(error).with_context(|| format!("cannot write the administrator's key to {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_for_its_owner_only_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("admin.key");
        let first = key_in(&file, || "ct_first".to_owned()).unwrap();
        assert_eq!(first, ("ct_first".to_owned(), true));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = key_in(&file, || "ct_second".to_owned()).unwrap();
        assert_eq!(again, ("ct_first".to_owned(), false));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(key_in(&file, String::new).is_err());
    }
}
