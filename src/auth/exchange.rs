//! SASL exchanges, step by step, for every door.

use super::Authenticator;
use super::authenticate::{Attempt, Login, Secret};
use super::mechanism::{Exchange, Mechanism, State, Step};
use super::name::username_lookup_form;
use super::scram::{Handshake, ITERATIONS, Proof, salt};
use crate::codec::sasl::Plain;
use crate::codec::sasl::bearer::{self, Bearer};
use crate::codec::sasl::scram::{Binding, ClientFinal, ClientFirst, server_final, server_first};
use crate::model::error::{Error, Result};
use crate::storage::secrets;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Random octets of a nonce.
const NONCE_OCTETS: usize = 18;

fn malformed() -> Error {
    Error::invalid("response", "not a response of this mechanism")
}

impl Authenticator {
    /// Takes a response (the initial one too), after base64.
    ///
    /// # Errors
    /// `Invalid` when it is none of this mechanism; else as [`Self::log_in`].
    pub async fn respond(&self, exchange: &mut Exchange, response: Vec<u8>) -> Result<Step> {
        let state = std::mem::replace(&mut exchange.state, State::Ended);
        match (state, exchange.mechanism) {
            (State::Begun, Mechanism::Plain) => self.respond_plain(exchange, &response).await,
            (State::Begun, Mechanism::Login) => {
                let name = String::from_utf8(response).map_err(|_| malformed())?;
                exchange.state = State::Named(name);
                Ok(Step::Challenge(b"Password:".to_vec()))
            }
            (State::Named(name), _) => {
                let password = String::from_utf8(response).map_err(|_| malformed())?;
                self.done(exchange, &name, Secret::Password(&password)).await
            }
            (State::Begun, Mechanism::OAuthBearer) => {
                let said = Bearer::parse_oauthbearer(&response).ok_or_else(malformed)?;
                self.respond_bearer(exchange, &said).await
            }
            (State::Begun, Mechanism::XOAuth2) => {
                let said = Bearer::parse_xoauth2(&response).ok_or_else(malformed)?;
                self.respond_bearer(exchange, &said).await
            }
            (State::Begun, Mechanism::ScramSha256 | Mechanism::ScramSha256Plus) => {
                let first = ClientFirst::parse(&response).ok_or_else(malformed)?;
                self.respond_first(exchange, first).await
            }
            (State::Challenged(handshake), _) => {
                self.respond_final(exchange, &handshake, &response).await
            }
            (State::Proved(login), _) if response.is_empty() => Ok(Step::Done(login)),
            (State::Refused(error), _) => Err(error),
            (State::Proved(_) | State::Ended, _) => Err(malformed()),
        }
    }

    async fn done(&self, exchange: &Exchange, name: &str, secret: Secret<'_>) -> Result<Step> {
        Ok(Step::Done(Box::new(self.log_in_as(exchange, name, secret).await?)))
    }

    async fn log_in_as(
        &self,
        exchange: &Exchange,
        username: &str,
        password: Secret<'_>,
    ) -> Result<Login> {
        let (protocol, peer) = (exchange.connection.protocol, Some(exchange.connection.peer));
        let (label, session, app_id) = (None, None, None);
        self.log_in(&Attempt { username, password, protocol, peer, label, session, app_id }).await
    }

    async fn respond_plain(&self, exchange: &Exchange, response: &[u8]) -> Result<Step> {
        let plain = Plain::parse(response).ok_or_else(malformed)?;
        let (authzid, authcid) = (plain.authorization_id, plain.authentication_id);
        // nobody may act for somebody else by this way
        if !authzid.is_empty() && authzid != authcid {
            return Err(Error::Unauthenticated);
        }
        self.done(exchange, &authcid, Secret::Password(&plain.password)).await
    }

    /// RFC 7628 §3.2.2: the client hears why before the exchange fails.
    async fn respond_bearer(&self, exchange: &mut Exchange, said: &Bearer) -> Result<Step> {
        match self.log_in_as(exchange, &said.username, Secret::Token(&said.token)).await {
            Ok(login) => Ok(Step::Done(Box::new(login))),
            Err(error @ (Error::Unauthenticated | Error::Forbidden { .. })) => {
                exchange.state = State::Refused(error);
                Ok(Step::Challenge(bearer::REFUSAL.as_bytes().to_vec()))
            }
            Err(error) => Err(error),
        }
    }

    /// RFC 5802 §5: the salt tells nothing, not even whether there is such a user.
    async fn respond_first(&self, exchange: &mut Exchange, first: ClientFirst) -> Result<Step> {
        let authzid = &first.authorization_id;
        if !authzid.is_empty() && *authzid != first.username {
            return Err(Error::Unauthenticated);
        }
        let binding = expected_binding(exchange, &first)?;
        let secret = self.scram_secret().await?;
        let user = self.find_user(&first.username).await?;
        let salt = match &user {
            Some(user) => salt(secret, &user.id.octets()),
            None => salt(secret, username_lookup_form(&first.username).as_bytes()),
        };
        let random: [u8; NONCE_OCTETS] = rand::random();
        let nonce = format!("{}{}", first.nonce, STANDARD.encode(random));
        let challenge = server_first(&nonce, &salt, ITERATIONS.get());
        let begun = format!("{},{challenge}", first.bare);
        let username = first.username;
        exchange.state = State::Challenged(Box::new(Handshake { username, nonce, binding, begun }));
        Ok(Step::Challenge(challenge.into_bytes()))
    }

    async fn respond_final(
        &self,
        exchange: &mut Exchange,
        handshake: &Handshake,
        response: &[u8],
    ) -> Result<Step> {
        let last = ClientFinal::parse(response).ok_or_else(malformed)?;
        // RFC 5802 §5.1: what was bound, and the nonces, are what they were
        if last.binding != handshake.binding || last.nonce != handshake.nonce {
            return Err(Error::Unauthenticated);
        }
        let auth_message = format!("{},{}", handshake.begun, last.without_proof);
        let proof = Proof::new(last.proof, auth_message);
        let login = self.log_in_as(exchange, &handshake.username, Secret::Scram(&proof)).await?;
        let missing = || Error::Internal { reason: "a proof without an answer", source: None };
        let signature = proof.signature().ok_or_else(missing)?;
        exchange.state = State::Proved(Box::new(login));
        Ok(Step::Challenge(server_final(&signature).into_bytes()))
    }

    pub(super) async fn scram_secret(&self) -> Result<&[u8; 32]> {
        self.scram_secret.get_or_try_init(|| secrets::load(&self.storage, "scram")).await
    }
}

/// What `c=` has to say in the end: the header, and what the channel is bound to (RFC 5802 §6).
fn expected_binding(exchange: &Exchange, first: &ClientFirst) -> Result<Vec<u8>> {
    let is_plus = exchange.mechanism == Mechanism::ScramSha256Plus;
    let bindings = &exchange.connection.bindings;
    let mut expected = first.header.clone().into_bytes();
    match &first.binding {
        Binding::Named(name) if is_plus => {
            let known = bindings.iter().find(|(kind, _)| kind == name);
            let unknown = || Error::invalid("response", "this channel binding is not supported");
            expected.extend_from_slice(&known.ok_or_else(unknown)?.1);
        }
        // `y`: it did not see -PLUS where it was offered: somebody is in between
        Binding::Unused if !is_plus && !bindings.is_empty() => return Err(Error::Unauthenticated),
        Binding::Unsupported | Binding::Unused if !is_plus => {}
        _ => return Err(malformed()),
    }
    Ok(expected)
}
