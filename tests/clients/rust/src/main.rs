//! Asks for the refund of an order: ask ADDRESS ACCOUNT ORDER REQUEST_ID TRACEPARENT
use makegood::proto::makegood::v1::purchase_reference::Reference;
use makegood::proto::makegood::v1::refund_service_client::RefundServiceClient;
use makegood::proto::makegood::v1::{
    Claim, EvaluateRequestRequest, EvaluateRequestResponse, PurchaseReference,
};
use std::time::{Duration, Instant};
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

const DEADLINE: Duration = Duration::from_secs(15);
const ATTEMPTS: u32 = 5;

/// By the last two tonic tells that a connection ended under a call, or before it.
const AGAIN: [Code; 5] =
    [Code::Unavailable, Code::ResourceExhausted, Code::Aborted, Code::Cancelled, Code::Unknown];

/// Sends the same question until it is answered; the deadline is for all attempts together.
async fn ask(
    client: &mut RefundServiceClient<Channel>,
    question: EvaluateRequestRequest,
    trace: AsciiMetadataValue,
) -> Result<Response<EvaluateRequestResponse>, Status> {
    let until = Instant::now() + DEADLINE;
    let mut pause = Duration::from_millis(200);
    let mut attempt = 1;
    loop {
        let mut request = Request::new(question.clone());
        request.set_timeout(until.saturating_duration_since(Instant::now()));
        request.metadata_mut().insert("traceparent", trace.clone());
        match client.evaluate_request(request).await {
            Err(status) if attempt < ATTEMPTS && AGAIN.contains(&status.code()) => {
                let told = status.get_details_retry_info().and_then(|info| info.retry_delay);
                tokio::time::sleep(told.unwrap_or(pause)).await;
                pause *= 2;
                attempt += 1;
            }
            answer => return answer,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, account_id, order, request_id, trace] = words.try_into().map_err(|_| "five words")?;
    let channel = Channel::from_shared(format!("http://{address}"))?.connect_lazy();
    let question = EvaluateRequestRequest {
        request_id, // made once, when the customer asked, and kept with the question
        account_id,
        claim: Claim::CreditsNotDelivered.into(),
        purchase: Some(PurchaseReference { reference: Some(Reference::OrderId(order)) }),
        ..Default::default()
    };
    match ask(&mut RefundServiceClient::new(channel), question, trace.parse()?).await {
        Ok(answer) => {
            let replayed = answer.metadata().contains_key("idempotency-replayed");
            let decision = answer.into_inner().decision.unwrap_or_default();
            let outcome = decision.outcome().as_str_name();
            let again = if replayed { " (as before)" } else { "" };
            println!("{outcome} by row {}{again}: {}", decision.row, decision.sentence);
        }
        Err(status) => {
            let reason = status.get_details_error_info().map_or_else(String::new, |info| info.reason);
            println!("refused: {reason}: {}", status.message());
        }
    }
    Ok(())
}
