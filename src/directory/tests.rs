//! Users and addresses against a database.

use super::Directory;
use super::address::{AddressFilter, NewAddress};
use super::user::{Around, NewPassword, NewUser, NewUserAddress, UserFilter};
use crate::auth::Authenticator;
use crate::auth::authenticate::Protocol;
use crate::auth::password::Passwords;
use crate::auth::token::{Lifetime, Tokens};
use crate::clock::Clock;
use crate::mailstore::Mailstore;
use crate::model::address::EmailAddress;
use crate::model::error::Error;
use crate::model::filter::Autoreply;
use crate::model::profile::{AddressUpdate, ProfileUpdate, UserNumber};
use crate::storage::{Storage, autoreplies};
use crate::tasks::Tasks;
use std::net::{IpAddr, Ipv4Addr};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Store {
    storage: Storage,
    clock: Clock,
    directory: Directory,
    authenticator: Authenticator,
    tokens: Tokens,
}

impl Store {
    /// A store in a database of its own; `None` when no database is given.
    #[expect(clippy::disallowed_methods, reason = "tests are told their database so")]
    async fn start(name: &str) -> Option<Self> {
        let uri = std::env::var("EIDER_TEST_MONGODB_URI").ok()?;
        let database = format!("eider_directory_{name}_{:08x}", rand::random::<u32>());
        let storage = Storage::connect(&uri, &database).await.unwrap();
        let clock = Clock::default();
        let tasks = Tasks::new();
        let mailstore = Mailstore::new(storage.clone(), clock.clone(), tasks.clone());
        let passwords = Passwords::new(clock.clone());
        let authenticator =
            Authenticator::new(storage.clone(), passwords.clone(), clock.clone(), tasks);
        let lifetime = Lifetime { ttl_s: 7200, lifetime_s: 36_000 };
        let tokens = Tokens::new(storage.clone(), clock.clone(), lifetime);
        let directory = Directory::new(storage.clone(), mailstore, passwords, clock.clone())
            .with_email_domain("example.com");
        Some(Self { storage, clock, directory, authenticator, tokens })
    }

    async fn log_in(&self, name: &str, password: &str) -> Result<(), Error> {
        let login = self.authenticator.authenticate(name, password, Protocol::Imap, PEER).await;
        login.map(|_| ())
    }

    async fn recipient(&self, address: &str) -> Option<String> {
        let address = EmailAddress::new(address).unwrap();
        let user = self.directory.resolve_recipient(&address).await.unwrap();
        user.map(|user| user.username)
    }
}

fn plain(name: &str) -> NewUser {
    NewUser::new(name, NewPassword::Plain("correct horse".into()))
}

#[tokio::test]
async fn users_are_created_once_log_in_and_receive() {
    let Some(store) = Store::start("users").await else { return };
    let directory = &store.directory;
    let anna = directory.create_user(plain("An.Na")).await.unwrap();
    let profile = directory.load_user(anna).await.unwrap();
    assert_eq!(
        (profile.user.username.as_str(), profile.user.address.as_str()),
        ("an.na", "an.na@example.com")
    );
    assert_eq!(profile.number(UserNumber::SpamLevel), 50);
    let mailboxes = directory.mailstore.list_mailboxes(anna).await.unwrap();
    assert_eq!(mailboxes.len(), 5);

    let again = directory.create_user(plain("anna")).await;
    assert!(matches!(again, Err(Error::AlreadyExists { what: "user" })), "{again:?}");
    let mut other = plain("berta");
    other.address = NewUserAddress::Given("a.nna@EXAMPLE.com".into());
    let taken = directory.create_user(other).await;
    assert!(matches!(taken, Err(Error::AlreadyExists { what: "address" })), "{taken:?}");

    for name in ["anna", "AN.NA", "anna@example.com"] {
        store.log_in(name, "correct horse").await.unwrap();
    }
    for (name, password) in [("anna", "wrong"), ("nobody", "x"), ("anna", "")] {
        assert!(matches!(store.log_in(name, password).await, Err(Error::Unauthenticated)));
    }
    assert_eq!(store.recipient("an.na+news@example.com").await.as_deref(), Some("an.na"));
    assert_eq!(store.recipient("nobody@example.com").await, None);

    let autoreply = Autoreply { is_enabled: true, ..Autoreply::default() };
    directory.put_autoreply(anna, autoreply).await.unwrap();
    let deletion = directory.delete_user(anna, None).await.unwrap();
    assert_eq!(deletion.addresses, 1);
    assert!(directory.find_user(anna).await.unwrap().is_none());
    assert_eq!(store.recipient("anna@example.com").await, None);
    directory.finish_purges().await.unwrap();
    assert!(directory.mailstore.list_mailboxes(anna).await.unwrap().is_empty());
    assert!(autoreplies::find(&store.storage, anna).await.unwrap().is_none());
    store.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn sixteen_racers_create_one_user() {
    let Some(store) = Store::start("race").await else { return };
    let racers = (0..16).map(|_| store.directory.create_user(plain("anna")));
    let results = futures_util::future::join_all(racers).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
    }
    store.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn patterns_catch_what_nobody_has() {
    let Some(store) = Store::start("patterns").await else { return };
    let directory = &store.directory;
    let anna = directory.create_user(plain("anna")).await.unwrap();
    let berta = directory.create_user(plain("berta")).await.unwrap();
    let pattern = |address: &str| NewAddress {
        address: address.into(),
        allows_pattern: true,
        is_main: false,
        update: AddressUpdate::default(),
    };
    directory.create_address(anna, pattern("*@example.com")).await.unwrap();
    directory.create_address(berta, pattern("shop*@example.com")).await.unwrap();
    directory.create_address(berta, pattern("info@*")).await.unwrap();
    assert_eq!(store.recipient("who@example.com").await.as_deref(), Some("anna"));
    assert_eq!(store.recipient("shop.7@example.com").await.as_deref(), Some("berta"));
    assert_eq!(store.recipient("berta@example.com").await.as_deref(), Some("berta"));
    assert_eq!(store.recipient("info@elsewhere.example").await.as_deref(), Some("berta"));
    assert_eq!(store.recipient("who@elsewhere.example").await, None);
    assert!(store.log_in("who@example.com", "correct horse").await.is_err(), "no login by pattern");

    let list = directory.list_addresses(anna).await.unwrap();
    let main = list.iter().find(|entry| entry.address == "anna@example.com").unwrap();
    assert!(directory.delete_address(anna, main.id).await.is_err());
    let nothing = AddressUpdate::default();
    assert!(matches!(
        directory.update_address(berta, main.id, nothing.clone(), None, true).await,
        Err(Error::NotFound { what: "address" })
    ));
    let renamed = Some("anna.b@example.com");
    directory.update_address(anna, main.id, nothing, renamed, false).await.unwrap();
    assert_eq!(directory.load_user(anna).await.unwrap().user.address, "anna.b@example.com");
    store.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn a_new_password_ends_tokens_and_failures_throttle() {
    let Some(store) = Store::start("tokens").await else { return };
    let directory = &store.directory;
    let anna = directory.create_user(plain("anna")).await.unwrap();
    let token = store.tokens.issue(anna).await.unwrap();
    assert_eq!(token.len(), 40);
    assert_eq!(store.tokens.find(&token).await.unwrap().unwrap().user, Some(anna));
    assert!(store.tokens.find("0123").await.unwrap().is_none());
    let kept = store.tokens.issue(anna).await.unwrap();
    let new = Some(NewPassword::Plain("another".into()));
    directory.update_user(anna, ProfileUpdate::default(), new).await.unwrap();
    store.tokens.renew(anna, &kept).await.unwrap();
    assert!(store.tokens.find(&token).await.unwrap().is_none());
    assert!(store.tokens.find(&kept).await.unwrap().is_some());
    store.clock.advance_ms(7_201_000);
    assert!(store.tokens.find(&kept).await.unwrap().is_none(), "expired");

    assert!(store.log_in("anna", "correct horse").await.is_err());
    for _ in 1..12 {
        assert!(matches!(store.log_in("anna", "no").await, Err(Error::Unauthenticated)));
    }
    assert!(matches!(store.log_in("anna", "another").await, Err(Error::Throttled { .. })));
    store.clock.advance_ms(121_000);
    store.log_in("anna", "another").await.unwrap();

    let hash = bcrypt::hash("imported", 4).unwrap();
    let new = Some(NewPassword::Hashed(hash));
    directory.update_user(anna, ProfileUpdate::default(), new).await.unwrap();
    store.log_in("anna", "imported").await.unwrap();
    store.log_in("anna", "imported").await.unwrap();
    let closed = ProfileUpdate { suspended: Some(true), ..ProfileUpdate::default() };
    directory.update_user(anna, closed, None).await.unwrap();
    assert!(matches!(store.log_in("anna", "imported").await, Err(Error::Forbidden { .. })));
    assert!(matches!(store.log_in("anna", "wrong").await, Err(Error::Unauthenticated)));
    store.storage.drop_database().await.unwrap();
}

#[tokio::test]
async fn pages_lead_through_all_users_and_back() {
    let Some(store) = Store::start("pages").await else { return };
    let directory = &store.directory;
    let mut ids = Vec::new();
    for name in ["a.x", "b", "c", "d", "e"] {
        let mut new = NewUser::new(name, NewPassword::None);
        new.update.tags = Some(vec![if name > "b" { "Late" } else { "early" }.to_owned()]);
        ids.push(directory.create_user(new).await.unwrap());
    }
    let filter = UserFilter::default();
    let page = directory.list_users(&filter, Around::Start, 2).await.unwrap();
    assert_eq!((page.total, page.has_more, page.rows.len()), (5, true, 2));
    let page = directory.list_users(&filter, Around::After(ids[3]), 2).await.unwrap();
    assert!(!page.has_more && page.rows.len() == 1);
    let page = directory.list_users(&filter, Around::Before(ids[3]), 2).await.unwrap();
    let found: Vec<_> = page.rows.iter().map(|row| row.user.id).collect();
    assert_eq!((found, page.has_more), (vec![ids[1], ids[2]], true));
    let filter = UserFilter { tags: vec!["late".into()], ..UserFilter::default() };
    assert_eq!(directory.list_users(&filter, Around::Start, 9).await.unwrap().total, 3);
    let filter = UserFilter { query: Some("a.x@".into()), ..UserFilter::default() };
    assert_eq!(directory.list_users(&filter, Around::Start, 9).await.unwrap().total, 1);
    let all = AddressFilter::default();
    let page = directory.list_all_addresses(&all, Around::Start, 9).await.unwrap();
    assert_eq!((page.total, page.has_more, page.rows.len()), (5, false, 5));
    let forms: Vec<&str> = page.rows.iter().map(|row| row.lookup.as_str()).collect();
    assert!(forms.is_sorted(), "{forms:?}");
    let around =
        [(Around::After(forms[1]), &forms[2..4]), (Around::Before(forms[3]), &forms[1..3])];
    for (around, expected) in around {
        let page = directory.list_all_addresses(&all, around, 2).await.unwrap();
        assert!(
            page.has_more
                && page.rows.iter().map(|row| row.lookup.as_str()).eq(expected.iter().copied())
        );
    }
    store.storage.drop_database().await.unwrap();
}
