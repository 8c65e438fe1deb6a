//! What is kept of the stories of messages.

use serde::{Deserialize, Serialize};

/// `[trace]`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Days the events of messages are kept; 0 to 3650, default 14. 0: none are recorded.
    pub kept_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { kept_days: 14 }
    }
}

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The key and what it may be.
    pub fn validate(&self) -> Result<(), String> {
        if self.kept_days > 3650 {
            return Err("kept_days: 0 to 3650".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_years_are_the_end() {
        assert_eq!(Settings::default().validate(), Ok(()));
        assert!(Settings { kept_days: 3651 }.validate().is_err());
    }
}
