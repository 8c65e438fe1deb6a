//! `attachments`: decoded attachments, once in the whole store.
