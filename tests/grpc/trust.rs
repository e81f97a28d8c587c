//! Who may call: tokens, client certificates, roles, and customers who see what is theirs alone.

pub(crate) mod authority;
mod certificates;
pub(crate) mod issuer;
mod keys;
mod matrix;
mod strangers;
mod tokens;

use crate::cluster::database;
use crate::service::{Service, request_id};
use issuer::{Issuer, KeyServer};
use makegood::grpc::Gate;
use makegood::proto::DESCRIPTOR;
use makegood::proto::makegood::v1;
use makegood::server::Access;
use makegood::trust::{self, Certificates, Claims, KeyPace, KeySource, TokenRules, Trust};
use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorSet};
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

const ISSUER: &str = "https://login.shop.example";
const AUDIENCE: &str = "makegood";

/// Longer than any test: keys that are read once only.
const NEVER: Duration = Duration::from_hours(1);

/// How tokens of the issuer are recognised whose keys are at `keys`.
fn rules(keys: KeySource, pace: KeyPace) -> TokenRules {
    let claims = Claims {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        role: "makegood_role".to_owned(),
        account: "makegood_account".to_owned(),
    };
    let algorithms = trust::algorithms(["ES256", "RS256", "EdDSA"]).unwrap();
    TokenRules { claims, algorithms, keys, pace }
}

/// Tokens alone, over loopback.
async fn by_token(rules: TokenRules) -> Access {
    let trust = Trust::new(Some(rules), Certificates::default()).await.unwrap();
    Access { gate: Gate::Guarded(Arc::new(trust)), tls: None, plaintext: false }
}

/// A service that recognises the tokens of a new issuer.
async fn guarded() -> (Service, Issuer) {
    let issuer = Issuer::new("key-1");
    let keys = KeyServer::start(&[&issuer]).await;
    let pace = KeyPace { refresh: NEVER, retry: NEVER, max_age: NEVER };
    let access = by_token(rules(keys.source(), pace)).await;
    (served(access).await, issuer)
}

async fn served(access: Access) -> Service {
    let (url, watch) = database().await;
    Service::guarded(url, watch, access).await
}

/// A call with a token.
fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse::<MetadataValue<_>>().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

/// What every refusal of an unknown caller looks like.
fn unrecognised(status: &Status) -> bool {
    let reason = status.get_details_error_info().map(|info| info.reason);
    status.code() == Code::Unauthenticated && reason.as_deref() == Some("UNAUTHENTICATED")
}

fn policies() -> v1::ListPoliciesRequest {
    v1::ListPoliciesRequest::default()
}

/// One method of the API.
struct Method {
    /// As `CreditService/HoldCredits`.
    name: String,
    /// What is written above it.
    comment: String,
    request: DescriptorProto,
}

/// Every method of the descriptor.
fn methods() -> Vec<Method> {
    let set = FileDescriptorSet::decode(DESCRIPTOR).unwrap();
    let files: Vec<_> = set.file.into_iter().filter(|file| file.package() == "makegood.v1").collect();
    let messages: Vec<&DescriptorProto> = files.iter().flat_map(|file| &file.message_type).collect();
    let mut methods = Vec::new();
    for file in &files {
        for (at, service) in file.service.iter().enumerate() {
            for (number, method) in service.method.iter().enumerate() {
                let path = [6, i32::try_from(at).unwrap(), 2, i32::try_from(number).unwrap()];
                let comments = file.source_code_info.as_ref().unwrap();
                let comment = comments.location.iter().find(|location| location.path == path).unwrap();
                let wanted = method.input_type().rsplit('.').next().unwrap();
                let request = messages.iter().find(|message| message.name() == wanted).unwrap();
                methods.push(Method {
                    name: format!("{}/{}", service.name(), method.name()),
                    comment: comment.leading_comments().split_whitespace().collect::<Vec<_>>().join(" "),
                    request: (*request).clone(),
                });
            }
        }
    }
    methods
}

/// A message of strings alone, by field number: enough to say whose things are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Texts(Vec<(u32, String)>);

impl Message for Texts {
    fn encode_raw(&self, buf: &mut impl prost::bytes::BufMut) {
        for (number, text) in &self.0 {
            prost::encoding::string::encode(*number, text, buf);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: prost::encoding::wire_type::WireType,
        buf: &mut impl prost::bytes::Buf,
        context: prost::encoding::DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        prost::encoding::skip_field(wire_type, tag, buf, context)
    }

    fn encoded_len(&self) -> usize {
        self.0.iter().map(|(number, text)| prost::encoding::string::encoded_len(*number, text)).sum()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Method {
    /// A request with these fields, those of them that it has.
    fn asking(&self, texts: &[(&str, &str)]) -> Texts {
        let number = |name| {
            let field = self.request.field.iter().find(|field| field.name() == name)?;
            u32::try_from(field.number()).ok()
        };
        Texts(texts.iter().filter_map(|(name, text)| Some((number(*name)?, (*text).to_owned()))).collect())
    }

    /// Calls it, whatever it streams; its first refusal, if it refuses.
    async fn call(&self, service: &Service, request: Request<Texts>) -> Result<(), Status> {
        let mut client = tonic::client::Grpc::new(service.channel());
        client.ready().await.unwrap();
        let path = format!("/makegood.v1.{}", self.name).parse().unwrap();
        let codec = tonic_prost::ProstCodec::<Texts, Texts>::default();
        let mut answers = client.server_streaming(request, path, codec).await?.into_inner();
        answers.message().await.map(|_| ())
    }
}
