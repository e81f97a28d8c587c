//! The gate that every call passes, whatever it calls: who is it, and may it?
//!
//! What it finds goes with the call, and [`super::Api::open`] takes it from there; a call that came by another way has no
//! caller and is refused.

use super::access::{Rule, rule_of};
use super::addressed::Addressee;
use super::context::{TEST_CALLER_KEY, test_caller_of};
use super::deadline::Deadline;
use super::observed::Seen;
use super::pace::Pace;
use super::status::{self, Violation};
use crate::clock::Clock;
use crate::command::account_not_found;
use crate::domain::ids::{AccountId, Actor};
use crate::domain::role::Role;
use crate::trust::{Peer, Proof, Recognised, Trust};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use std::convert::Infallible;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::service::Routes;

/// The metadata key by which a frontend without a token says for whom it acts.
const ACCOUNT_KEY: &str = "makegood-account";

/// Everyone's name in development mode without a test caller.
const DEVELOPMENT_CALLER: &str = "development";

/// How callers are recognised.
#[derive(Debug, Clone)]
pub enum Gate {
    /// Nobody is: loopback only. Callers may play a role.
    Development,
    /// By what they prove.
    Guarded(Arc<Trust>),
}

/// Who calls, as the commands are told, and for whom it may ask.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) actor: Actor,
    acting: Acting,
}

/// Whose things a caller may see and change.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Acting {
    /// Everybody's.
    Unbound,
    /// This account's.
    For(AccountId),
    /// Some account's, and it did not say whose.
    Unsaid,
}

impl Caller {
    /// Whether what a message is about is the caller's to ask for. Whatever is a stranger's is answered as if it did not
    /// exist, without being looked for.
    pub(super) fn may_ask_for(&self, addressee: Addressee<'_>) -> Result<(), Status> {
        let asked = match addressee {
            Addressee::Nobody | Addressee::Filter("") => return Ok(()),
            Addressee::Account(asked) | Addressee::Filter(asked) => asked,
        };
        match &self.acting {
            Acting::Unbound => Ok(()),
            Acting::Unsaid => Err(status::acting_account_missing()),
            Acting::For(account) if account.as_str() == asked => Ok(()),
            Acting::For(_) if asked.is_empty() => Err(status::invalid(vec![Violation {
                field: "account_id".to_owned(),
                description: "is required: who acts for a customer asks for what is that customer's"
                    .to_owned(),
            }])),
            Acting::For(_) => Err(status::from(account_not_found())),
        }
    }
}

impl Gate {
    /// These services behind the gate.
    #[must_use]
    pub fn around(self, routes: Routes, quota: Quota) -> Guarded {
        let pace = quota.calls_per_second.map(|calls| Arc::new(Pace::new(calls)));
        Guarded { gate: self, longest: quota.longest, pace, routes: routes.prepare() }
    }

    /// Whether callers may bring a test clock.
    #[must_use]
    pub const fn is_development(&self) -> bool {
        matches!(self, Self::Development)
    }

    /// Lets a call through, with its caller where there is one.
    async fn admit(&self, call: &mut Parts) -> Result<(), Status> {
        let rule = rule_of(call.uri.path()).ok_or_else(status::no_such_method)?;
        let Rule::Roles(method, roles) = rule else { return Ok(()) };
        let caller = match self {
            Self::Development => played(call, method, roles)?,
            Self::Guarded(trust) => proved(trust, call, method, roles).await?,
        };
        call.extensions.insert(caller);
        Ok(())
    }
}

/// Whom a caller of a development server plays; who plays nobody may do everything.
fn played(call: &Parts, method: &str, roles: &[Role]) -> Result<Caller, Status> {
    let headers = &call.headers;
    let Some((actor, role)) = test_caller_of(headers)? else {
        seen_by(call, DEVELOPMENT_CALLER);
        account_told(headers, false)?;
        let actor = Actor::parse(DEVELOPMENT_CALLER).map_err(|_| status::unauthenticated())?;
        return Ok(Caller { actor, acting: Acting::Unbound });
    };
    seen_by(call, role.name());
    permitted(role, method, roles)?;
    let acting = account_told(headers, role == Role::Frontend)?.map_or(Acting::Unbound, Acting::For);
    Ok(Caller { actor, acting })
}

/// Whom a caller has proved to be.
async fn proved(trust: &Trust, call: &Parts, method: &str, roles: &[Role]) -> Result<Caller, Status> {
    let headers = &call.headers;
    let peer = call.extensions.get::<Option<Peer>>().and_then(Option::as_ref);
    let recognised = trust.recognise(headers, peer, Clock::system().now()).await;
    let who = recognised.map_err(|fault| {
        // Never what was sent: somebody else could use it.
        tracing::debug!(%fault, method, "a caller was not recognised");
        status::unrecognised(fault)
    })?;
    let Recognised { actor, role, by } = &*who;
    seen_by(call, role.name());
    if headers.contains_key(TEST_CALLER_KEY) {
        return Err(status::test_caller_forbidden());
    }
    permitted(*role, method, roles)?;
    let told = account_told(headers, *role == Role::Frontend && *by == Proof::Certificate)?;
    let acting = match (role, by) {
        (Role::Frontend, Proof::Token(account)) => account.clone().map_or(Acting::Unsaid, Acting::For),
        (Role::Frontend, Proof::Certificate) => told.map_or(Acting::Unsaid, Acting::For),
        _ => Acting::Unbound,
    };
    Ok(Caller { actor: actor.clone(), acting })
}

/// Says among the figures and on the span in which role the caller is, before anything is refused to it.
fn seen_by(call: &Parts, role: &str) {
    if let Some(seen) = call.extensions.get::<Seen>() {
        seen.called_by(role);
    }
}

fn permitted(role: Role, method: &str, roles: &[Role]) -> Result<(), Status> {
    if roles.contains(&role) { Ok(()) } else { Err(status::permission_denied(role.name(), method)) }
}

/// The account in the metadata, which only those may send who have no better way to say it.
fn account_told(headers: &HeaderMap, expected: bool) -> Result<Option<AccountId>, Status> {
    let wrong = |description: &str| {
        let (field, description) = (ACCOUNT_KEY.to_owned(), description.to_owned());
        Err(status::invalid(vec![Violation { field, description }]))
    };
    let mut values = headers.get_all(ACCOUNT_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if !expected {
        return wrong("is for frontend callers without a token; a token says by itself for whom it is");
    }
    let account = value.to_str().ok().and_then(|text| AccountId::parse(text).ok());
    match account.filter(|_| values.next().is_none()) {
        Some(account) => Ok(Some(account)),
        None => wrong("must be one account id of 1 to 128 bytes"),
    }
}

/// How much a call, and a caller, may ask.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Longest any call may take.
    pub longest: Duration,
    /// Calls of one caller in a second; without it there is no bound.
    pub calls_per_second: Option<NonZeroU32>,
}

/// Services behind a gate.
#[derive(Debug, Clone)]
pub struct Guarded {
    gate: Gate,
    longest: Duration,
    pace: Option<Arc<Pace>>,
    routes: Routes,
}

impl Service<Request<Body>> for Guarded {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.routes, cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (gate, pace) = (self.gate.clone(), self.pace.clone());
        let deadline = Deadline::of(request.headers(), self.longest);
        // The one that was asked whether it is ready is the one that is called.
        let fresh = self.routes.clone();
        let mut routes = std::mem::replace(&mut self.routes, fresh);
        Box::pin(async move {
            let (mut call, body) = request.into_parts();
            call.extensions.insert(deadline);
            let answer = async {
                gate.admit(&mut call).await?;
                if let (Some(pace), Some(caller)) = (pace, call.extensions.get::<Caller>()) {
                    pace.take(&caller.actor, Instant::now()).map_err(status::too_fast)?;
                }
                routes.call(Request::from_parts(call, body)).await.map_err(|never| match never {})
            };
            let answered = deadline.bound(answer).await.unwrap_or_else(|| Err(status::deadline_exceeded()));
            Ok(answered.map_or_else(Status::into_http, status::spelled_out))
        })
    }
}
