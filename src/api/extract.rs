//! From a request to a [`Call`]: the caller is known first, then path, query and body are merged.

use super::Context;
use super::access::{Caller, Grant, Resource};
use super::body::{BodyBudget, Room};
use super::middleware::CallerName;
use super::params::Params;
use super::problem::Problem;
use super::{body, query};
use crate::model::id::UserId;
use axum::RequestExt as _;
use axum::extract::{FromRequest, RawPathParams, Request};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

/// One request as handlers see it. Use it as the last argument of a handler.
#[derive(Debug)]
pub struct Call {
    /// All parameters; ends with [`Params::finish`], which gives the caller.
    pub params: Params,
    /// Values of query or body whose name the path has, too.
    pub overridden: Map<String, Value>,
    /// Memory reserved for the body; a handler that takes the call apart holds it to its end.
    pub room: Option<Room>,
}

impl FromRequest<Context> for Call {
    type Rejection = Problem;

    async fn from_request(mut request: Request, ctx: &Context) -> Result<Self, Problem> {
        let path: RawPathParams = request
            .extract_parts()
            .await
            .map_err(|_| Problem::refusal(StatusCode::BAD_REQUEST, "InvalidContent", "bad path"))?;
        let text = request.uri().query().unwrap_or_default();
        let mut asked = query::parse(text.as_bytes(), true).map_err(|reason| {
            Problem::refusal(StatusCode::BAD_REQUEST, "InvalidContent", reason)
        })?;
        let token = token_of(asked.remove("accessToken"), request.headers());
        let caller = ctx.identify(token).await?;
        if let Some(name) = request.extensions().get::<CallerName>() {
            name.set(&caller);
        }
        let budget = request.extensions().get::<BodyBudget>().cloned().unwrap_or_default();
        let (parts, octets) = request.into_parts();
        let room = budget.reserve(&parts.headers).await?;
        let mut content = body::read(&parts.headers, octets).await?;
        // §0.4: the token is no parameter, wherever it came from
        content.values.remove("accessToken");
        let mut values = content.values;
        merge(&mut values, asked);
        let mut overridden = Map::new();
        for (name, value) in &path {
            if let Some(other) = values.insert(name.to_owned(), Value::String(value.to_owned())) {
                overridden.insert(name.to_owned(), other);
            }
        }
        let params = Params::new(caller, values, content.files, content.body);
        Ok(Self { params, overridden, room })
    }
}

/// Values of the query win over those of the body.
fn merge(values: &mut Map<String, Value>, asked: Map<String, Value>) {
    for (name, value) in asked {
        values.insert(name, value);
    }
}

/// The token of a request whose other parameters are of no interest.
pub fn sent_token(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let asked = query::parse(uri.query().unwrap_or_default().as_bytes(), true).ok();
    token_of(asked.and_then(|mut asked| asked.remove("accessToken")), headers)
}

/// §0.4: query `accessToken`, then `X-Access-Token`, then `Authorization: Bearer`.
fn token_of(asked: Option<Value>, headers: &HeaderMap) -> Option<String> {
    if let Some(Value::String(token)) = asked
        && !token.is_empty()
    {
        return Some(token);
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(token) = text("x-access-token").map(str::trim).filter(|token| !token.is_empty()) {
        return Some(token.to_owned());
    }
    let (scheme, token) = text(header::AUTHORIZATION.as_str())?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

impl Context {
    /// Who holds this token.
    ///
    /// # Errors
    /// 403 `InvalidToken`, also without a token while access control is on.
    pub async fn identify(&self, token: Option<String>) -> Result<Caller, Problem> {
        let Some(token) = token else {
            if self.settings.access_control {
                return Err(Problem::invalid_token());
            }
            return Ok(Caller::root());
        };
        if let Some(root) = self.settings.root_token.as_deref().filter(|root| !root.is_empty())
            && bool::from(root.as_bytes().ct_eq(token.as_bytes()))
        {
            return Ok(Caller::root());
        }
        match self.tokens.find(&token).await? {
            Some(principal) => Ok(Caller::with_token(principal, token)),
            None => Err(Problem::invalid_token()),
        }
    }

    /// [`Caller::authorize`].
    ///
    /// # Errors
    /// 403 `MissingPrivileges`.
    pub fn authorize(
        &self,
        caller: &Caller,
        resource: Resource,
        grant: Grant,
        user: UserId,
    ) -> Result<(), Problem> {
        caller.authorize(resource, grant, user)
    }
}
