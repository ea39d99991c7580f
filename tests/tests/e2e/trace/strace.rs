//! Reading what `strace` wrote.

use std::collections::HashMap;
use std::path::Path;

/// The program and arguments to trace a server with; `-D` keeps the server our own child.
pub fn wrapper(file: &Path) -> Vec<String> {
    let calls = "fdatasync,fsync,pwrite64,pwritev,write,writev,sendto,sendmsg,read,readv,recvfrom,recvmsg";
    let arguments = [
        "strace",
        "-D",
        "-f",
        "-yy",
        "-ttt",
        "-T",
        "-s",
        "8192",
        "-e",
        &format!("trace={calls}"),
        "-e",
        "signal=none",
        "-o",
    ];
    arguments
        .iter()
        .map(|argument| (*argument).to_owned())
        .chain([file.display().to_string()])
        .collect()
}

/// One system call, from its beginning to its end. Places are line numbers: the tracer writes a line when it sees a call
/// begin or end, and nobody goes on before it has.
#[derive(Clone, Debug)]
pub struct Call {
    pub name: String,
    pub text: String,
    pub began: usize,
    pub ended: usize,
}

pub struct Trace {
    pub calls: Vec<Call>,
}

impl Trace {
    pub fn parse(text: &str) -> Self {
        let mut open = HashMap::<&str, Call>::new();
        let mut calls = Vec::new();
        for (number, line) in text.lines().enumerate() {
            // 12345 1795315258.906883 fdatasync(12</tmp/x/e2e.db-wal>) = 0 <0.000044>
            let Some((thread, rest)) = line.split_once(' ') else {
                continue;
            };
            let Some((_, call)) = rest.trim_start().split_once(' ') else {
                continue;
            };
            if let Some(resumed) = call.strip_prefix("<... ") {
                if let Some(mut begun) = open.remove(thread) {
                    begun.text.push_str(resumed);
                    begun.ended = number;
                    calls.push(begun);
                }
                continue;
            }
            let Some((name, _)) = call.split_once('(') else {
                continue;
            };
            let parsed = Call {
                name: name.to_owned(),
                text: call.to_owned(),
                began: number,
                ended: number,
            };
            if call.ends_with("<unfinished ...>") {
                open.insert(thread, parsed);
            } else {
                calls.push(parsed);
            }
        }
        calls.sort_by_key(|call| call.began);
        assert!(calls.len() > 100, "the trace is empty: {} calls", calls.len());
        Self { calls }
    }
}
