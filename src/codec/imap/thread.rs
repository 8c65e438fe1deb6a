//! THREAD and UID THREAD (RFC 5256 §3), and the writing of threads (§4).

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use super::response::Writer;
use super::search::{self, SearchKey};

/// THREAD or UID THREAD.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thread {
    /// UID THREAD: answered with UIDs.
    pub uid: bool,
    /// How threads are made.
    pub algorithm: Algorithm,
    /// Of which messages.
    pub key: SearchKey,
}

/// How messages are gathered in threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// `ORDEREDSUBJECT`
    OrderedSubject,
    /// `REFERENCES`
    References,
    /// `REFS` (draft-ietf-morg-inthread)
    Refs,
}

/// `thread = "THREAD" SP thread-alg SP search-criteria`, from behind the name.
pub(super) fn read(lexer: &mut Lexer<'_>, uid: bool) -> Parse<Thread> {
    lexer.space()?;
    let algorithm = match lexer.word("a threading algorithm")?.as_str() {
        "ORDEREDSUBJECT" => Algorithm::OrderedSubject,
        "REFERENCES" => Algorithm::References,
        "REFS" => Algorithm::Refs,
        _ => return Err(ErrorKind::Syntax("ORDEREDSUBJECT, REFERENCES or REFS")),
    };
    lexer.space()?;
    Ok(Thread { uid, algorithm, key: search::read_criteria(lexer)? })
}

/// A message among others in threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its sequence number or UID; 0 for a message that is not there.
    pub number: u32,
    /// How many messages stand above it.
    pub depth: u32,
    /// Messages directly below it.
    pub children: u32,
}

impl Writer<'_> {
    /// `* THREAD` without its line end; places follow.
    pub fn begin_thread(&mut self) -> &mut Self {
        self.raw(b"* THREAD")
    }

    /// One message with what stands between it and the one `before` it, in depth-first order.
    ///
    /// `thread-members = nz-number *(SP nz-number) [SP thread-nested]`, where
    /// `thread-nested = 2*thread-list` (RFC 5256 §5)
    pub fn thread_place(&mut self, threads: &mut ThreadsWritten, place: Place) -> &mut Self {
        let opens = threads.enter(place.depth);
        for _ in 0..opens.closed {
            self.raw(b")");
        }
        if place.depth == 0 {
            self.raw(if threads.is_first { b" (" } else { b"(" });
        } else if opens.is_branch {
            // RFC 5256 §5: a space before the first of several lists that follow a number
            self.raw(if opens.is_after_number { b" (" } else { b"(" });
        } else if threads.has_number {
            self.raw(b" ");
        }
        threads.is_first = false;
        if place.number > 0 {
            self.number(u64::from(place.number));
        }
        threads.stack.push(place.children > 1);
        threads.has_number = place.number > 0;
        self
    }

    /// The end of the response.
    pub fn end_thread(&mut self, threads: &mut ThreadsWritten) -> &mut Self {
        for _ in 0..threads.enter(0).closed {
            self.raw(b")");
        }
        self.end_line()
    }
}

/// Where the writing of threads has come to.
#[derive(Clone, Debug)]
pub struct ThreadsWritten {
    /// The messages from the root to the last written one: whether each has several below it.
    stack: Vec<bool>,
    is_first: bool,
    has_number: bool,
}

impl Default for ThreadsWritten {
    fn default() -> Self {
        Self { stack: Vec::new(), is_first: true, has_number: false }
    }
}

struct Step {
    closed: usize,
    is_branch: bool,
    is_after_number: bool,
}

impl ThreadsWritten {
    /// Goes up to where a message of that depth belongs.
    fn enter(&mut self, depth: u32) -> Step {
        let depth = usize::try_from(depth).unwrap_or(usize::MAX);
        let went_up = self.stack.len() > depth;
        let mut closed = 0;
        while self.stack.len() > depth {
            self.stack.pop();
            // a list is open for each root and for each child of a message that has several
            closed += usize::from(self.stack.last().copied().unwrap_or(true));
        }
        let is_branch = self.stack.last().copied().unwrap_or(false);
        Step { closed, is_branch, is_after_number: is_branch && !went_up && self.has_number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(places: &[(u32, u32, u32)]) -> String {
        let (mut out, mut threads) = (Vec::new(), ThreadsWritten::default());
        let mut writer = Writer::new(&mut out, false);
        writer.begin_thread();
        for (number, depth, children) in places {
            let place = Place { number: *number, depth: *depth, children: *children };
            writer.thread_place(&mut threads, place);
        }
        writer.end_thread(&mut threads);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn responses_of_rfc_5256() {
        // RFC 5256 §4, THREAD response
        let first = [(2, 0, 0), (3, 0, 1), (6, 1, 2), (4, 2, 1), (23, 3, 0), (44, 2, 1), (7, 3, 1)];
        let mut places = first.to_vec();
        places.push((96, 4, 0));
        assert_eq!(written(&places), "* THREAD (2)(3 6 (4 23)(44 7 96))\r\n");
        assert_eq!(written(&[(0, 0, 2), (3, 1, 0), (5, 1, 0)]), "* THREAD ((3)(5))\r\n");
        assert_eq!(written(&[]), "* THREAD\r\n");
        let deep = [(1, 0, 2), (2, 1, 2), (3, 2, 0), (4, 2, 0), (5, 1, 0), (6, 0, 0)];
        assert_eq!(written(&deep), "* THREAD (1 (2 (3)(4))(5))(6)\r\n");
        let nested = [(0, 0, 2), (1, 1, 1), (2, 2, 0), (3, 1, 2), (4, 2, 0), (5, 2, 0)];
        assert_eq!(written(&nested), "* THREAD ((1 2)(3 (4)(5)))\r\n");
    }
}
