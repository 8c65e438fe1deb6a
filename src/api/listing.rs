//! What the listings of all users and of all addresses have in common.

use super::access::{Caller, Grant, Reach, Resource};
use super::page::PageRequest;
use super::params::Params;
use super::problem::Problem;
use crate::model::id::UserId;

/// The parameters both listings know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// Any of these, in the form filters compare.
    pub tags: Vec<String>,
    /// All of these.
    pub required_tags: Vec<String>,
    /// `metaData` is shown.
    pub with_meta: bool,
    /// `internalData` is shown to those who may see it.
    pub with_internal: bool,
    /// Which page.
    pub page: PageRequest,
}

impl Listing {
    /// Reads the parameters; mistakes are told when they are finished.
    pub fn read(p: &mut Params) -> Self {
        Self {
            tags: tag_filter(p, "tags"),
            required_tags: tag_filter(p, "requiredTags"),
            with_meta: p.boolean("metaData").or(false),
            with_internal: p.boolean("internalData").or(false),
            page: p.page(),
        }
    }
}

/// The only user whose rows the caller may list; `None`: all.
pub fn own_only(caller: &Caller, resource: Resource) -> Result<Option<UserId>, Problem> {
    match caller.reach(resource, Grant::Read) {
        Reach::Any => Ok(None),
        Reach::Own if caller.user().is_some() => Ok(caller.user()),
        Reach::Own | Reach::None => Err(Problem::missing_privileges()),
    }
}

/// A comma list of tags, in the form filters compare.
fn tag_filter(p: &mut Params, name: &str) -> Vec<String> {
    let text = p.text(name, 1024).or(String::new());
    let tags = text.split(',').map(|tag| tag.trim().to_lowercase());
    tags.filter(|tag| !tag.is_empty()).collect()
}
