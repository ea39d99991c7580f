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
        if self.backend == DbBackend::Postgres {
            // Writing to a string cannot fail.
            let _ = write!(self.text, "${}", self.values.len());
        } else {
            self.text.push('?');
        }
    }
}

/// Splits into runs of 128, 64, 32, ..., 1: few distinct statements, each prepared once and reused.
pub(crate) fn runs<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    lengths(items.len()).map(move |length| {
        let (run, rest) = items.split_at(length);
        items = rest;
        run
    })
}

/// The lengths of the runs that so many items make.
pub(crate) fn lengths(mut count: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let length = match count {
            0 => return None,
            n if n >= LONGEST_RUN => LONGEST_RUN,
            n => 1 << n.ilog2(),
        };
        count -= length;
        Some(length)
    })
}

const LONGEST_RUN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_powers_of_two_and_cover_everything_in_order() {
        let items: Vec<usize> = (0..300).collect();
        let lengths: Vec<usize> = runs(&items).map(<[usize]>::len).collect();
        assert_eq!(lengths, [128, 128, 32, 8, 4]);
        assert_eq!(runs(&items).flatten().copied().collect::<Vec<_>>(), items);
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
