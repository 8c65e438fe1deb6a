//! Rights on a mailbox, and the list that grants them (RFC 4314 §2).

use super::id::UserId;
use std::fmt;

/// A set of rights.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Rights(u16);

/// Every right's letter, in the order they are written.
const LETTERS: [(char, Rights); 11] = [
    ('l', Rights::LOOKUP),
    ('r', Rights::READ),
    ('s', Rights::SEEN),
    ('w', Rights::WRITE),
    ('i', Rights::INSERT),
    ('p', Rights::POST),
    ('k', Rights::CREATE),
    ('x', Rights::DELETE_MAILBOX),
    ('t', Rights::DELETE_MESSAGES),
    ('e', Rights::EXPUNGE),
    ('a', Rights::ADMINISTER),
];

impl Rights {
    /// `l`: the mailbox exists for him.
    pub const LOOKUP: Self = Self(1);
    /// `r`: SELECT, STATUS.
    pub const READ: Self = Self(2);
    /// `s`: keep `\Seen`.
    pub const SEEN: Self = Self(4);
    /// `w`: flags other than `\Seen` and `\Deleted`, and the annotations others see.
    pub const WRITE: Self = Self(8);
    /// `i`: APPEND and COPY into it.
    pub const INSERT: Self = Self(16);
    /// `p`: mail to the mailbox's own address. Kept and told; delivery does not use it.
    pub const POST: Self = Self(32);
    /// `k`: CREATE below it, RENAME to below it.
    pub const CREATE: Self = Self(64);
    /// `x`: DELETE and RENAME of it.
    pub const DELETE_MAILBOX: Self = Self(128);
    /// `t`: `\Deleted`.
    pub const DELETE_MESSAGES: Self = Self(256);
    /// `e`: EXPUNGE, and the one of CLOSE.
    pub const EXPUNGE: Self = Self(512);
    /// `a`: read and change the list.
    pub const ADMINISTER: Self = Self(1024);
    /// All of them: the owner's, always.
    pub const ALL: Self = Self(2047);
    /// None.
    pub const NONE: Self = Self(0);
    /// Any of these makes a mailbox READ-WRITE (RFC 4314 §5.2).
    pub const CHANGING: Self = Self(4 | 8 | 16 | 256 | 512);

    /// Rights in either set.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Rights not in the other set.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of the other set are here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of the other set is here.
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The rights of these letters; `None` when one is unknown. RFC 4314 §2.1.1: the obsolete `c`
    /// means `k` and `x`, `d` means `t` and `e`.
    pub fn from_letters(letters: &str) -> Option<Self> {
        letters.chars().try_fold(Self::NONE, |rights, letter| {
            let right = match letter {
                'c' => Self::CREATE.with(Self::DELETE_MAILBOX),
                'd' => Self::DELETE_MESSAGES.with(Self::EXPUNGE),
                letter => LETTERS.iter().find(|(known, _)| *known == letter)?.1,
            };
            Some(rights.with(right))
        })
    }

    /// The letters for a client that may know only RFC 2086: with `c` and `d` where any right they
    /// stand for is granted (RFC 4314 §2.1.1).
    pub fn with_obsolete(self) -> String {
        let mut letters = self.to_string();
        if self.has_any(Self::CREATE.with(Self::DELETE_MAILBOX)) {
            letters.push('c');
        }
        if self.has_any(Self::DELETE_MESSAGES.with(Self::EXPUNGE)) {
            letters.push('d');
        }
        letters
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let granted = LETTERS.iter().filter(|(_, right)| self.has(*right));
        granted.into_iter().try_for_each(|(letter, _)| write!(f, "{letter}"))
    }
}

/// What SETACL does to the rights of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RightsChange {
    /// `rights`
    Replace(Rights),
    /// `+rights`
    Add(Rights),
    /// `-rights`
    Remove(Rights),
}

impl RightsChange {
    /// The rights after the change.
    #[must_use]
    pub const fn apply(self, before: Rights) -> Rights {
        match self {
            Self::Replace(rights) => rights,
            Self::Add(rights) => before.with(rights),
            Self::Remove(rights) => before.without(rights),
        }
    }
}

/// Who is meant by an entry of a list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Who {
    /// `anyone`: whoever has logged in.
    Anyone,
    /// One user.
    User(UserId),
}

/// What one entry of a list grants, or takes away from what others grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    /// To whom.
    pub who: Who,
    /// `-identifier`: these rights are taken away (RFC 4314 §2).
    pub negative: bool,
    /// Which.
    pub rights: Rights,
}

/// The access control list of a mailbox; its owner is not in it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Acl(pub Vec<Grant>);

impl Acl {
    /// What a user who is not the owner may do: all that is granted to him and to anyone, without
    /// what is taken away from him or anyone (RFC 4314 §2).
    pub fn rights_of(&self, user: UserId) -> Rights {
        let sum = |negative| {
            let meant = |grant: &&Grant| {
                grant.negative == negative
                    && (grant.who == Who::Anyone || grant.who == Who::User(user))
            };
            self.0.iter().filter(meant).fold(Rights::NONE, |sum, grant| sum.with(grant.rights))
        };
        sum(false).without(sum(true))
    }

    /// The entry of an identifier.
    pub fn find(&self, who: Who, negative: bool) -> Rights {
        let found = self.0.iter().find(|grant| grant.who == who && grant.negative == negative);
        found.map_or(Rights::NONE, |grant| grant.rights)
    }

    /// Sets the entry of an identifier; without rights it goes.
    pub fn set(&mut self, grant: Grant) {
        self.0.retain(|other| other.who != grant.who || other.negative != grant.negative);
        if !grant.rights.is_empty() {
            self.0.push(grant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_and_written() {
        let rights = |letters: &str| Rights::from_letters(letters);
        assert_eq!(rights("aextkpiwsrl"), Some(Rights::ALL));
        assert_eq!(Rights::ALL.to_string(), "lrswipkxtea");
        assert_eq!(rights("lcd").unwrap().to_string(), "lkxte");
        assert_eq!(rights("lrk").unwrap().with_obsolete(), "lrkc");
        assert_eq!(rights("lr").unwrap().with_obsolete(), "lr");
        assert_eq!(rights("lz"), None);
        assert_eq!(rights(""), Some(Rights::NONE));
    }

    #[test]
    fn negative_rights_win() {
        let (anna, eve) = (UserId::from_octets([1; 12]), UserId::from_octets([2; 12]));
        let mut acl = Acl::default();
        let grant = |who, negative, letters: &str| Grant {
            who,
            negative,
            rights: Rights::from_letters(letters).unwrap(),
        };
        acl.set(grant(Who::Anyone, false, "lr"));
        acl.set(grant(Who::User(anna), false, "wi"));
        acl.set(grant(Who::User(eve), true, "r"));
        assert_eq!(acl.rights_of(anna).to_string(), "lrwi");
        assert_eq!(acl.rights_of(eve).to_string(), "l");
        acl.set(grant(Who::Anyone, false, ""));
        assert!(acl.rights_of(eve).is_empty());
        assert_eq!(acl.find(Who::User(anna), false).to_string(), "wi");
    }
}
