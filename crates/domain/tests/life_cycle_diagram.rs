//! The diagram in `docs/api/patient-status.md` is the table of the search-status machine, drawn.

use std::collections::BTreeMap;
use std::path::PathBuf;

fn file(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One arrow for each pair of states, with the commands that go that way; what has no effect is no arrow.
fn drawn(table: &str) -> String {
    let mut rows = table
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::split_whitespace);
    let commands: Vec<_> = rows.next().expect("a head").skip(1).collect();
    let mut diagram = "```mermaid\nstateDiagram-v2\n    [*] --> NEW: registered\n".to_owned();
    for mut row in rows {
        let state = row.next().expect("a state");
        let mut arrows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut order = Vec::new();
        for (command, cell) in commands.iter().zip(row) {
            if cell != "." && cell != state {
                let with = arrows.entry(cell).or_default();
                if with.is_empty() {
                    order.push(cell);
                }
                with.push(command);
            }
        }
        for next in order {
            diagram.extend(["    ", state, " --> ", next, ": ", &arrows[next].join(", "), "\n"]);
        }
    }
    diagram + "    ANO --> [*]\n```\n"
}

#[test]
fn the_diagram_is_what_the_table_says() {
    let (document, expected) = (
        file("../../docs/api/patient-status.md"),
        drawn(&file("src/search_status_transitions.txt")),
    );
    assert!(
        document.contains(&expected),
        "docs/api/patient-status.md and search_status_transitions.txt have parted; the diagram should be:\n{expected}"
    );
}

/// Of both there is one.
#[test]
fn there_is_one_diagram() {
    let document = file("../../docs/api/patient-status.md");
    assert_eq!(document.matches("```mermaid").count(), 1);
}
