//! Which addresses of this machine mail leaves from: `[[mta.pools]]` by its sender's domain, his
//! tags, its next hop, or a field in its header.

use super::Context;
use super::settings::{Pool, is_in};
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::queue::Entry;
use std::collections::HashMap;

/// Tags of users.
pub type Tags = HashMap<UserId, Vec<String>>;

/// The tags of the entries' users, if a pool asks for some: one round trip a user.
///
/// # Errors
/// `Unavailable`.
pub async fn tags(ctx: &Context, entries: &[Entry]) -> Result<Tags> {
    let mut tags = Tags::new();
    if ctx.settings.pools.iter().all(|pool| pool.tags.is_empty()) {
        return Ok(tags);
    }
    for user in entries.iter().filter_map(|entry| entry.user) {
        if tags.contains_key(&user) {
            continue;
        }
        let of_user = match ctx.directory.load_user(user).await {
            Ok(profile) => profile.tags,
            Err(Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        tags.insert(user, of_user);
    }
    Ok(tags)
}

/// The first pool an entry belongs to.
pub fn find<'a>(pools: &'a [Pool], entry: &Entry, tags: &Tags) -> Option<&'a Pool> {
    let own: &[String] = entry.user.and_then(|user| tags.get(&user)).map_or(&[], Vec::as_slice);
    pools.iter().find(|pool| {
        let is_tagged = |wanted: &String| own.iter().any(|tag| tag.eq_ignore_ascii_case(wanted));
        is_in(&pool.senders, &entry.sender)
            && is_in(&pool.recipients, &entry.recipient)
            && (pool.tags.is_empty() || pool.tags.iter().any(is_tagged))
            && (!pool.by_header || entry.options.zone.as_deref() == Some(pool.name.as_str()))
    })
}
