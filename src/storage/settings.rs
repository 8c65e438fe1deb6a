//! Settings that operators change while the store runs.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `_id` | text | the setting's key, `const:max:storage`; `schema` is `migrations`' own |
//! | `value` | int64, text or bool | its value; a setting without a document has its default |
//!
//! A handful of documents, read by every node at most once in `FRESH` and kept in memory between:
//! a change takes effect on the node that made it at once, on the others within that time.

use super::Storage;
use crate::model::error::Result;
use crate::model::setting::{Setting, SettingValue};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long values are used without asking again.
const FRESH: Duration = Duration::from_secs(5);

/// The values somebody set, by key.
type Values = Arc<HashMap<String, SettingValue>>;

/// The values of a node, and when they were read. The lock is held for a look-up only.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<Option<(Instant, Values)>>);

impl Remembered {
    fn get(&self) -> Option<Values> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, values) = remembered.as_ref()?;
        (at.elapsed() < FRESH).then(|| Arc::clone(values))
    }

    fn set(&self, values: Option<Values>) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *remembered = values.map(|values| (Instant::now(), values));
    }
}

fn value_of(document: &Document) -> Option<(String, SettingValue)> {
    let key = document.get_str("_id").ok()?.to_owned();
    let value = match document.get("value")? {
        Bson::Boolean(value) => SettingValue::Boolean(*value),
        Bson::String(text) => SettingValue::Text(text.clone()),
        Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) => {
            SettingValue::Number(super::field::get_int(document, "value"))
        }
        _ => return None,
    };
    Some((key, value))
}

/// All values somebody set: one round trip, or none while they are fresh.
///
/// # Errors
/// `Unavailable`.
pub async fn list(storage: &Storage) -> Result<Values> {
    if let Some(values) = storage.remembered_settings().get() {
        return Ok(values);
    }
    let filter = doc! { "_id": { "$gte": "const:", "$lt": "const;" } };
    let found = storage.settings().find(filter).await?;
    let documents: Vec<Document> = found.try_collect().await?;
    let values: Values = Arc::new(documents.iter().filter_map(value_of).collect());
    storage.remembered_settings().set(Some(Arc::clone(&values)));
    Ok(values)
}

/// The value in force: that somebody set, or the default.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, setting: Setting) -> Result<SettingValue> {
    let Some(row) = setting.description() else { return Ok(SettingValue::Number(0)) };
    let values = list(storage).await?;
    let value = values.get(row.key).filter(|value| row.accepts(value)).cloned();
    Ok(value.unwrap_or_else(|| row.default_value()))
}

/// The value in force of a setting that is a number: of milliseconds, octets, or a count.
///
/// # Errors
/// `Unavailable`.
pub async fn find_number(storage: &Storage, setting: Setting) -> Result<u64> {
    Ok(match find(storage, setting).await? {
        SettingValue::Number(number) => u64::try_from(number).unwrap_or(0),
        SettingValue::Boolean(value) => u64::from(value),
        SettingValue::Text(_) => 0,
    })
}

/// Sets a value: one round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn set(storage: &Storage, key: &str, value: &SettingValue) -> Result<()> {
    let value: Bson = match value {
        SettingValue::Number(number) => (*number).into(),
        SettingValue::Text(text) => text.clone().into(),
        SettingValue::Boolean(value) => (*value).into(),
    };
    let set = doc! { "$set": { "value": value } };
    storage.settings().update_one(doc! { "_id": key }, set).upsert(true).await?;
    storage.remembered_settings().set(None);
    Ok(())
}
