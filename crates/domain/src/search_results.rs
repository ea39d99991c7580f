//! What a search found: lists of records, each delivery compared with the one before.

use crate::search::Counts;
use crate::{Fingerprint, Instant, SearchError, SearchId};
use std::collections::{BTreeMap, HashMap};

/// The lists of a search's results.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum ResultList {
    Donors,
    Cbus,
    Adcu,
    Registries,
    Cbbs,
}

impl ResultList {
    pub const COUNT: usize = 5;

    pub fn all() -> impl Iterator<Item = Self> {
        <Self as strum::IntoEnumIterator>::iter()
    }
}

/// What a match engine says of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Results(Delivered),
    Failed(SearchError),
}

/// The whole result. What an engine tells is personal data: it is kept as sent, and never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// In the engine's order, each id once in its list: the id, and the record as sent, a JSON object.
    pub lists: BTreeMap<ResultList, Vec<(String, String)>>,
    pub summary_text: Option<String>,
    pub inexplicable: Option<i64>,
}

impl std::fmt::Debug for Delivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "UPPERCASE")]
pub enum RecordFlag {
    /// It was not delivered before.
    New,
    /// Its content is another than that of the last delivery.
    Updated,
    /// It is no longer delivered, and goes with the next delivery.
    Deleted,
}

/// Where a record of a result is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultKey {
    pub search: SearchId,
    pub list: ResultList,
    pub id: String,
}

/// A record as it is read.
#[derive(Clone, PartialEq, Eq)]
pub struct ResultRecord {
    /// A JSON object, as sent.
    pub content: String,
    pub flag: Option<RecordFlag>,
    /// The last time the flag was not null.
    pub flagged_at: Instant,
}

impl std::fmt::Debug for ResultRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.flag, self.flagged_at)
    }
}

/// What a delivery is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRecord {
    pub list: ResultList,
    pub id: String,
    pub position: u32,
    pub digest: Fingerprint,
    pub flag: Option<RecordFlag>,
    pub flagged_at: Instant,
}

/// What becomes of one record.
#[derive(Clone, PartialEq, Eq)]
pub enum ResultChange {
    /// It is new, or its content is.
    Put {
        key: ResultKey,
        position: u32,
        content: String,
        digest: Fingerprint,
        flag: Option<RecordFlag>,
        flagged_at: Instant,
    },
    /// Its content stays.
    Mark {
        key: ResultKey,
        position: u32,
        flag: Option<RecordFlag>,
        flagged_at: Instant,
    },
    Drop {
        key: ResultKey,
    },
}

impl std::fmt::Debug for ResultChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// The same content has the same digest, however its members are ordered.
pub fn digest(content: &str) -> Fingerprint {
    match serde_json::from_str(content) {
        Ok(value) => Fingerprint::of(&[], &value),
        Err(_) => Fingerprint::of(&[content], &serde_json::Value::Null),
    }
}

impl Delivered {
    /// What is to be changed so that `known` becomes what was delivered, and how many there are then: delivered ones,
    /// and all that are listed.
    pub fn compare(
        &self,
        search: SearchId,
        known: Vec<KnownRecord>,
        now: Instant,
    ) -> (Vec<ResultChange>, (Counts, Counts)) {
        let (mut statistics, mut listed) = (Counts::default(), Counts::default());
        let mut changes = Vec::new();
        let mut before: BTreeMap<ResultList, Vec<KnownRecord>> = BTreeMap::new();
        for record in known {
            before.entry(record.list).or_default().push(record);
        }
        for list in ResultList::all() {
            let empty = Vec::new();
            let delivered = self.lists.get(&list).unwrap_or(&empty);
            let key = |id: &str| ResultKey {
                search,
                list,
                id: id.to_owned(),
            };
            let mut before: HashMap<String, KnownRecord> =
                (before.remove(&list).unwrap_or_default().into_iter())
                    .map(|record| (record.id.clone(), record))
                    .collect();
            let mut position = 0;
            for (id, content) in delivered {
                let change = compare_one(key(id), position, content, before.remove(id), now);
                changes.extend(change);
                position += 1;
            }
            statistics[list] = position;
            let mut gone: Vec<KnownRecord> = before.into_values().collect();
            gone.sort_unstable_by_key(|record| record.position);
            for record in gone {
                let key = key(&record.id);
                if record.flag == Some(RecordFlag::Deleted) {
                    changes.push(ResultChange::Drop { key });
                } else {
                    changes.push(ResultChange::Mark {
                        key,
                        position,
                        flag: Some(RecordFlag::Deleted),
                        flagged_at: now,
                    });
                    position += 1;
                }
            }
            listed[list] = position;
        }
        (changes, (statistics, listed))
    }
}

fn compare_one(
    key: ResultKey,
    position: u32,
    content: &str,
    known: Option<KnownRecord>,
    now: Instant,
) -> Option<ResultChange> {
    let digest = digest(content);
    let flag = match &known {
        None => Some(RecordFlag::New),
        // It was not in the last delivery.
        Some(known) if known.flag == Some(RecordFlag::Deleted) => Some(RecordFlag::New),
        Some(known) if known.digest != digest => Some(RecordFlag::Updated),
        Some(_) => None,
    };
    match (known, flag) {
        (Some(known), None) => {
            let same = known.position == position && known.flag.is_none();
            (!same).then_some(ResultChange::Mark {
                key,
                position,
                flag: None,
                flagged_at: known.flagged_at,
            })
        }
        (_, flag) => Some(ResultChange::Put {
            key,
            position,
            content: content.to_owned(),
            digest,
            flag,
            flagged_at: now,
        }),
    }
}
