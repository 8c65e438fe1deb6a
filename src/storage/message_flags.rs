//! Flag changes of messages as update operators: one statement per chunk of UIDs, whatever the
//! messages' flags are.

use crate::model::flag::{Flag, FlagChange, FlagSet};
use crate::model::uid::ModSeq;
use crate::storage::field::int;
use bson::{Document, doc};

/// The operators of a change, for [`super::messages::update`]. `unseen` follows `\Seen` (see
/// `record::message`).
/// `spellings`: further spellings of keywords that a removal takes away.
pub fn operators(change: &FlagChange, spellings: &[String], mod_seq: ModSeq) -> Document {
    let mut set = doc! { "mod_seq": int(mod_seq) };
    let mut operators = Document::new();
    match change {
        FlagChange::Add(flags) => {
            if flags.system != 0 {
                operators.insert("$bit", doc! { "flags": { "or": i32::from(flags.system) } });
            }
            if flags.has(Flag::Seen) {
                operators.insert("$unset", doc! { "unseen": "" });
            }
            if !flags.keywords().is_empty() {
                let keywords = doc! { "kw": { "$each": flags.keywords() } };
                operators.insert("$addToSet", keywords);
            }
        }
        FlagChange::Remove(flags) => {
            if flags.system != 0 {
                let kept = !i32::from(flags.system);
                operators.insert("$bit", doc! { "flags": { "and": kept } });
            }
            if flags.has(Flag::Seen) {
                set.insert("unseen", true);
            }
            if !flags.keywords().is_empty() {
                let keywords = [flags.keywords(), spellings].concat();
                operators.insert("$pull", doc! { "kw": { "$in": keywords } });
            }
        }
        // within a mask: the caller has found out the whole set
        FlagChange::Replace(flags) | FlagChange::ReplaceWithin(flags, _) => {
            replace(flags, &mut set, &mut operators)
        }
    }
    operators.insert("$set", set);
    operators
}

fn replace(flags: &FlagSet, set: &mut Document, operators: &mut Document) {
    set.insert("flags", i32::from(flags.system));
    let mut unset = Document::new();
    if flags.has(Flag::Seen) {
        unset.insert("unseen", "");
    } else {
        set.insert("unseen", true);
    }
    if flags.keywords().is_empty() {
        unset.insert("kw", "");
    } else {
        set.insert("kw", flags.keywords());
    }
    if !unset.is_empty() {
        operators.insert("$unset", unset);
    }
}
