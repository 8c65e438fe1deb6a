//! Parameters of SELECT and EXAMINE (RFC 7162 §3.1.8, §3.2.5, §7).

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use super::sequence_set::{self, SequenceSet};
use crate::model::uid::{ModSeq, UidValidity};

/// What stands in parentheses behind the name.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct SelectParams {
    /// `CONDSTORE`
    pub condstore: bool,
    /// `QRESYNC (...)`
    pub qresync: Option<Qresync>,
}

/// What a client knows of the mailbox from before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Qresync {
    /// The UIDVALIDITY it knows.
    pub uid_validity: UidValidity,
    /// The ModSeq up to which it knows all changes.
    pub mod_seq: ModSeq,
    /// The UIDs it knows; `None`: any.
    pub known: Option<SequenceSet>,
    /// Sequence numbers and the UIDs that had them, as many of each.
    pub matched: Option<(SequenceSet, SequenceSet)>,
}

/// `select-params = SP "(" select-param *(SP select-param) ")"`, where `select-param = condstore-param
/// / "QRESYNC" SP "(" … ")"`
pub(super) fn read_params(lexer: &mut Lexer<'_>) -> Parse<SelectParams> {
    let mut params = SelectParams::default();
    if lexer.is_at_end() {
        return Ok(params);
    }
    lexer.space()?;
    const EXPECTED: &str = "CONDSTORE or QRESYNC";
    lexer.list(|lexer| {
        match lexer.word(EXPECTED)?.as_str() {
            "CONDSTORE" => params.condstore = true,
            "QRESYNC" if params.qresync.is_none() => {
                lexer.space()?;
                params.qresync = Some(read_qresync(lexer)?);
            }
            _ => return Err(ErrorKind::Syntax(EXPECTED)),
        }
        Ok(())
    })?;
    Ok(params)
}

/// `"(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`, where
/// `known-uids = sequence-set` and `seq-match-data = "(" known-sequence-set SP known-uid-set ")"`,
/// all three without `*`.
fn read_qresync(lexer: &mut Lexer<'_>) -> Parse<Qresync> {
    lexer.expect(b'(', "an opening parenthesis")?;
    let uid_validity = lexer.nz_number()?;
    lexer.space()?;
    let mod_seq = lexer.number64()?;
    let mut qresync = Qresync { uid_validity, mod_seq, known: None, matched: None };
    if lexer.eat(b' ') {
        if lexer.peek() != Some(b'(') {
            qresync.known = Some(read_numbers(lexer)?);
        }
        if qresync.known.is_none() || lexer.eat(b' ') {
            lexer.expect(b'(', "an opening parenthesis")?;
            let numbers = read_numbers(lexer)?;
            lexer.space()?;
            qresync.matched = Some((numbers, read_numbers(lexer)?));
            lexer.expect(b')', "a closing parenthesis")?;
        }
    }
    lexer.expect(b')', "a closing parenthesis")?;
    Ok(qresync)
}

/// A `sequence-set` of numbers alone.
fn read_numbers(lexer: &mut Lexer<'_>) -> Parse<SequenceSet> {
    let set = sequence_set::read(lexer)?;
    if set == SequenceSet::SavedResult || set.names_largest() {
        return Err(ErrorKind::Syntax("a sequence set without * and $"));
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn read(text: &'static str) -> Parse<SelectParams> {
        let source = Bytes::from_static(text.as_bytes());
        let mut lexer = Lexer::new(&source, false);
        let params = read_params(&mut lexer)?;
        lexer.end().map(|()| params)
    }

    #[test]
    fn examples_of_rfc_7162() {
        let qresync = |text| read(text).unwrap().qresync.unwrap();
        let text = |set: &Option<SequenceSet>| set.as_ref().map(|s| s.resolve(0).to_string());
        // RFC 7162 §3.2.5.1, §3.2.5.2
        let plain = qresync(" (QRESYNC (67890007 20050715194045000 41,43:211,214:541))");
        assert_eq!((plain.uid_validity, plain.mod_seq), (67_890_007, 20_050_715_194_045_000));
        assert_eq!(text(&plain.known).as_deref(), Some("41,43:211,214:541"));
        let both = qresync(
            " (CONDSTORE QRESYNC (67890007 90060115194045000 41:211,214:541 \
             (1,3,5 41,43,45)))",
        );
        let (numbers, uids) = both.matched.unwrap();
        assert_eq!((numbers.resolve(0).len(), uids.resolve(0).to_string()), (3, "41,43,45".into()));
        assert_eq!(qresync(" (QRESYNC (1 2 (1 2)))").known, None);
        assert_eq!(qresync(" (QRESYNC (1 2))").matched, None);
        assert!(read(" (CONDSTORE)").unwrap().condstore && read("").unwrap().qresync.is_none());
    }

    #[test]
    fn other_parameters_are_refused() {
        for bad in [
            " (QRESYNC)",
            " (QRESYNC ())",
            " (QRESYNC (1))",
            " (QRESYNC (0 1))",
            " (QRESYNC (1 9223372036854775808))",
            " (QRESYNC (1 2 *))",
            " (QRESYNC (1 2 $))",
            " (QRESYNC (1 2 1:*))",
            " (QRESYNC (1 2 3 (1)))",
            " (QRESYNC (1 2 3 (1 *)))",
            " (QRESYNC (1 2 (1 2) 3))",
            " (QRESYNC (1 2)(3 4))",
            " (QRESYNC (1 2) QRESYNC (1 2))",
            " (QRESYNC (1 2)",
            " (XYZ)",
            " QRESYNC",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
