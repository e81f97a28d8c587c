//! Calls as a client makes them that knows nothing but the service's description: JSON in, JSON out.

use crate::service::Service;
use makegood::proto::DESCRIPTOR;
use prost::Message;
use prost::bytes::{Buf, BufMut};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use serde_json::Value;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// What the service tells of itself by reflection.
pub(crate) fn description() -> DescriptorPool {
    DescriptorPool::decode(DESCRIPTOR).unwrap()
}

/// A method by its name, as `makegood.v1.RefundService/GetRefund`.
pub(crate) fn method(pool: &DescriptorPool, name: &str) -> MethodDescriptor {
    let (service, method) = name.split_once('/').unwrap();
    let service = pool.get_service_by_name(service).unwrap_or_else(|| panic!("no service {service}"));
    service.methods().find(|known| known.name() == method).unwrap_or_else(|| panic!("no method {name}"))
}

/// Reads a message from JSON; a field that it does not have is an error.
pub(crate) fn read(kind: MessageDescriptor, json: &str) -> Result<DynamicMessage, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(kind, &mut deserializer)?;
    deserializer.end()?;
    Ok(message)
}

/// Calls a method with a message in JSON and some headers; answers every message of the answer.
pub(crate) async fn call(
    service: &Service,
    method: &MethodDescriptor,
    json: &str,
    headers: &[(String, String)],
) -> Result<Vec<Value>, Status> {
    let message =
        read(method.input(), json).unwrap_or_else(|error| panic!("{}: {error}: {json}", method.full_name()));
    send(service.channel(), method, &message, headers).await
}

/// The same with a message that was read before, over any channel.
pub(crate) async fn send(
    channel: Channel,
    method: &MethodDescriptor,
    message: &DynamicMessage,
    headers: &[(String, String)],
) -> Result<Vec<Value>, Status> {
    let mut request = Request::new(message.encode_to_vec());
    for (name, value) in headers {
        let name = tonic::metadata::AsciiMetadataKey::from_bytes(name.as_bytes()).unwrap();
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path: PathAndQuery = path.parse().unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    // A single answer is a stream of one.
    let mut stream = client.server_streaming(request, path, Bytes).await?.into_inner();
    let mut answers = Vec::new();
    while let Some(bytes) = stream.message().await? {
        let answer = DynamicMessage::decode(method.output(), bytes.as_slice()).unwrap();
        answers.push(serde_json::to_value(&answer).unwrap());
    }
    Ok(answers)
}

/// Messages that are encoded already.
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; from.remaining()];
        from.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}
