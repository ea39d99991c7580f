//! The settings in effect, as TOML, secrets masked.

use super::Settings;
use serde_json::{Map, Value};
use std::fmt::Write;

pub fn print(settings: &Settings) -> String {
    let mut settings = settings.clone();
    settings.database.url = masked(&settings.database.url);
    let mut text = String::new();
    if let Ok(Value::Object(sections)) = serde_json::to_value(settings) {
        table(&mut text, "", &sections);
    }
    text
}

fn table(text: &mut String, path: &str, members: &Map<String, Value>) {
    let is_table = |value: &Value| value.is_object();
    if !path.is_empty() && members.values().any(|value| !is_table(value)) {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}[{path}]");
    }
    for (key, value) in members.iter().filter(|(_, value)| !is_table(value)) {
        // A JSON text, number or boolean is a TOML one as well.
        let _ = writeln!(text, "{key} = {value}");
    }
    for (key, value) in members {
        if let Value::Object(inner) = value {
            let key = if key.contains('.') {
                format!("\"{key}\"")
            } else {
                key.clone()
            };
            let path = if path.is_empty() {
                key
            } else {
                format!("{path}.{key}")
            };
            table(text, &path, inner);
        }
    }
}

/// Without the password that a database's address may have.
fn masked(url: &str) -> String {
    let without_user = |(scheme, rest): (&str, &str)| {
        let (user, host) = rest.rsplit_once('@')?;
        let (name, _password) = user.split_once(':')?;
        Some(format!("{scheme}://{name}:***@{host}"))
    };
    let url = url
        .split_once("://")
        .and_then(without_user)
        .unwrap_or_else(|| url.to_owned());
    match url.split_once("password=") {
        Some((before, after)) => {
            let rest = after.find('&').map_or("", |end| &after[end..]);
            format!("{before}password=***{rest}")
        }
        None => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked() {
        assert_eq!(masked("postgres://me:p@ss@host/db"), "postgres://me:***@host/db");
        assert_eq!(
            masked("postgres://host/db?password=x&a=b"),
            "postgres://host/db?password=***&a=b"
        );
        assert_eq!(masked("sqlite://caretrack.db"), "sqlite://caretrack.db");
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let printed = print(&Settings::default());
        let layers = config::Config::builder()
            .add_source(config::File::from_str(&printed, config::FileFormat::Toml))
            .build()
            .unwrap();
        assert_eq!(print(&Settings::of(layers).unwrap()), printed);
    }
}
