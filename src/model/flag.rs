//! System flags and keywords (RFC 9051 §2.3.2).

/// A system flag that is stored; `\Recent` is never set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flag {
    /// `\Seen`
    Seen,
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Draft`
    Draft,
}

impl Flag {
    /// All system flags, in the order they are listed to clients.
    pub const ALL: [Self; 5] =
        [Self::Answered, Self::Flagged, Self::Deleted, Self::Seen, Self::Draft];

    /// The bit in [`FlagSet::system`] and in the stored document.
    pub const fn bit(self) -> u8 {
        match self {
            Self::Seen => 1,
            Self::Answered => 2,
            Self::Flagged => 4,
            Self::Deleted => 8,
            Self::Draft => 16,
        }
    }

    /// The name with its backslash.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seen => "\\Seen",
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
        }
    }

    /// The flag of a name with its backslash, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.name().eq_ignore_ascii_case(name))
    }
}

/// The flags and keywords of one message.
///
/// Keywords are sorted and distinct without regard to ASCII case (RFC 9051 §2.3.2), in the case of
/// their first use.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct FlagSet {
    /// Bits of [`Flag::bit`].
    pub system: u8,
    keywords: Vec<String>,
}

impl FlagSet {
    /// The set of these bits and keywords.
    pub fn new(system: u8, keywords: Vec<String>) -> Self {
        let mut set = Self { system, keywords: Vec::new() };
        for keyword in keywords {
            set.insert_keyword(&keyword);
        }
        set
    }

    /// The set of the named flags: system flags by their names, all else as keywords.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self::default();
        for name in names {
            match Flag::from_name(name) {
                Some(flag) => set.system |= flag.bit(),
                None => set.insert_keyword(name),
            }
        }
        set
    }

    /// Whether the system flag is set.
    pub const fn has(&self, flag: Flag) -> bool {
        self.system & flag.bit() != 0
    }

    /// The keywords, sorted.
    pub fn keywords(&self) -> &[String] {
        &self.keywords
    }

    /// Whether the keyword is set, in any case.
    pub fn has_keyword(&self, keyword: &str) -> bool {
        self.find(keyword).is_ok()
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.system == 0 && self.keywords.is_empty()
    }

    /// System flag names, then keywords.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let system = Flag::ALL
            .into_iter()
            .filter(move |flag| self.has(*flag))
            .map(|flag| -> &str { flag.name() });
        system.chain(self.keywords.iter().map(String::as_str))
    }

    fn find(&self, keyword: &str) -> Result<usize, usize> {
        self.keywords.binary_search_by(|known| {
            known
                .bytes()
                .map(|b| b.to_ascii_lowercase())
                .cmp(keyword.bytes().map(|b| b.to_ascii_lowercase()))
        })
    }

    /// Adds a keyword.
    pub fn insert_keyword(&mut self, keyword: &str) {
        if let Err(at) = self.find(keyword) {
            self.keywords.insert(at, keyword.to_owned());
        }
    }

    /// Removes a keyword.
    pub fn remove_keyword(&mut self, keyword: &str) {
        if let Ok(at) = self.find(keyword) {
            self.keywords.remove(at);
        }
    }
}

/// The flags that may be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlagMask {
    /// Bits of [`Flag::bit`].
    pub system: u8,
    /// All keywords, or none.
    pub keywords: bool,
}

impl FlagMask {
    /// All flags.
    pub const ALL: Self = Self { system: 31, keywords: true };
    /// None.
    pub const NONE: Self = Self { system: 0, keywords: false };

    /// The flags of a set that are in the mask.
    pub fn of(self, flags: &FlagSet) -> FlagSet {
        let keywords = if self.keywords { flags.keywords.clone() } else { Vec::new() };
        FlagSet { system: flags.system & self.system, keywords }
    }
}

/// What STORE does to the flags of a message (RFC 9051 §6.4.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FlagChange {
    /// `+FLAGS`
    Add(FlagSet),
    /// `-FLAGS`
    Remove(FlagSet),
    /// `FLAGS`
    Replace(FlagSet),
    /// `FLAGS` by somebody who may change only the flags of the mask.
    ReplaceWithin(FlagSet, FlagMask),
}

impl FlagChange {
    /// The flags named by the change.
    pub const fn flags(&self) -> &FlagSet {
        match self {
            Self::Add(flags)
            | Self::Remove(flags)
            | Self::Replace(flags)
            | Self::ReplaceWithin(flags, _) => flags,
        }
    }

    /// What is left of the change for somebody who may change only these flags; `None` when he may
    /// change none that it names.
    pub fn within(&self, mask: FlagMask) -> Option<Self> {
        if mask == FlagMask::ALL {
            return Some(self.clone());
        }
        let flags = mask.of(self.flags());
        let is_refused = flags.is_empty() && !self.flags().is_empty();
        match self {
            _ if mask == FlagMask::NONE || is_refused => None,
            Self::Add(_) => Some(Self::Add(flags)),
            Self::Remove(_) => Some(Self::Remove(flags)),
            Self::Replace(_) | Self::ReplaceWithin(..) => Some(Self::ReplaceWithin(flags, mask)),
        }
    }

    /// The flags after the change.
    pub fn apply(&self, before: &FlagSet) -> FlagSet {
        let mut after = before.clone();
        match self {
            Self::Replace(flags) => return flags.clone(),
            Self::ReplaceWithin(flags, mask) => {
                after.system = before.system & !mask.system | flags.system & mask.system;
                if mask.keywords {
                    after.keywords.clone_from(&flags.keywords);
                }
            }
            Self::Add(flags) => {
                after.system |= flags.system;
                flags.keywords.iter().for_each(|keyword| after.insert_keyword(keyword));
            }
            Self::Remove(flags) => {
                after.system &= !flags.system;
                flags.keywords.iter().for_each(|keyword| after.remove_keyword(keyword));
            }
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_leaves_the_other_flags() {
        let seen = FlagMask { system: Flag::Seen.bit(), keywords: false };
        let names = |names: &[&str]| FlagSet::from_names(names.iter().copied());
        let before = names(&["\\Seen", "\\Flagged", "work"]);
        let replace = FlagChange::Replace(names(&["\\Deleted", "\\Seen", "x"]));
        assert_eq!(replace.within(seen).unwrap().apply(&before), before);
        let clear = FlagChange::Replace(FlagSet::default()).within(seen).unwrap();
        assert_eq!(clear.apply(&before), names(&["\\Flagged", "work"]));
        assert_eq!(FlagChange::Add(names(&["\\Deleted"])).within(seen), None);
        let add = FlagChange::Add(names(&["\\Deleted", "\\Seen"])).within(seen);
        assert_eq!(add, Some(FlagChange::Add(names(&["\\Seen"]))));
        assert_eq!(replace.within(FlagMask::NONE), None);
        assert_eq!(replace.within(FlagMask::ALL), Some(replace));
    }

    #[test]
    fn keywords_ignore_case() {
        let mut set = FlagSet::from_names(["$Junk", "\\seen", "work", "$JUNK"]);
        assert_eq!(set.names().collect::<Vec<_>>(), ["\\Seen", "$Junk", "work"]);
        assert!(set.has_keyword("WORK"));
        set.remove_keyword("Work");
        assert!(!set.has_keyword("work"));
        let change = FlagChange::Add(FlagSet::from_names(["\\Deleted"]));
        assert!(change.apply(&set).has(Flag::Seen) && change.apply(&set).has(Flag::Deleted));
    }
}
