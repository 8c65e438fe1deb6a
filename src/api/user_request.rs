//! What users are created from and changed by: the bodies in the description of the API.
//!
//! Requests are read by [`super::users`] through [`super::params`], which takes every spelling;
//! these
//! types are never made.

use serde_json::Value;
use utoipa::ToSchema;

/// What a user is created from.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct CreateUserRequest {
    /// Letters, digits and `-`, joined by single `.` `_` `=` `:`; may be an address.
    #[schema(min_length = 1, max_length = 128, example = "anna")]
    pub username: String,
    /// Empty or `false`: the user cannot log in.
    #[schema(max_length = 256, example = "correct horse battery staple")]
    pub password: String,
    /// The password is a hash: argon2, bcrypt or pbkdf2.
    pub hashed_password: Option<bool>,
    /// Main address; by default the username, at the store's domain if it is none.
    #[schema(example = "anna@example.com")]
    pub address: Option<String>,
    /// Create without an address.
    pub empty_address: Option<bool>,
    /// Language of the default mailboxes' names.
    #[schema(example = "en")]
    pub language: Option<String>,
    #[schema(max_length = 256, example = "Anna Example")]
    pub name: Option<String>,
    /// The password has to be replaced after the first login.
    pub require_password_change: Option<bool>,
    /// Milliseconds messages are kept; 0 is for ever.
    pub retention: Option<u64>,
    /// 0 (all is spam) to 100 (nothing is).
    pub spam_level: Option<u8>,
    /// Octets; 0 is no limit.
    #[schema(example = 1_073_741_824)]
    pub quota: Option<u64>,
    pub recipients: Option<u64>,
    pub forwards: Option<u64>,
    pub filters: Option<u64>,
    pub received_max: Option<u64>,
    pub imap_max_upload: Option<u64>,
    pub imap_max_download: Option<u64>,
    pub imap_max_connections: Option<u64>,
    pub pop3_max_download: Option<u64>,
    pub pop3_max_messages: Option<u64>,
    pub from_whitelist: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
    /// Copy the tags to the address.
    pub add_tags_to_address: Option<bool>,
    pub upload_sent_messages: Option<bool>,
    /// `imap`, `pop3`, `smtp`
    pub disabled_scopes: Option<Vec<String>>,
    /// PGP public key in armour; empty takes it away. Setting it takes the certificates away.
    pub pub_key: Option<String>,
    /// At most 16 X.509 certificates with RSA keys, PEM. Setting them takes the PGP key away.
    pub smime_certs: Option<Vec<String>>,
    /// `AES-CBC` or `AES-GCM`.
    pub smime_cipher: Option<String>,
    /// `PKCS#1 v1.5` or `OAEP`.
    pub smime_key_transport: Option<String>,
    /// What is stored for the user is encrypted with his key.
    pub encrypt_messages: Option<bool>,
    /// What is forwarded for the user is encrypted with his key.
    pub encrypt_forwarded: Option<bool>,
    /// Object of the owner.
    pub meta_data: Option<Value>,
    /// Object of the operator; users do not see it.
    pub internal_data: Option<Value>,
    /// For logs: the caller's session.
    pub sess: Option<String>,
    /// For logs: the end user's address.
    pub ip: Option<String>,
}

/// What a change of a user may hold; everything is optional.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct UpdateUserRequest {
    /// Checked if given.
    pub existing_password: Option<String>,
    /// Ends all other tokens. Empty or `false`: the user cannot log in any more.
    pub password: Option<String>,
    pub hashed_password: Option<bool>,
    pub language: Option<String>,
    pub name: Option<String>,
    pub retention: Option<u64>,
    pub spam_level: Option<u8>,
    pub quota: Option<u64>,
    pub recipients: Option<u64>,
    pub forwards: Option<u64>,
    pub filters: Option<u64>,
    pub received_max: Option<u64>,
    pub imap_max_upload: Option<u64>,
    pub imap_max_download: Option<u64>,
    pub imap_max_connections: Option<u64>,
    pub pop3_max_download: Option<u64>,
    pub pop3_max_messages: Option<u64>,
    pub from_whitelist: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
    pub upload_sent_messages: Option<bool>,
    pub disabled_scopes: Option<Vec<String>>,
    /// May neither log in nor receive.
    pub disabled: Option<bool>,
    /// May not log in.
    pub suspended: Option<bool>,
    /// PGP public key in armour; empty takes it away. Setting it takes the certificates away.
    pub pub_key: Option<String>,
    /// At most 16 X.509 certificates with RSA keys, PEM. Setting them takes the PGP key away.
    pub smime_certs: Option<Vec<String>>,
    /// `AES-CBC` or `AES-GCM`.
    pub smime_cipher: Option<String>,
    /// `PKCS#1 v1.5` or `OAEP`.
    pub smime_key_transport: Option<String>,
    /// What is stored for the user is encrypted with his key.
    pub encrypt_messages: Option<bool>,
    /// What is forwarded for the user is encrypted with his key.
    pub encrypt_forwarded: Option<bool>,
    pub meta_data: Option<Value>,
    pub internal_data: Option<Value>,
}
