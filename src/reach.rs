//! What the commands that talk to a running service have in common.

use anyhow::Context;
use std::time::Duration;
use tonic::Status;
use tonic::transport::Endpoint;
use tonic_types::StatusExt;

/// Where a service is, how long connecting to it may take, and each call.
///
/// # Errors
/// What was given is no address.
pub(crate) fn address(endpoint: &str, connect: Duration, call: Duration) -> anyhow::Result<Endpoint> {
    let address = Endpoint::from_shared(endpoint.to_owned())
        .with_context(|| format!("`{endpoint}` is no address, write it as http://127.0.0.1:50051"))?;
    Ok(address.connect_timeout(connect).timeout(call))
}

/// The service's name for why it refused; empty when it gave none.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map_or_else(String::new, |info| info.reason)
}
