//! `caretrack task`: look at a task of the server, wait for it, cancel it, retry it.
//!
//! The task is shown as the server describes it. Only `id`, `kind` and `state` are known here, so a server that says more
//! about its tasks needs no change.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::client::{Client, ClientArgs, ClientError};
use super::{EXIT_CODES, Exit, parse_duration, print};

const FIRST_INTERVAL: Duration = Duration::from_millis(50);
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);

/// Look at a task, wait for it, cancel it or try it again
///
/// Every accepted write is a task; its id is in the answer to the write (`taskId`). The key needs the scope `ops:read`,
/// for cancel and retry `ops:write`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  caretrack task get s_0197a1b2c3d47e5f8a9b0c1d2e3f4a5b
  caretrack task wait bk_0197a1b2c3d77b228a9b0c1d2e3f4a5b --timeout 10m")]
pub struct TaskArgs {
    #[command(subcommand)]
    command: TaskCommand,
}

#[derive(Debug, Subcommand)]
enum TaskCommand {
    /// Show a task
    #[command(after_help = EXIT_CODES)]
    Get(OneTask),
    /// Wait until a task has ended, then show it
    ///
    /// Exits with 0 if it succeeded, 1 if it failed or was cancelled, 4 if it has not ended in time.
    #[command(after_help = EXIT_CODES)]
    Wait {
        #[command(flatten)]
        task: OneTask,
        /// How long to wait, such as 500ms, 60s or 10m
        #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
        timeout: Duration,
    },
    /// Cancel a task that has not ended
    #[command(after_help = EXIT_CODES)]
    Cancel(OneTask),
    /// Try a failed task again; makes a new task and shows it
    #[command(after_help = EXIT_CODES)]
    Retry(OneTask),
}

#[derive(Clone, Debug, Args)]
struct OneTask {
    /// Id of the task: a UUID, 32 hexadecimal digits, or with s_, bk_, bd_ or pg_ before them
    #[arg(value_parser = parse_task_id)]
    id: String,
    #[command(flatten)]
    client: ClientArgs,
}

fn parse_task_id(text: &str) -> Result<String, String> {
    let digits = ["s_", "bk_", "bd_", "pg_"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix));
    let simple = |text: &str| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let hyphenated = || text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
    if digits.map_or_else(|| simple(text) || hyphenated(), simple) {
        Ok(text.to_owned())
    } else {
        Err("expected a UUID or 32 hexadecimal digits, with or without s_, bk_, bd_ or pg_".to_owned())
    }
}

/// Runs the command and reports its error, if any, on standard error.
pub async fn run(args: TaskArgs) -> anyhow::Result<ExitCode> {
    let (task, action) = match args.command {
        TaskCommand::Get(task) => (task, Action::Show),
        TaskCommand::Wait { task, timeout } => (task, Action::Wait(timeout)),
        TaskCommand::Cancel(task) => (task, Action::Change("cancel")),
        TaskCommand::Retry(task) => (task, Action::Change("retry")),
    };
    let done = match Client::new(&task.client) {
        Ok(client) => carry_out(&client, &task.id, action).await,
        Err(error) => Err(error),
    };
    match done {
        Ok((seen, exit)) => {
            if let Some(seen) = seen {
                print(&if task.client.json {
                    seen.to_string()
                } else {
                    describe(&seen)
                })?;
            }
            Ok(exit.into())
        }
        Err(error) => {
            eprintln!("error: {error}");
            Ok(error.exit().into())
        }
    }
}

#[derive(Clone, Copy)]
enum Action {
    Show,
    Wait(Duration),
    Change(&'static str),
}

async fn carry_out(client: &Client, id: &str, action: Action) -> Result<(Option<Value>, Exit), ClientError> {
    match action {
        Action::Show => Ok((Some(look(client, id).await?), Exit::Done)),
        Action::Wait(timeout) => wait(client, id, timeout).await,
        Action::Change(what) => {
            let answer = client
                .send(Method::POST, &["ops", "v1", "tasks", id, what], None, None)
                .await?;
            Ok((Some(parse_task(&answer.success()?)?), Exit::Done))
        }
    }
}

async fn look(client: &Client, id: &str) -> Result<Value, ClientError> {
    let answer = client
        .send(Method::GET, &["ops", "v1", "tasks", id], None, None)
        .await?;
    parse_task(&answer.success()?)
}

fn parse_task(body: &str) -> Result<Value, ClientError> {
    serde_json::from_str(body)
        .ok()
        .filter(|task: &Value| task.get("state").is_some_and(Value::is_string))
        .ok_or_else(|| {
            ClientError::Failed("something that is not a task; is this a Caretrack server?".to_owned())
        })
}

async fn wait(client: &Client, id: &str, timeout: Duration) -> Result<(Option<Value>, Exit), ClientError> {
    let mut seen = None;
    if let Ok(ended) = tokio::time::timeout(timeout, poll(client, id, &mut seen)).await {
        return ended.map(|exit| (seen, exit));
    }
    let state = seen.as_ref().map_or("not known", |task| word(task, "state"));
    eprintln!("error: the task has not ended after {timeout:?}; its state is {state}");
    Ok((seen, Exit::TimedOut))
}

/// Looks until the task has ended; `seen` is the last that was seen of it, also when this is cut short.
async fn poll(client: &Client, id: &str, seen: &mut Option<Value>) -> Result<Exit, ClientError> {
    let mut interval = FIRST_INTERVAL;
    loop {
        match look(client, id).await {
            Ok(task) => {
                let ended = ending(word(&task, "state"));
                *seen = Some(task);
                if let Some(exit) = ended {
                    return Ok(exit);
                }
            }
            // A server that was there before is being restarted or is busy; one that never was is a wrong address.
            Err(error) if error.is_passing() && (seen.is_some() || error.exit() != Exit::Unreachable) => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(interval).await;
        interval = (interval * 2).min(LONGEST_INTERVAL);
    }
}

fn ending(state: &str) -> Option<Exit> {
    match state {
        "succeeded" => Some(Exit::Done),
        "failed" | "cancelled" => Some(Exit::Failed),
        _ => None,
    }
}

fn word<'a>(task: &'a Value, name: &str) -> &'a str {
    task.get(name).and_then(Value::as_str).unwrap_or("-")
}

/// A few aligned lines: id, kind and state, then every other member that fits on a line.
fn describe(task: &Value) -> String {
    const FIRST: [&str; 3] = ["id", "kind", "state"];
    let mut lines: Vec<(&str, String)> = FIRST
        .iter()
        .map(|name| (*name, word(task, name).to_owned()))
        .collect();
    for (name, value) in task.as_object().into_iter().flatten() {
        if !FIRST.contains(&name.as_str())
            && let Some(text) = one_line(value)
        {
            lines.push((name, text));
        }
    }
    let width = lines
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = lines
        .iter()
        .map(|(name, text)| format!("{name:width$}  {text}"))
        .collect();
    lines.join("\n")
}

fn one_line(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.replace(char::is_control, " ")),
        Value::Array(items) => Some(format!("{} (see --json)", items.len())),
        Value::Object(object) => {
            // Errors are objects; what they say is worth a line.
            let text = ["detail", "message", "id", "name"]
                .iter()
                .find_map(|name| object.get(*name)?.as_str());
            text.map(|text| text.replace(char::is_control, " "))
        }
    }
}

#[cfg(test)]
mod tests;
