//! Passkeys and security keys as a second factor (W3C WebAuthn level 2, §7.1 and §7.2).
//!
//! The ceremonies are those of `webauthn-rs-core`; here is what it leaves to a site: who is asked,
//! that a challenge is answered once, that a count of signatures only grows.

use super::Authenticator;
use super::token::{digest_of, hex};
use crate::codec::cbor::without_records;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::{ObjectId, UserId};
use crate::storage::field::new_id;
use crate::storage::webauthn::{self, Challenge};
use crate::storage::{pending_logins, users};
use serde_json::{Value, json};
use std::time::Duration;

use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::proto::{
    AuthenticationState, AuthenticatorAssertionResponseRaw, AuthenticatorAttachment,
    AuthenticatorAttestationResponseRaw, Credential, PublicKeyCredential,
    RegisterPublicKeyCredential, RegistrationState, UserVerificationPolicy,
};

pub use crate::storage::webauthn::StoredCredential;

/// How long a challenge waits for its answer.
const CHALLENGE_MS: i64 = 3_600_000;
/// How long a browser waits for the authenticator.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Credentials of one user.
const CREDENTIALS_MAX: usize = 50;
/// The factor's name in `enabled2fa`.
const FACTOR: &str = "webauthn";
/// A touch is enough: the password has been checked.
const POLICY: UserVerificationPolicy = UserVerificationPolicy::Discouraged_DO_NOT_USE;

/// Where and for whom a ceremony is held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// Domain the credentials belong to.
    pub rp_id: String,
    /// Its name for people.
    pub rp_name: String,
    /// Origin of the page that asks.
    pub origin: String,
}

/// What a ceremony is begun with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// Where.
    pub site: Site,
    /// `platform` or `cross-platform`.
    pub attachment: String,
    /// What people call the new credential.
    pub description: String,
    /// Nonce of the login that waits for it.
    pub nonce: Option<String>,
}

/// An answer to a challenge, in octets.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Reaction {
    /// The challenge.
    pub challenge: Vec<u8>,
    /// The authenticator's own name of the credential.
    pub raw_id: Vec<u8>,
    /// What the browser saw.
    pub client_data: Vec<u8>,
    /// Registration: the attestation object; login: the authenticator's data.
    pub data: Vec<u8>,
    /// Login: the signature.
    pub signature: Vec<u8>,
    /// Site, when the caller names it again.
    pub rp_id: Option<String>,
    /// Nonce of the login that waits for it.
    pub nonce: Option<String>,
}

/// Why a ceremony fails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// The user has no credentials.
    IsOff,
    /// The challenge is unknown, too old, or was answered.
    UnknownChallenge,
    /// No such credential.
    UnknownCredential,
    /// The login is unknown, too old, or another one.
    UnknownLogin,
    /// The answer is wrong, in words for the log and the client.
    Refused(String),
}

/// A login that was finished.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asserted {
    /// The credential.
    pub credential: ObjectId,
    /// Whether the login wanted an access token; `None`: there was no login.
    pub wants_token: Option<bool>,
}

fn core(site: &Site) -> Result<WebauthnCore> {
    let invalid = |_| Error::invalid("origin", "\"origin\" must be a URL");
    let origin = site.origin.parse().map_err(invalid)?;
    let (name, id) = (&site.rp_name, &site.rp_id);
    let any = Some(false);
    Ok(WebauthnCore::new_unsafe_experts_only(name, id, vec![origin], TIMEOUT, any, any))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("a WebAuthn ceremony failed", error)
}

fn refused(error: impl ToString) -> Obstacle {
    Obstacle::Refused(error.to_string())
}

impl Authenticator {
    /// A user's credentials. One round trip.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn list_credentials(&self, user: UserId) -> Result<Vec<StoredCredential>> {
        webauthn::list(&self.storage, user).await
    }

    /// Begins the registration of a credential: the options for the browser. Three round trips.
    ///
    /// # Errors
    /// `NotFound` user, `Invalid` origin, `LimitReached`, `Unavailable`.
    pub async fn begin_registration(&self, user: UserId, wish: &Wish) -> Result<Value> {
        let profile = users::load(&self.storage, user).await?.profile;
        let known = webauthn::list(&self.storage, user).await?;
        if known.len() >= CREDENTIALS_MAX {
            return Err(Error::LimitReached { limit: format!("{CREDENTIALS_MAX} credentials") });
        }
        let name = profile.user.username.as_str();
        let display = if profile.name.is_empty() { name } else { profile.name.as_str() };
        let attachment = match wish.attachment.as_str() {
            "platform" => AuthenticatorAttachment::Platform,
            _ => AuthenticatorAttachment::CrossPlatform,
        };
        let site = core(&wish.site)?;
        let builder = site
            .new_challenge_register_builder(&user.octets(), name, display)
            .map_err(failed)?
            .user_verification_policy(POLICY)
            .authenticator_attachment(Some(attachment))
            .exclude_credentials(Some(known.iter().map(|one| one.raw_id.clone()).collect()));
        let (asked, state) = site.generate_challenge_register(builder).map_err(failed)?;
        let asked = asked.public_key;
        let challenge = hex(asked.challenge.as_ref());
        self.keep_challenge(user, wish, &challenge, (true, &state)).await?;
        let excluded: Vec<Value> = known.iter().map(descriptor).collect();
        Ok(json!({
            "challenge": challenge,
            "rp": { "name": wish.site.rp_name, "id": wish.site.rp_id },
            "user": { "id": user.to_string(), "name": name, "displayName": display },
            "authenticatorSelection": {
                "authenticatorAttachment": wish.attachment,
                "requireResidentKey": false,
                "userVerification": "discouraged",
            },
            "pubKeyCredParams": asked.pub_key_cred_params,
            "attestation": "none",
            "timeout": asked.timeout,
            "excludeCredentials": excluded,
        }))
    }

    async fn keep_challenge(
        &self,
        user: UserId,
        wish: &Wish,
        challenge: &str,
        (registers, state): (bool, &impl serde::Serialize),
    ) -> Result<()> {
        let challenge = Challenge {
            challenge: challenge.to_owned(),
            user,
            state: serde_json::to_string(state).map_err(failed)?,
            registers,
            origin: wish.site.origin.clone(),
            rp_id: wish.site.rp_id.clone(),
            description: wish.description.clone(),
            attachment: wish.attachment.clone(),
            nonce: wish.nonce.as_deref().map(digest_of),
            expires_ms: self.clock.now_ms().saturating_add(CHALLENGE_MS),
        };
        webauthn::put(&self.storage, &challenge).await
    }

    /// Takes a challenge for its answer.
    async fn answered(
        &self,
        user: UserId,
        registers: bool,
        reaction: &Reaction,
    ) -> Result<Result<(Challenge, WebauthnCore), Obstacle>> {
        let (name, now) = (hex(&reaction.challenge), self.clock.now_ms());
        let taken = webauthn::take(&self.storage, user, &name, registers, now).await?;
        let Some(mut challenge) = taken else { return Ok(Err(Obstacle::UnknownChallenge)) };
        if let Some(rp_id) = &reaction.rp_id {
            challenge.rp_id.clone_from(rp_id);
        }
        let site = Site {
            rp_id: challenge.rp_id.clone(),
            rp_name: String::new(),
            origin: challenge.origin.clone(),
        };
        let site = core(&site)?;
        Ok(Ok((challenge, site)))
    }

    /// Registers a credential; the first second factor ends the user's other tokens and sessions.
    /// Four round trips.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`; inside, the obstacle.
    pub async fn finish_registration(
        &self,
        user: UserId,
        reaction: Reaction,
    ) -> Result<Result<StoredCredential, Obstacle>> {
        let profile = users::load(&self.storage, user).await?.profile;
        let (challenge, site) = match self.answered(user, true, &reaction).await? {
            Ok(answered) => answered,
            Err(obstacle) => return Ok(Err(obstacle)),
        };
        let state: RegistrationState = serde_json::from_str(&challenge.state).map_err(failed)?;
        let object = without_records(&reaction.data).unwrap_or(reaction.data);
        let answer = RegisterPublicKeyCredential {
            id: String::new(),
            raw_id: reaction.raw_id,
            response: AuthenticatorAttestationResponseRaw {
                attestation_object: object,
                client_data_json: reaction.client_data,
                transports: None,
            },
            type_: "public-key".to_owned(),
            extensions: Default::default(),
        };
        let made = match site.register_credential(&answer, &state, None) {
            Ok(made) => made,
            Err(error) => return Ok(Err(refused(error))),
        };
        let new = StoredCredential {
            id: new_id(),
            raw_id: made.cred_id.clone(),
            description: challenge.description,
            origin: challenge.origin,
            attachment: challenge.attachment,
            credential: serde_json::to_string(&made).map_err(failed)?,
        };
        let is_first = profile.second_factors.is_empty();
        if !webauthn::add(&self.storage, user, &new, is_first, self.clock.now_ms()).await? {
            return Ok(Err(refused("this credential is registered already")));
        }
        self.end_other_sessions(user, is_first).await;
        let event = Event::of_user("mfa.webauthn.registered", user).with("credential", new.id);
        self.emit(event).await;
        Ok(Ok(new))
    }

    /// Removes a credential; whether it was there. The last one switches the factor off. Two round
    /// trips.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`.
    pub async fn remove_credential(&self, user: UserId, id: ObjectId) -> Result<bool> {
        let (removed, _) = webauthn::remove(&self.storage, user, id).await?;
        if removed {
            let event = Event::of_user("mfa.webauthn.removed", user).with("credential", id);
            self.emit(event).await;
        }
        Ok(removed)
    }

    /// Begins a login with a credential: the options for the browser. Three round trips, four with
    /// a login that waits.
    ///
    /// # Errors
    /// `NotFound` user, `Invalid` origin, `Unavailable`; inside, the obstacle.
    pub async fn begin_assertion(
        &self,
        user: UserId,
        wish: &Wish,
    ) -> Result<Result<Value, Obstacle>> {
        let known = match self.enabled_credentials(user).await? {
            Ok(known) => known,
            Err(obstacle) => return Ok(Err(obstacle)),
        };
        if let Some(nonce) = &wish.nonce {
            let now = self.clock.now_ms();
            if !pending_logins::exists(&self.storage, user, &digest_of(nonce), now).await? {
                return Ok(Err(Obstacle::UnknownLogin));
            }
        }
        let fitting = known.iter().filter(|one| one.attachment == wish.attachment);
        let allowed: Vec<Value> = fitting.map(descriptor).collect();
        let site = core(&wish.site)?;
        let builder =
            site.new_challenge_authenticate_builder(Vec::new(), Some(POLICY)).map_err(failed)?;
        let (asked, state) = site.generate_challenge_authenticate(builder).map_err(failed)?;
        let challenge = hex(asked.public_key.challenge.as_ref());
        self.keep_challenge(user, wish, &challenge, (false, &state)).await?;
        Ok(Ok(json!({
            "challenge": challenge,
            "allowCredentials": allowed,
            "rpId": wish.site.rp_id,
            "userVerification": "discouraged",
            "timeout": asked.public_key.timeout,
        })))
    }

    async fn enabled_credentials(
        &self,
        user: UserId,
    ) -> Result<Result<Vec<StoredCredential>, Obstacle>> {
        let profile = users::load(&self.storage, user).await?.profile;
        if !profile.second_factors.iter().any(|factor| factor == FACTOR) {
            return Ok(Err(Obstacle::IsOff));
        }
        Ok(Ok(webauthn::list(&self.storage, user).await?))
    }

    /// Checks an answer to a login's challenge. The challenge is used up in any case, the login
    /// only by a right one. Four round trips, five with a login that waits.
    ///
    /// # Errors
    /// `NotFound` user, `Unavailable`; inside, the obstacle.
    pub async fn finish_assertion(
        &self,
        user: UserId,
        reaction: Reaction,
    ) -> Result<Result<Asserted, Obstacle>> {
        let known = match self.enabled_credentials(user).await? {
            Ok(known) => known,
            Err(obstacle) => return Ok(Err(obstacle)),
        };
        let (challenge, site) = match self.answered(user, false, &reaction).await? {
            Ok(answered) => answered,
            Err(obstacle) => return Ok(Err(obstacle)),
        };
        let nonce = reaction.nonce.as_deref().map(digest_of);
        if nonce != challenge.nonce {
            return Ok(Err(Obstacle::UnknownLogin));
        }
        let Some(stored) = known.iter().find(|one| one.raw_id == reaction.raw_id) else {
            return Ok(Err(Obstacle::UnknownCredential));
        };
        if let Err(obstacle) =
            self.check_assertion(user, reaction, stored, (&challenge, &site)).await?
        {
            return Ok(Err(obstacle));
        }
        let wants_token = match &nonce {
            None => None,
            Some(nonce) => {
                let now = self.clock.now_ms();
                match pending_logins::take(&self.storage, user, nonce, now).await? {
                    Some(login) => Some(login.wants_token),
                    None => return Ok(Err(Obstacle::UnknownLogin)),
                }
            }
        };
        Ok(Ok(Asserted { credential: stored.id, wants_token }))
    }

    async fn check_assertion(
        &self,
        user: UserId,
        reaction: Reaction,
        stored: &StoredCredential,
        (challenge, site): (&Challenge, &WebauthnCore),
    ) -> Result<Result<(), Obstacle>> {
        let state: AuthenticationState = serde_json::from_str(&challenge.state).map_err(failed)?;
        let mut credential: Credential =
            serde_json::from_str(&stored.credential).map_err(failed)?;
        let answer = PublicKeyCredential {
            id: String::new(),
            raw_id: reaction.raw_id,
            response: AuthenticatorAssertionResponseRaw {
                authenticator_data: reaction.data,
                client_data_json: reaction.client_data,
                signature: reaction.signature,
                user_handle: None,
            },
            extensions: Default::default(),
            type_: "public-key".to_owned(),
        };
        let seen = match site.authenticate_single_credential(&answer, &state, &credential) {
            Ok(seen) => seen,
            Err(error) => return Ok(Err(refused(error))),
        };
        credential.counter = seen.counter();
        credential.backup_state = seen.backup_state();
        let text = serde_json::to_string(&credential).map_err(failed)?;
        let used = (seen.counter(), text.as_str());
        // WebAuthn §7.2 step 21, on whichever node
        match webauthn::note_use(&self.storage, user, stored.id, used).await? {
            true => Ok(Ok(())),
            false => Ok(Err(refused("the count of signatures did not grow"))),
        }
    }
}

fn descriptor(credential: &StoredCredential) -> Value {
    json!({ "rawId": hex(&credential.raw_id), "type": "public-key" })
}
