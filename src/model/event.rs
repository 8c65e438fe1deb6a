//! What happened, for those who asked to be told (`reference/behaviours.md` §14).

use super::id::UserId;

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Its name, like `filter.created`.
    pub name: &'static str,
    /// Whom it is about, if anybody.
    pub user: Option<UserId>,
    /// Its fields beside those every event has.
    pub fields: Vec<(&'static str, String)>,
    /// Those that are numbers.
    pub numbers: Vec<(&'static str, u64)>,
}

impl Event {
    /// An event of a user.
    pub fn of_user(name: &'static str, user: UserId) -> Self {
        Self { name, user: Some(user), fields: Vec::new(), numbers: Vec::new() }
    }

    /// An event of the whole store.
    pub const fn of_store(name: &'static str) -> Self {
        Self { name, user: None, fields: Vec::new(), numbers: Vec::new() }
    }

    /// The same with one more field.
    pub fn with(mut self, field: &'static str, value: impl ToString) -> Self {
        self.fields.push((field, value.to_string()));
        self
    }

    /// The same with one more field that is a number.
    pub fn with_number(mut self, field: &'static str, value: u64) -> Self {
        self.numbers.push((field, value));
        self
    }

    /// The types of hooks that hear it: its name, its first level with `.*`, and `*`. A second
    /// level has no such pattern, as in the reference.
    pub fn types(&self) -> Vec<String> {
        let mut types = vec![self.name.to_owned(), "*".to_owned()];
        if let Some((first, _)) = self.name.split_once('.') {
            types.push(format!("{first}.*"));
        }
        types
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_match_by_name_first_level_and_star() {
        let types = Event::of_store("address.user.created").types();
        assert_eq!(types, ["address.user.created", "*", "address.*"]);
        assert_eq!(Event::of_store("forward added").types(), ["forward added", "*"]);
    }
}
