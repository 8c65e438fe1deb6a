//! Every fixed bound, with its unit and reason. What two sites would set differently is in a
//! `settings.rs`.

/// Octets of one message: what the API and IMAP of compatible stores accept (64 MiB).
pub const MESSAGE_OCTETS_MAX: u64 = 64 * 1024 * 1024;
/// Octets of one IMAP command line without literals (RFC 7162 §4 asks for 8192 at least).
pub const IMAP_LINE_OCTETS_MAX: usize = 64 * 1024;
/// Octets of a literal that is not a message.
pub const IMAP_LITERAL_OCTETS_MAX: u32 = 64 * 1024;
/// Octets of all literals of one command that are not messages.
pub const IMAP_COMMAND_LITERALS_OCTETS_MAX: u64 = 1024 * 1024;
/// Octets of all literals of one APPEND or REPLACE: MULTIAPPEND (RFC 3502) has many messages.
pub const IMAP_COMMAND_MESSAGES_OCTETS_MAX: u64 = 2 * MESSAGE_OCTETS_MAX;
/// Messages of one APPEND (RFC 3502): they are one transaction.
pub const IMAP_APPEND_MESSAGES_MAX: usize = 1000;
/// Parts of one CATENATE (RFC 4469).
pub const IMAP_CATENATE_PARTS_MAX: usize = 1000;
/// Octets of message literals a command keeps in memory before the rest goes to a file.
pub const IMAP_LITERALS_MEMORY_OCTETS: u64 = 256 * 1024;
/// Octets of commands with such a file that a node has in memory at once; others wait.
pub const IMAP_LARGE_COMMANDS_OCTETS_MAX: u64 = 2 * IMAP_COMMAND_MESSAGES_OCTETS_MAX;
/// Nesting of lists and search keys.
pub const IMAP_NESTING_MAX: usize = 64;
/// Bad commands in one IMAP session before BYE.
pub const IMAP_BAD_COMMANDS_MAX: u32 = 50;
/// Octets of a POP3 command line with its line end (RFC 2449 §4).
pub const POP3_LINE_OCTETS_MAX: usize = 255;
/// Bad commands in one POP3 session before it ends.
pub const POP3_BAD_COMMANDS_MAX: u32 = 50;
/// Distinct keywords in one mailbox.
pub const KEYWORDS_MAX: usize = 1000;
/// Octets of one keyword.
pub const KEYWORD_OCTETS_MAX: usize = 255;
/// Mailboxes of one user.
pub const MAILBOXES_MAX: usize = 10_000;
/// Octets of the value of an annotation (RFC 5464 §4.3); what a literal may have.
pub const METADATA_VALUE_OCTETS_MAX: u64 = 64 * 1024;
/// Annotations of a mailbox, shared ones and its owner's private ones together; and of each other
/// user on it.
pub const METADATA_ENTRIES_MAX: u64 = 100;
/// Entries of one mailbox's access control list.
pub const ACL_ENTRIES_MAX: usize = 500;
/// Levels of a mailbox name.
pub const MAILBOX_LEVELS_MAX: usize = 128;
/// Characters of one level of a mailbox name.
pub const MAILBOX_LEVEL_CHARS_MAX: usize = 512;
/// Nesting of MIME parts; deeper ones are treated as leaves.
pub const MIME_DEPTH_MAX: usize = 64;
/// MIME parts of one message; further ones belong to the last leaf.
pub const MIME_PARTS_MAX: usize = 10_000;
/// Octets of an SMTP command line with CRLF (RFC 5321 §4.5.3.1.4, raised for SMTPUTF8 and
/// parameters).
pub const SMTP_LINE_OCTETS_MAX: usize = 8 * 1024;
/// Recipients of one SMTP transaction (RFC 5321 §4.5.3.1.8 asks for 100 at least).
pub const RECIPIENTS_MAX: usize = 1000;
/// Received lines before a message counts as looping (RFC 5321 §6.3).
pub const RECEIVED_MAX: usize = 100;
/// Messages committed by one group commit.
pub const GROUP_COMMIT_MESSAGES_MAX: usize = 256;
/// Octets committed by one group commit.
pub const GROUP_COMMIT_OCTETS_MAX: usize = 8 * 1024 * 1024;
/// Messages changed by one transaction, so that it fits the database's cache and others get a turn:
/// a command on more is several.
pub const TRANSACTION_MESSAGES_MAX: u64 = 1000;
/// Octets of one stored chunk of an attachment or skeleton; well under the database's 16 MB
/// document.
pub const CHUNK_OCTETS: usize = 1024 * 1024;
/// Base64 parts of at least this many encoded octets are externalised.
pub const ATTACHMENT_OCTETS_MIN: usize = 16 * 1024;
/// Days a `changes` document is kept; older sessions resync from the messages.
pub const CHANGES_DAYS: u64 = 30;
/// Milliseconds messages are kept in Junk and Trash unless the mailbox says otherwise (30 days).
pub const RETENTION_JUNK_MS: u64 = 30 * 86_400_000;
/// Milliseconds removed messages are kept in the archive (25 days); `const:archive:time`.
pub const ARCHIVE_MS: u64 = 25 * 86_400_000;
/// Days a thread without new messages accepts replies.
pub const THREAD_DAYS: u64 = 180;
