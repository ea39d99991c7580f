//! The figures, as a table and as JSON.

use crate::machine::Others;
use crate::numbers::show;
use serde::Serialize;

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Floor {
    pub name: &'static str,
    pub value: f64,
}

impl Floor {
    pub fn new(name: &'static str, value: f64) -> Self {
        Self { name, value }
    }
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    ValueBelow(f64),
    ValueAtLeast(f64),
    RatioBelow(f64),
    RatioAtLeast(f64),
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub figure: String,
    pub value: f64,
    pub unit: &'static str,
    pub floor: Option<Floor>,
    pub ratio: Option<f64>,
    pub goal: Option<Goal>,
    /// Requests that failed while it was measured; with any, no goal is met.
    pub failed: u64,
    pub notes: Vec<String>,
}

impl Row {
    pub fn new(figure: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            figure: figure.into(),
            value,
            unit,
            floor: None,
            ratio: None,
            goal: None,
            failed: 0,
            notes: Vec::new(),
        }
    }

    pub fn against(self, floor: Floor) -> Self {
        Self {
            ratio: Some(self.value / floor.value),
            floor: Some(floor),
            ..self
        }
    }

    pub fn goal(self, goal: Goal) -> Self {
        Self {
            goal: Some(goal),
            ..self
        }
    }

    pub fn failed(self, failed: u64) -> Self {
        Self { failed, ..self }
    }

    pub fn note(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }

    pub fn met(&self) -> Option<bool> {
        let met = match self.goal? {
            Goal::ValueBelow(limit) => self.value < limit,
            Goal::ValueAtLeast(limit) => self.value >= limit,
            Goal::RatioBelow(limit) => self.ratio? < limit,
            Goal::RatioAtLeast(limit) => self.ratio? >= limit,
        };
        Some(met && self.failed == 0)
    }
}

/// A row with where and how it was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    pub engine: &'static str,
    #[serde(flatten)]
    pub row: Row,
    pub met: Option<bool>,
    /// Others used the machine, however often it was tried.
    pub noisy: bool,
    pub others: Others,
    pub tries: u32,
}

impl Measured {
    fn cells(&self) -> [String; 7] {
        let row = &self.row;
        let goal = row.goal.map_or(String::new(), |goal| match goal {
            Goal::ValueBelow(limit) => format!("< {} {}", show(limit), row.unit),
            Goal::ValueAtLeast(limit) => format!(">= {} {}", show(limit), row.unit),
            Goal::RatioBelow(limit) => format!("ratio < {}", show(limit)),
            Goal::RatioAtLeast(limit) => format!("ratio >= {}", show(limit)),
        });
        let met = match self.met {
            None => "",
            Some(true) => "yes",
            Some(false) => "NO",
        };
        [
            self.engine.to_owned(),
            row.figure.clone(),
            format!("{} {}", show(row.value), row.unit),
            row.floor.map_or(String::new(), |floor| {
                format!("{} = {}", floor.name, show(floor.value))
            }),
            row.ratio.map_or(String::new(), show),
            goal,
            if self.noisy {
                format!("{met} noisy").trim().to_owned()
            } else {
                met.to_owned()
            },
        ]
    }
}

const HEADS: [&str; 7] = ["engine", "figure", "value", "floor", "ratio", "goal", "met?"];
/// Numbers stand at the right.
const RIGHT: [bool; 7] = [false, false, true, false, true, false, false];

/// One aligned table; what there is to say about a line stands below it.
pub fn table(rows: &[Measured]) -> String {
    let mut lines = vec![HEADS.map(str::to_owned)];
    lines.extend(rows.iter().map(Measured::cells));
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let width = |line: &[String; 7]| line[column].chars().count();
        lines.iter().map(width).max().unwrap_or(0)
    });
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate() {
        let cells: Vec<String> = (0..HEADS.len())
            .map(|column| {
                let (cell, width) = (&line[column], widths[column]);
                if RIGHT[column] {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
        if let Some(measured) = n.checked_sub(1).and_then(|n| rows.get(n)) {
            let failed = (measured.row.failed > 0).then(|| format!("{} FAILED", measured.row.failed));
            for note in failed.iter().chain(&measured.row.notes) {
                text.push_str("            - ");
                text.push_str(note);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row::new("writes", 3_000.0, "/s").against(Floor::new("F1", 1_500.0))
    }

    #[test]
    fn a_goal_is_met_by_the_value_or_the_ratio_and_never_with_failures() {
        assert_eq!(row().met(), None);
        assert_eq!(row().goal(Goal::RatioAtLeast(2.0)).met(), Some(true));
        assert_eq!(row().goal(Goal::RatioAtLeast(2.1)).met(), Some(false));
        assert_eq!(row().goal(Goal::ValueBelow(3_000.0)).met(), Some(false));
        assert_eq!(row().goal(Goal::RatioAtLeast(2.0)).failed(1).met(), Some(false));
    }

    #[test]
    fn columns_are_aligned_and_notes_follow_their_line() {
        let measured = |row: Row| Measured {
            engine: "sqlite",
            met: row.met(),
            row,
            noisy: false,
            others: Others::default(),
            tries: 1,
        };
        let noted = row().goal(Goal::RatioAtLeast(1.5)).note(["odd".to_owned()]);
        let text = table(&[measured(noted), measured(Row::new("p50", 7.0, "ms"))]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "engine  figure     value  floor       ratio  goal           met?"
        );
        assert_eq!(
            lines[1],
            "sqlite  writes  3 000 /s  F1 = 1 500   2.00  ratio >= 1.50  yes"
        );
        assert_eq!(lines[2], "            - odd");
        assert_eq!(lines[3], "sqlite  p50      7.00 ms");
    }
}
