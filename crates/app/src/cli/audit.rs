//! `caretrack audit`: checks, without a server, that the audit log is what was sealed.

use super::{EXIT_CODES, Exit, print};
use caretrack_adapters_seaorm::SeaTrail;
use caretrack_application::{AuditReport, verify_audit};
use caretrack_ports::StoreError;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Check the audit log
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Check that no entry was changed, removed, inserted or reordered since it was sealed
    ///
    /// Reads the database of the settings, beside a running server if there is one, and changes nothing. Exits with 0
    /// if the log is what was sealed, 1 if it is not. It prints the hash of the last seal: note it somewhere else, and
    /// give it to a later check to learn whether all of the log up to there was written anew, or cut off.
    #[command(after_help = EXIT_CODES)]
    Verify {
        /// A hash that an earlier check printed: one of the seals must have it
        #[arg(long, value_name = "HASH", value_parser = parse_hash)]
        expect_head: Option<[u8; 32]>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

fn parse_hash(text: &str) -> Result<[u8; 32], String> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).map_err(|_| "expected 64 hexadecimal digits".to_owned())?;
    Ok(hash)
}

pub async fn run(args: AuditArgs, url: &str) -> anyhow::Result<ExitCode> {
    let AuditCommand::Verify { expect_head, json } = args.command;
    if url == "memory:" {
        anyhow::bail!("a store in memory keeps no log that could be checked");
    }
    let checked = async {
        let trail = SeaTrail::open(url).await?;
        verify_audit(&trail, expect_head).await
    };
    match checked.await {
        Ok(report) => {
            let intact = report.problems.is_empty();
            print(&if json {
                as_json(&report).to_string()
            } else {
                described(&report)
            })?;
            Ok(if intact { Exit::Done } else { Exit::Failed }.into())
        }
        Err(error) => {
            eprintln!("error: {error}");
            let exit = if matches!(error, StoreError::Unavailable(_)) {
                Exit::Unreachable
            } else {
                Exit::Failed
            };
            Ok(exit.into())
        }
    }
}

fn head(report: &AuditReport) -> Option<String> {
    Some(hex::encode(report.head.as_ref()?.hash))
}

fn as_json(report: &AuditReport) -> Value {
    json!({
        "intact": report.problems.is_empty(),
        "sealed": report.sealed,
        "unsealed": report.unsealed,
        "seals": report.seals,
        "head": head(report),
        "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn described(report: &AuditReport) -> String {
    let AuditReport {
        sealed,
        unsealed,
        seals,
        ..
    } = report;
    let mut lines = vec![if report.problems.is_empty() {
        "The audit log is what was sealed.".to_owned()
    } else {
        "The audit log is NOT what was sealed:".to_owned()
    }];
    lines.extend(report.problems.iter().map(|problem| format!("  {problem}")));
    lines.push(format!(
        "{sealed} sealed entries, {seals} seals; {unsealed} entries are not sealed yet."
    ));
    lines.extend(head(report).map(|head| format!("head: {head}")));
    lines.join("\n")
}
