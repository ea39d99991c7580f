//! Statements written by hand, for both engines: only the placeholders differ.

use sea_orm::{DbBackend, Statement, Value};
use std::fmt::Write;

/// A statement in the making.
pub(crate) struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub fn new(backend: DbBackend, text: &str) -> Self {
        Self {
            backend,
            text: text.to_owned(),
            values: Vec::new(),
        }
    }

    pub fn push(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.place(value.into());
        self
    }

    /// `(?, ?), (?, ?)`, a tuple a row.
    pub fn tuples(mut self, rows: impl IntoIterator<Item = Vec<Value>>) -> Self {
        for (n, row) in rows.into_iter().enumerate() {
            self.text.push_str(if n == 0 { "(" } else { ", (" });
            for (m, value) in row.into_iter().enumerate() {
                if m > 0 {
                    self.text.push_str(", ");
                }
                self.place(value);
            }
            self.text.push(')');
        }
        self
    }

    /// `?, ?`, a placeholder a value.
    pub fn list<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        for (n, value) in values.into_iter().enumerate() {
            if n > 0 {
                self.text.push_str(", ");
            }
            self.place(value.into());
        }
        self
    }

    /// What PostgreSQL needs and SQLite does not know.
    pub fn on_postgres(self, text: &str) -> Self {
        if self.backend == DbBackend::Postgres {
            self.push(text)
        } else {
            self
        }
    }

    pub fn statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }

    fn place(&mut self, value: Value) {
        self.values.push(value);
        placeholder(self.backend, &mut self.text, self.values.len());
    }
}

fn placeholder(backend: DbBackend, text: &mut String, number: usize) {
    if backend == DbBackend::Postgres {
        // Writing to a string cannot fail.
        let _ = write!(text, "${number}");
    } else {
        text.push('?');
    }
}

/// `(?, ?), (?, ?)`: so many tuples of so many values, after the `bound` ones.
pub(crate) fn placeholders(
    backend: DbBackend,
    text: &mut String,
    bound: &mut usize,
    tuples: usize,
    values: usize,
) {
    for tuple in 0..tuples {
        text.push_str(if tuple == 0 { "(" } else { ", (" });
        for value in 0..values {
            if value > 0 {
                text.push_str(", ");
            }
            *bound += 1;
            placeholder(backend, text, *bound);
        }
        text.push(')');
    }
}

/// Splits into runs of up to 128, each filled up to a power of two by its last item: few distinct statements,
/// each prepared once and reused. For statements in which an item that comes twice does no harm.
pub(crate) fn runs<T>(items: &[T]) -> impl Iterator<Item = Run<'_, T>> {
    items.chunks(LONGEST_RUN).map(Run)
}

/// Items to look for, and some of them again.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a, T>(&'a [T]);

impl<'a, T> Run<'a, T> {
    pub fn iter(self) -> impl Iterator<Item = &'a T> {
        let filler = self.0.last().into_iter().cycle();
        let length = self.0.len().next_power_of_two();
        self.0.iter().chain(filler).take(length)
    }
}

pub(crate) const LONGEST_RUN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_everything_and_are_as_long_as_powers_of_two() {
        let items: Vec<usize> = (0..300).collect();
        let found: Vec<Vec<usize>> = runs(&items).map(|run| run.iter().copied().collect()).collect();
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [128, 128, 64]);
        let mut all = found.concat();
        all.dedup();
        assert_eq!(all, items);
        assert_eq!(runs(&[] as &[usize]).count(), 0);
    }

    #[test]
    fn placeholders_are_the_engines_own() {
        let sql = |backend| {
            let rows = vec![vec![1.into(), 2.into()], vec![3.into(), 4.into()]];
            Sql::new(backend, "VALUES ")
                .tuples(rows)
                .push(" LIMIT ")
                .bind(5)
                .statement()
                .sql
        };
        assert_eq!(sql(DbBackend::Sqlite), "VALUES (?, ?), (?, ?) LIMIT ?");
        assert_eq!(sql(DbBackend::Postgres), "VALUES ($1, $2), ($3, $4) LIMIT $5");
    }
}
