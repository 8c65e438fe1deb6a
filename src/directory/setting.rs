//! Settings of the whole store that operators change while it runs.

use super::Directory;
use crate::model::error::{Error, Result};
use crate::model::setting::{Description, SETTINGS, Setting, SettingValue};
use crate::storage::settings;

impl Directory {
    /// All settings with the value in force, and whether somebody set it.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_settings(&self) -> Result<Vec<(&'static Description, SettingValue, bool)>> {
        let values = settings::list(&self.storage).await?;
        let row = |row: &'static Description| {
            let custom = values.get(row.key).filter(|value| row.accepts(value)).cloned();
            let is_custom = custom.is_some();
            (row, custom.unwrap_or_else(|| row.default_value()), is_custom)
        };
        Ok(SETTINGS.iter().map(row).collect())
    }

    /// The value in force.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_setting(&self, setting: Setting) -> Result<SettingValue> {
        settings::find(&self.storage, setting).await
    }

    /// The value in force of a setting that is a number.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_number(&self, setting: Setting) -> Result<u64> {
        settings::find_number(&self.storage, setting).await
    }

    /// Sets a value; it is in force here at once, on other nodes within seconds.
    ///
    /// # Errors
    /// `Invalid` for a value of another kind, `Unavailable`.
    pub async fn set_setting(&self, row: &Description, value: &SettingValue) -> Result<()> {
        if !row.accepts(value) {
            let reason = match row.setting {
                Setting::DeferTimes => "must be a comma list of durations".to_owned(),
                _ => format!("must be a {}", row.kind.name()),
            };
            return Err(Error::invalid("value", reason));
        }
        settings::set(&self.storage, row.key, value).await
    }
}
