//! Result options of SEARCH, SORT and ESEARCH (RFC 4731 §3.1, RFC 5182, RFC 5267 §4, RFC 6203 §4,
//! RFC 9394), and what they choose of a result.

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};

/// Result options; `RETURN ()` is ALL.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SearchReturn {
    /// `MIN`
    pub min: bool,
    /// `MAX`
    pub max: bool,
    /// `ALL`
    pub all: bool,
    /// `COUNT`
    pub count: bool,
    /// `SAVE` (RFC 5182)
    pub save: bool,
    /// `PARTIAL` (RFC 5267 §4.4, RFC 9394 §3.1)
    pub partial: Option<Partial>,
    /// `RELEVANCY` (RFC 6203 §4)
    pub relevancy: bool,
    /// `UPDATE` (RFC 5267 §4.3)
    pub update: bool,
    /// `CONTEXT` (RFC 5267 §4.2): a hint that nothing here needs.
    pub context: bool,
}

impl SearchReturn {
    /// `RETURN (ALL)`
    pub const ALL: Self = Self {
        min: false,
        max: false,
        all: true,
        count: false,
        save: false,
        partial: None,
        relevancy: false,
        update: false,
        context: false,
    };

    /// Whether an ESEARCH response has anything to say.
    pub const fn tells(self) -> bool {
        self.min || self.max || self.all || self.count || self.relevancy || self.partial.is_some()
    }
}

/// A window into a result: places from 1, counted from its start or its end (RFC 9394 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Partial {
    /// The lower number.
    pub from: u32,
    /// The higher one.
    pub to: u32,
    /// With `-`: counted from the end.
    pub from_end: bool,
}

impl Partial {
    /// The half-open range of places from 0 in a result of that many.
    pub fn of(self, count: usize) -> std::ops::Range<usize> {
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).min(count + 1);
        let (low, high) = (place(self.from), place(self.to));
        let (low, high) = (low.saturating_sub(1).min(count), high.min(count));
        if self.from_end { count - high..count - low } else { low..high }
    }
}

/// `search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"`, from
/// behind the word.
pub(super) fn read(lexer: &mut Lexer<'_>) -> Parse<SearchReturn> {
    let mut returns = SearchReturn::default();
    let options = lexer.list(|lexer| {
        let word = lexer.word("a result option")?;
        match word.as_str() {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            "SAVE" => returns.save = true,
            "RELEVANCY" => returns.relevancy = true,
            "UPDATE" => returns.update = true,
            "CONTEXT" => returns.context = true,
            "PARTIAL" if returns.partial.is_none() => {
                lexer.space()?;
                returns.partial = Some(read_partial(lexer)?);
            }
            _ => return Err(ErrorKind::Syntax("a result option")),
        }
        Ok(word)
    })?;
    // RFC 9394 §3.1: one PARTIAL, one ALL, or neither
    if returns.all && returns.partial.is_some() {
        return Err(ErrorKind::Syntax("either ALL or PARTIAL"));
    }
    // RFC 4731 §3.1: an empty list asks for ALL. The RFCs of UPDATE and CONTEXT say nothing of a
    // list that has these alone; a client that gets the start of what is updated is served best.
    if options.is_empty() || !returns.tells() && !returns.save {
        returns.all = true;
    }
    Ok(returns)
}

/// `partial-range = partial-range-first / partial-range-last`, where `partial-range-first =
/// nz-number ":" nz-number` and `partial-range-last = MINUS nz-number ":" MINUS nz-number`
pub(super) fn read_partial(lexer: &mut Lexer<'_>) -> Parse<Partial> {
    let from_end = lexer.eat(b'-');
    let from = lexer.nz_number()?;
    lexer.expect(b':', "a colon in a range")?;
    if from_end {
        lexer.expect(b'-', "a minus sign at both ends of the range")?;
    }
    let to = lexer.nz_number()?;
    // RFC 5267 §5: 500:400 is the same as 400:500
    Ok(Partial { from: from.min(to), to: from.max(to), from_end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn parse(text: &'static str) -> Parse<SearchReturn> {
        let source = Bytes::from_static(text.as_bytes());
        let mut lexer = Lexer::new(&source, false);
        let returns = read(&mut lexer)?;
        lexer.end().map(|()| returns)
    }

    #[test]
    fn options() {
        assert_eq!(parse("()"), Ok(SearchReturn::ALL));
        assert_eq!(parse("(ALL)"), Ok(SearchReturn::ALL));
        let partial = Partial { from: 1, to: 100, from_end: true };
        let returns = parse("(COUNT PARTIAL -1:-100 UPDATE CONTEXT RELEVANCY)").unwrap();
        assert_eq!(returns.partial, Some(partial));
        assert!(returns.count && returns.update && returns.context && returns.relevancy);
        assert!(!returns.all && parse("(UPDATE)").unwrap().all);
        assert!(!parse("(SAVE)").unwrap().all);
        for bad in [
            "(PARTIAL)",
            "(PARTIAL 1:*)",
            "(PARTIAL 0:1)",
            "(PARTIAL 1)",
            "(PARTIAL -1:2)",
            "(PARTIAL 1:-2)",
            "(PARTIAL 1:2 ALL)",
            "(PARTIAL 1:2 PARTIAL 3:4)",
            "(MINIMUM)",
            "ALL",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn windows() {
        let window = |from, to, from_end| Partial { from, to, from_end }.of(10);
        assert_eq!(window(1, 3, false), 0..3);
        assert_eq!(window(9, 20, false), 8..10);
        assert_eq!(window(1, 3, true), 7..10);
        assert_eq!(window(8, 20, true), 0..3);
        assert!(window(11, 20, false).is_empty() && window(11, u32::MAX, true).is_empty());
        assert!(Partial { from: 1, to: 5, from_end: true }.of(0).is_empty());
    }
}
