//! Writes commands as a client would: the other half of "octets, value, octets, same value".
//!
//! Commands it does not know are `None`; they are read by the fuzz targets all the same.

use eider::codec::imap::append::{AppendData, AppendMessage, CatPart, Literal};
use eider::codec::imap::command::{Command, Tagged};
use eider::codec::imap::date_time;
use eider::codec::imap::fetch::{BodySection, Fetch, FetchItem};
use eider::codec::imap::mailbox_name;
use eider::codec::imap::search_return::Partial;
use eider::codec::imap::sequence_set::{SeqBound, SequenceSet};
use eider::codec::imap::store::Store;
use eider::codec::imap::urlauth::UrlAsked;
use eider::codec::mime::section::SectionText;
use eider::model::flag::{FlagChange, FlagSet};

/// The octets of a command without its line end.
pub fn write(tagged: &Tagged, utf8: bool) -> Option<Vec<u8>> {
    let mut out = Out { octets: tagged.tag.clone().into_bytes(), utf8 };
    out.raw(b" ");
    out.command(&tagged.command)?;
    Some(out.octets)
}

struct Out {
    octets: Vec<u8>,
    utf8: bool,
}

impl Out {
    fn raw(&mut self, octets: &[u8]) -> &mut Self {
        self.octets.extend_from_slice(octets);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.raw(text.as_bytes())
    }

    /// Always a literal: any octets may be in it.
    fn string(&mut self, octets: &[u8]) -> &mut Self {
        self.text(&format!("{{{}+}}\r\n", octets.len())).raw(octets)
    }

    fn mailbox(&mut self, name: &str) -> &mut Self {
        if self.utf8 {
            return self.string(name.as_bytes());
        }
        let name = mailbox_name::encode(name);
        self.string(name.as_bytes())
    }

    fn command(&mut self, command: &Command) -> Option<()> {
        match command {
            Command::Capability => self.text("CAPABILITY"),
            Command::Noop => self.text("noop"),
            Command::Logout => self.text("LOGOUT"),
            Command::Starttls => self.text("STARTTLS"),
            Command::Namespace => self.text("NAMESPACE"),
            Command::Idle => self.text("IDLE"),
            Command::Close => self.text("CLOSE"),
            Command::Unselect => self.text("UNSELECT"),
            Command::Check => self.text("CHECK"),
            Command::Expunge => self.text("EXPUNGE"),
            Command::UidExpunge(set) => self.text("UID EXPUNGE ").set(set),
            Command::Login { user, password } => {
                self.text("LOGIN ").string(user.as_bytes()).raw(b" ").string(password.as_bytes())
            }
            Command::Delete(name) => self.text("DELETE ").mailbox(name),
            Command::Subscribe(name) => self.text("SUBSCRIBE ").mailbox(name),
            Command::Unsubscribe(name) => self.text("UNSUBSCRIBE ").mailbox(name),
            Command::Rename { from, to } => {
                self.text("RENAME ").mailbox(from).raw(b" ").mailbox(to)
            }
            Command::Lsub { reference, pattern } => {
                self.text("LSUB ").mailbox(reference).raw(b" ").mailbox(pattern)
            }
            Command::Status { mailbox, items } => {
                self.text("STATUS ").mailbox(mailbox).raw(b" (");
                let names: Vec<&str> = items.iter().map(|item| item.name()).collect();
                self.text(&names.join(" ")).raw(b")")
            }
            Command::Copy { uid, set, mailbox } => {
                self.text(if *uid { "UID COPY " } else { "COPY " }).set(set).raw(b" ");
                self.mailbox(mailbox)
            }
            Command::Move { uid, set, mailbox } => {
                self.text(if *uid { "UID MOVE " } else { "MOVE " }).set(set).raw(b" ");
                self.mailbox(mailbox)
            }
            Command::Append(append) => {
                self.text("APPEND ").mailbox(&append.mailbox);
                append.messages.iter().for_each(|message| self.message(message));
                self
            }
            Command::Replace(replace) => {
                self.text(if replace.uid { "UID REPLACE " } else { "REPLACE " });
                let number = replace.number.map_or("*".to_owned(), |number| number.to_string());
                self.text(&number).raw(b" ").mailbox(&replace.mailbox);
                self.message(&replace.message);
                self
            }
            Command::UrlFetch(urls) => return self.url_fetch(urls),
            Command::GenUrlAuth(asked) => {
                self.text("GENURLAUTH");
                for (url, mechanism) in asked {
                    self.raw(b" ").string(url.as_bytes()).raw(b" ").text(mechanism);
                }
                self
            }
            Command::ResetKey(Some(mailbox)) => self.text("RESETKEY ").mailbox(mailbox),
            Command::ResetKey(None) => self.text("RESETKEY"),
            Command::Store(store) => return self.store(store),
            Command::Fetch(fetch) => return self.fetch(fetch),
            _ => return None,
        };
        Some(())
    }

    fn url_fetch(&mut self, urls: &[UrlAsked]) -> Option<()> {
        self.text("URLFETCH");
        for asked in urls {
            let Some(wanted) = asked.wanted else {
                self.raw(b" ").string(asked.url.as_bytes());
                continue;
            };
            self.raw(b" (").string(asked.url.as_bytes());
            self.text(if wanted.structure { " BODYPARTSTRUCTURE" } else { "" });
            self.text(if wanted.body { " BODY" } else { "" });
            self.text(if wanted.binary { " BINARY)" } else { ")" });
        }
        Some(())
    }

    fn set(&mut self, set: &SequenceSet) -> &mut Self {
        let SequenceSet::Ranges(ranges) = set else { return self.text("$") };
        let end = |bound: &SeqBound| match bound {
            SeqBound::Number(number) => number.to_string(),
            SeqBound::Largest => "*".to_owned(),
        };
        let written: Vec<String> =
            ranges.iter().map(|(from, to)| format!("{}:{}", end(from), end(to))).collect();
        self.text(&written.join(","))
    }

    fn flags(&mut self, flags: &FlagSet) -> &mut Self {
        let names: Vec<&str> = flags.names().collect();
        self.raw(b"(").text(&names.join(" ")).raw(b")")
    }

    fn message(&mut self, message: &AppendMessage) {
        self.raw(b" ").flags(&message.flags);
        if let Some(date) = message.date {
            self.text(&format!(" \"{}\"", date_time::format(date)));
        }
        match &message.data {
            AppendData::Literal(literal) => self.literal(literal),
            AppendData::Catenate(parts) => {
                self.text(" CATENATE (");
                for (index, part) in parts.iter().enumerate() {
                    self.raw(if index > 0 { b" " } else { b"" });
                    match part {
                        CatPart::Url(url) => drop(self.text("URL ").string(url.as_bytes())),
                        CatPart::Text(literal) if literal.utf8 => {
                            self.text("UTF8 (~").string(&literal.octets).raw(b")");
                        }
                        CatPart::Text(literal) => {
                            self.text("TEXT ~").string(&literal.octets);
                        }
                    }
                }
                self.raw(b")");
            }
        }
    }

    fn literal(&mut self, literal: &Literal) {
        if literal.utf8 {
            self.text(" UTF8 (~").string(&literal.octets).raw(b")");
        } else {
            self.text(" ~").string(&literal.octets);
        }
    }

    fn store(&mut self, store: &Store) -> Option<()> {
        // labels are flags by then, in other words
        if store.is_labels {
            return None;
        }
        let (sign, flags) = match &store.change {
            FlagChange::Add(flags) => ("+", flags),
            FlagChange::Remove(flags) => ("-", flags),
            FlagChange::Replace(flags) => ("", flags),
            FlagChange::ReplaceWithin(..) => return None,
        };
        self.text(if store.uid { "UID STORE " } else { "STORE " }).set(&store.set);
        if let Some(since) = store.unchanged_since {
            self.text(&format!(" (UNCHANGEDSINCE {since})"));
        }
        let silent = if store.silent { ".SILENT" } else { "" };
        self.text(&format!(" {sign}FLAGS{silent} ")).flags(flags);
        Some(())
    }

    fn fetch(&mut self, fetch: &Fetch) -> Option<()> {
        self.text(if fetch.uid { "UID FETCH " } else { "FETCH " }).set(&fetch.set).raw(b" (");
        for (index, item) in fetch.items.iter().enumerate() {
            self.raw(if index > 0 { b" " } else { b"" });
            self.item(item)?;
        }
        self.raw(b")");
        let mut modifiers = Vec::new();
        modifiers.extend(fetch.changed_since.map(|since| format!("CHANGEDSINCE {since}")));
        modifiers.extend(fetch.vanished.then(|| "VANISHED".to_owned()));
        modifiers.extend(fetch.partial.map(|Partial { from, to, from_end }| {
            let sign = if from_end { "-" } else { "" };
            format!("PARTIAL {sign}{from}:{sign}{to}")
        }));
        if !modifiers.is_empty() {
            self.text(&format!(" ({})", modifiers.join(" ")));
        }
        Some(())
    }

    fn item(&mut self, item: &FetchItem) -> Option<()> {
        let peek = |body: &BodySection| if body.peek { ".PEEK" } else { "" };
        let name = match item {
            FetchItem::Section(body) => {
                self.text(&format!("BODY{}[", peek(body))).section(body);
                return Some(());
            }
            FetchItem::Binary(body) => {
                self.text(&format!("BINARY{}[", peek(body))).section(body);
                return Some(());
            }
            FetchItem::BinarySize(path) => {
                let numbers: Vec<String> = path.iter().map(u32::to_string).collect();
                self.text(&format!("BINARY.SIZE[{}]", numbers.join(".")));
                return Some(());
            }
            FetchItem::Flags => "FLAGS",
            FetchItem::Uid => "UID",
            FetchItem::InternalDate => "INTERNALDATE",
            FetchItem::Rfc822Size => "RFC822.SIZE",
            FetchItem::Envelope => "ENVELOPE",
            FetchItem::Body => "BODY",
            FetchItem::BodyStructure => "BODYSTRUCTURE",
            FetchItem::Rfc822 => "RFC822",
            FetchItem::Rfc822Header => "RFC822.HEADER",
            FetchItem::Rfc822Text => "RFC822.TEXT",
            FetchItem::ModSeq => "MODSEQ",
            FetchItem::EmailId => "EMAILID",
            FetchItem::ThreadId => "THREADID",
            FetchItem::SaveDate => "SAVEDATE",
            FetchItem::Preview => "PREVIEW",
            FetchItem::GmailMessage => "X-GM-MSGID",
            FetchItem::GmailThread => "X-GM-THRID",
            FetchItem::GmailLabels => "X-GM-LABELS",
        };
        self.text(name);
        Some(())
    }

    fn section(&mut self, body: &BodySection) {
        let numbers: Vec<String> = body.section.path.iter().map(u32::to_string).collect();
        self.text(&numbers.join("."));
        let (name, fields) = match &body.section.text {
            SectionText::All => ("", None),
            SectionText::Header => ("HEADER", None),
            SectionText::Text => ("TEXT", None),
            SectionText::Mime => ("MIME", None),
            SectionText::HeaderFields(names) => ("HEADER.FIELDS", Some(names)),
            SectionText::HeaderFieldsNot(names) => ("HEADER.FIELDS.NOT", Some(names)),
        };
        if !name.is_empty() && !numbers.is_empty() {
            self.raw(b".");
        }
        self.text(name);
        for (index, field) in fields.into_iter().flatten().enumerate() {
            self.raw(if index == 0 { b" (" } else { b" " }).string(field.as_bytes());
        }
        self.raw(if fields.is_some() { b")]" } else { b"]" });
        if let Some((offset, count)) = body.partial {
            self.text(&format!("<{offset}.{count}>"));
        }
    }
}
