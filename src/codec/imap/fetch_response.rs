//! The writer of `* n FETCH (...)` (RFC 9051 §7.5.2).

use super::date_time;
use super::fetch::BodySection;
use super::gmail;
use super::response::Writer;
use crate::codec::mime::section::{Section, SectionText};
use crate::model::flag::FlagSet;
use crate::model::message::TimeMs;
use crate::model::uid::{ModSeq, SeqNum, Uid};

/// How a session's FETCH responses are written.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Style {
    /// UTF8=ACCEPT or IMAP4rev2 is enabled.
    pub utf8: bool,
    /// UIDONLY is enabled: `* uid UIDFETCH (...)` (RFC 9586 §3.3).
    pub uid_only: bool,
}

impl From<bool> for Style {
    fn from(utf8: bool) -> Self {
        Self { utf8, uid_only: false }
    }
}

/// Writes the items of one FETCH response; call [`FetchWriter::end`] at the end.
#[derive(Debug)]
pub struct FetchWriter<'a> {
    writer: Writer<'a>,
    number: SeqNum,
    uid_only: bool,
    any: bool,
}

impl<'a> FetchWriter<'a> {
    /// Begins `* n FETCH (`, or `* uid UIDFETCH (`: then `number` is the UID.
    pub fn begin(out: &'a mut Vec<u8>, style: impl Into<Style>, number: SeqNum) -> Self {
        let Style { utf8, uid_only } = style.into();
        let mut writer = Writer::new(out, utf8);
        writer.raw(b"* ").number(u64::from(number));
        writer.raw(if uid_only { b" UIDFETCH (" } else { b" FETCH (" });
        Self { writer, number, uid_only, any: false }
    }

    /// Goes on in another buffer: when a section's octets were sent between. Items were written
    /// before.
    pub fn resume(out: &'a mut Vec<u8>, style: impl Into<Style>) -> Self {
        let Style { utf8, uid_only } = style.into();
        Self { writer: Writer::new(out, utf8), number: 0, uid_only, any: true }
    }

    /// Ends the response.
    pub fn end(mut self) {
        // `msg-att` has an item at least; UIDFETCH had none where UID alone was asked for
        if !self.any && self.uid_only {
            self.writer.raw(b"UID ").number(u64::from(self.number));
        }
        self.writer.raw(b")").end_line();
    }

    fn item(&mut self, name: &str) -> &mut Writer<'a> {
        if self.any {
            self.writer.raw(b" ");
        }
        self.any = true;
        self.writer.text(name)
    }

    /// `UID n`; in UIDFETCH it is there already.
    pub fn uid(&mut self, uid: Uid) {
        if !self.uid_only {
            self.item("UID ").number(u64::from(uid));
        }
    }

    /// `FLAGS (...)`; `is_recent`: with `\Recent` (RFC 3501 §2.3.2), which is no flag of the
    /// message but of the session.
    pub fn flags(&mut self, flags: &FlagSet, is_recent: bool) {
        let recent = is_recent.then_some("\\Recent");
        self.item("FLAGS ").list_of(flags.names().chain(recent));
    }

    /// `MODSEQ (n)`
    pub fn mod_seq(&mut self, mod_seq: ModSeq) {
        self.item("MODSEQ (").number(mod_seq).raw(b")");
    }

    /// `INTERNALDATE "…"`
    pub fn internal_date(&mut self, time: TimeMs) {
        self.item("INTERNALDATE \"").text(&date_time::format(time)).raw(b"\"");
    }

    /// `SAVEDATE "…"`
    pub fn save_date(&mut self, time: TimeMs) {
        self.item("SAVEDATE \"").text(&date_time::format(time)).raw(b"\"");
    }

    /// `RFC822.SIZE n`
    pub fn rfc822_size(&mut self, octets: u64) {
        self.item("RFC822.SIZE ").number(octets);
    }

    /// `EMAILID (id)`
    pub fn email_id(&mut self, id: &str) {
        self.item("EMAILID (").text(id).raw(b")");
    }

    /// `THREADID (id)`
    pub fn thread_id(&mut self, id: &str) {
        self.item("THREADID (").text(id).raw(b")");
    }

    /// `PREVIEW string` (RFC 8970 §3.2)
    pub fn preview(&mut self, text: &str) {
        self.item("PREVIEW ").string(text.as_bytes());
    }

    /// `X-GM-MSGID n`, `X-GM-THRID n`
    pub fn gmail_number(&mut self, name: &str, number: u64) {
        self.item(name).raw(b" ").number(number);
    }

    /// `X-GM-LABELS (...)`
    pub fn gmail_labels(&mut self, flags: &FlagSet) {
        let writer = self.item("X-GM-LABELS (");
        for (index, label) in gmail::labels(flags).enumerate() {
            writer.raw(if index > 0 { b" " } else { b"" });
            writer.gmail_label(label);
        }
        writer.raw(b")");
    }

    /// `ENVELOPE`, `BODY`, `BODYSTRUCTURE`: a name and its stored wire form.
    pub fn wire_form(&mut self, name: &str, wire_form: &[u8]) {
        self.item(name).raw(b" ").raw(wire_form);
    }

    /// A string under a name such as `RFC822.HEADER`; `NIL` if none.
    pub fn named_string(&mut self, name: &str, octets: Option<&[u8]>) {
        self.item(name).raw(b" ");
        self.content(octets);
    }

    /// A literal's beginning under a name; the caller sends its octets next.
    pub fn named_literal_header(&mut self, name: &str, octets: u64) {
        self.item(name).raw(b" ").literal_header(octets);
    }

    /// `BODY[section]<offset> octets`; `NIL` if there is no such part.
    pub fn section(&mut self, section: &BodySection, octets: Option<&[u8]>) {
        self.section_name(section);
        self.content(octets);
    }

    /// `BODY[section]<offset> {n}`; the caller sends the octets next.
    pub fn section_literal_header(&mut self, section: &BodySection, octets: u64) {
        self.section_name(section);
        self.writer.literal_header(octets);
    }

    /// `BINARY[section]<offset> octets`, as literal8 only if it must be (RFC 3516 §4.2); `NIL` for
    /// no such part.
    pub fn binary(&mut self, section: &BodySection, octets: Option<&[u8]>) {
        self.section_name_of("BINARY[", section);
        if octets.is_some_and(|octets| memchr::memchr(0, octets).is_some()) {
            self.writer.raw(b"~");
        }
        self.content(octets);
    }

    /// `BINARY[section]<offset> ~{n}`; the caller sends the octets next.
    pub fn binary_literal_header(&mut self, section: &BodySection, octets: u64) {
        self.section_name_of("BINARY[", section);
        self.writer.raw(b"~").literal_header(octets);
    }

    /// `BINARY.SIZE[section] n` (RFC 3516 §4.3)
    pub fn binary_size(&mut self, path: &[u32], octets: u64) {
        let section = Section { path: path.to_vec(), text: SectionText::All };
        let body = BodySection { section, partial: None, peek: true };
        self.section_name_of("BINARY.SIZE[", &body);
        self.writer.number(octets);
    }

    /// Message text goes as literal: clients that cut the octets out of the stream count on it;
    /// empty is `""`.
    fn content(&mut self, octets: Option<&[u8]>) {
        match octets {
            Some(b"") => self.writer.raw(b"\"\""),
            Some(octets) => self.writer.literal(octets),
            None => self.writer.raw(b"NIL"),
        };
    }

    fn section_name(&mut self, body: &BodySection) {
        self.section_name_of("BODY[", body);
    }

    fn section_name_of(&mut self, name: &str, body: &BodySection) {
        self.item(name);
        let section = &body.section;
        for (index, number) in section.path.iter().enumerate() {
            self.writer.raw(if index > 0 { b"." } else { b"" }).number(u64::from(*number));
        }
        let dot: &[u8] = if section.path.is_empty() { b"" } else { b"." };
        match &section.text {
            SectionText::All => {}
            SectionText::Header => drop(self.writer.raw(dot).raw(b"HEADER")),
            SectionText::Text => drop(self.writer.raw(dot).raw(b"TEXT")),
            SectionText::Mime => drop(self.writer.raw(dot).raw(b"MIME")),
            SectionText::HeaderFields(names) => {
                self.writer.raw(dot).raw(b"HEADER.FIELDS ");
                self.names(names);
            }
            SectionText::HeaderFieldsNot(names) => {
                self.writer.raw(dot).raw(b"HEADER.FIELDS.NOT ");
                self.names(names);
            }
        }
        self.writer.raw(b"]");
        if let Some((offset, _)) = body.partial {
            self.writer.raw(b"<").number(offset).raw(b">");
        }
        self.writer.raw(b" ");
    }

    fn names(&mut self, names: &[String]) {
        for (index, name) in names.iter().enumerate() {
            self.writer.raw(if index > 0 { b" " } else { b"(" }).astring(name.as_bytes());
        }
        self.writer.raw(b")");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::mime::section::Section;
    use imap_codec::ResponseCodec;
    use imap_codec::decode::Decoder as _;

    #[test]
    fn fetch_is_read_by_a_foreign_parser() {
        let mut out = Vec::new();
        let mut fetch = FetchWriter::begin(&mut out, false, 12);
        fetch.flags(&FlagSet::from_names(["\\Seen", "$Junk"]), false);
        fetch.uid(7);
        fetch.internal_date(837_596_665_000);
        fetch.rfc822_size(4286);
        let fields = SectionText::HeaderFields(vec!["Date".into(), "X Y".into()]);
        let mut body = BodySection {
            section: Section { path: vec![1, 2], text: fields },
            partial: Some((5, 10)),
            peek: true,
        };
        fetch.section(&body, Some(b"a\r\nb"));
        body.partial = None;
        body.section = Section { path: vec![], text: SectionText::All };
        fetch.section(&body, Some(b""));
        body.section = Section { path: vec![3], text: SectionText::Mime };
        fetch.section(&body, None);
        fetch.named_string("RFC822.HEADER", Some(b"x"));
        fetch.end();
        let expected = "* 12 FETCH (FLAGS (\\Seen $Junk) UID 7 \
            INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" RFC822.SIZE 4286 \
            BODY[1.2.HEADER.FIELDS (Date \"X Y\")]<5> {4}\r\na\r\nb BODY[] \"\" BODY[3.MIME] NIL \
            RFC822.HEADER {1}\r\nx)\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        let (rest, _) = ResponseCodec::default().decode(&out).unwrap();
        assert!(rest.is_empty());
    }

    #[test]
    fn octets_may_be_sent_between() {
        let mut out = Vec::new();
        let mut fetch = FetchWriter::begin(&mut out, false, 1);
        fetch.named_literal_header("RFC822", 3);
        out.extend_from_slice(b"abc");
        let mut fetch = FetchWriter::resume(&mut out, false);
        fetch.mod_seq(9);
        fetch.end();
        assert_eq!(out, b"* 1 FETCH (RFC822 {3}\r\nabc MODSEQ (9))\r\n");
    }

    #[test]
    fn binary_is_a_literal8_only_for_nul() {
        let mut out = Vec::new();
        let mut fetch = FetchWriter::begin(&mut out, false, 2);
        let section = Section { path: vec![1, 2], text: SectionText::All };
        let mut body = BodySection { section, partial: None, peek: true };
        fetch.binary(&body, Some(b"a\r\n\xff"));
        body.partial = Some((4, 9));
        fetch.binary(&body, Some(b"a\0b"));
        body.section.path.clear();
        body.partial = None;
        fetch.binary(&body, Some(b""));
        fetch.binary(&body, None);
        fetch.binary_size(&[], 0);
        fetch.binary_size(&[3, 1], u64::from(u32::MAX) + 1);
        fetch.end();
        // RFC 3516 §4.2 and §7: the name has no PEEK, of the partial only the offset is told
        let expected = b"* 2 FETCH (BINARY[1.2] {4}\r\na\r\n\xff BINARY[1.2]<4> ~{3}\r\na\0b \
            BINARY[] \"\" BINARY[] NIL BINARY.SIZE[] 0 BINARY.SIZE[3.1] 4294967296)\r\n";
        assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn octets_of_binary_may_be_sent_between() {
        let section = Section { path: vec![2], text: SectionText::All };
        let mut body = BodySection { section, partial: Some((7, 2)), peek: false };
        let mut out = Vec::new();
        let mut fetch = FetchWriter::begin(&mut out, false, 5);
        fetch.uid(9);
        fetch.binary_literal_header(&body, 2);
        out.extend_from_slice(b"\0\xff");
        let mut fetch = FetchWriter::resume(&mut out, false);
        body.section.path.clear();
        body.partial = None;
        fetch.binary_literal_header(&body, 1);
        out.extend_from_slice(b"x");
        FetchWriter::resume(&mut out, false).end();
        // unseen octets may be NUL: always a literal8
        let expected = b"* 5 FETCH (UID 9 BINARY[2]<7> ~{2}\r\n\0\xff BINARY[] ~{1}\r\nx)\r\n";
        assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}
