//! The cells of a row, whichever driver found it.

use super::Stored;
use sea_orm::{DbErr, QueryResult, TryGetable};
use uuid::Uuid;

/// A row that the committing task found.
pub(crate) enum Found {
    Pooled(QueryResult),
    Own(Vec<Stored>),
}

impl Found {
    pub fn try_get_by_index<T: Cell>(&self, index: usize) -> Result<T, DbErr> {
        Cells::from(self).get(index)
    }
}

/// A row to be read.
#[derive(Clone, Copy)]
pub(crate) enum Cells<'a> {
    Pooled(&'a QueryResult),
    Own(&'a [Stored]),
}

impl<'a> From<&'a QueryResult> for Cells<'a> {
    fn from(result: &'a QueryResult) -> Self {
        Self::Pooled(result)
    }
}

impl<'a> From<&'a Found> for Cells<'a> {
    fn from(found: &'a Found) -> Self {
        match found {
            Found::Pooled(result) => Self::Pooled(result),
            Found::Own(cells) => Self::Own(cells),
        }
    }
}

impl Cells<'_> {
    pub fn get<T: Cell>(self, index: usize) -> Result<T, DbErr> {
        match self {
            Self::Pooled(result) => result.try_get_by_index(index),
            Self::Own(cells) => cells
                .get(index)
                .and_then(T::of)
                .ok_or_else(|| DbErr::Type(format!("column {index} holds something else"))),
        }
    }
}

/// What a cell may be read as.
pub(crate) trait Cell: TryGetable {
    fn of(stored: &Stored) -> Option<Self>;
}

impl Cell for i64 {
    fn of(stored: &Stored) -> Option<Self> {
        match stored {
            Stored::Integer(number) => Some(*number),
            Stored::Null | Stored::Real(_) | Stored::Text(_) | Stored::Blob(_) => None,
        }
    }
}

impl Cell for bool {
    fn of(stored: &Stored) -> Option<Self> {
        i64::of(stored).map(|number| number != 0)
    }
}

impl Cell for String {
    fn of(stored: &Stored) -> Option<Self> {
        match stored {
            Stored::Text(text) => Some(text.clone()),
            Stored::Null | Stored::Integer(_) | Stored::Real(_) | Stored::Blob(_) => None,
        }
    }
}

impl Cell for Vec<u8> {
    fn of(stored: &Stored) -> Option<Self> {
        match stored {
            Stored::Blob(bytes) => Some(bytes.clone()),
            Stored::Null | Stored::Integer(_) | Stored::Real(_) | Stored::Text(_) => None,
        }
    }
}

impl Cell for Uuid {
    fn of(stored: &Stored) -> Option<Self> {
        match stored {
            Stored::Blob(bytes) => Self::from_slice(bytes).ok(),
            Stored::Null | Stored::Integer(_) | Stored::Real(_) | Stored::Text(_) => None,
        }
    }
}

impl<T: Cell> Cell for Option<T> {
    fn of(stored: &Stored) -> Option<Self> {
        match stored {
            Stored::Null => Some(None),
            Stored::Integer(_) | Stored::Real(_) | Stored::Text(_) | Stored::Blob(_) => {
                T::of(stored).map(Some)
            }
        }
    }
}
