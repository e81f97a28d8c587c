// Asks for the refund of an order: node ask.js ADDRESS ACCOUNT ORDER REQUEST_ID TRACEPARENT
import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { OutcomeSchema } from "./gen/makegood/v1/decision_pb.js";
import { Claim } from "./gen/makegood/v1/refund_pb.js";
import { RefundService } from "./gen/makegood/v1/refund_service_pb.js";

const ATTEMPTS = 5;
const DEADLINE_MS = 15_000;
const AGAIN = new Set([Code.Unavailable, Code.ResourceExhausted, Code.Aborted]);

/** Sends the same question until it is answered. The deadline of the call is for all attempts together. */
export const retrying: Interceptor = (next) => async (question) => {
  for (let attempt = 1, pause = 200; ; attempt += 1, pause *= 2) {
    try {
      return await next(question);
    } catch (caught) {
      const error = ConnectError.from(caught);
      if (question.stream || attempt === ATTEMPTS || !AGAIN.has(error.code)) throw error;
      const told = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
      const wait = told ? Number(told.seconds) * 1_000 + told.nanos / 1_000_000 : pause;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
};

export async function ask(transport: Transport, words: string[]): Promise<string> {
  const [account, order, requestId, trace] = words;
  let replayed = false;
  try {
    const { decision } = await createClient(RefundService, transport).evaluateRequest(
      {
        requestId, // made once, when the customer asked, and kept with the question
        accountId: account,
        claim: Claim.CREDITS_NOT_DELIVERED,
        purchase: { reference: { case: "orderId", value: order } },
      },
      {
        timeoutMs: DEADLINE_MS,
        headers: { traceparent: trace },
        onHeader: (headers) => (replayed = headers.has("idempotency-replayed")),
      },
    );
    const outcome = OutcomeSchema.value[decision!.outcome].name;
    return `${outcome} by row ${decision!.row}${replayed ? " (as before)" : ""}: ${decision!.sentence}`;
  } catch (caught) {
    const error = ConnectError.from(caught);
    return `refused: ${error.findDetails(ErrorInfoSchema)[0]?.reason ?? ""}: ${error.rawMessage}`;
  }
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const [address, ...words] = process.argv.slice(2);
  const baseUrl = `http://${address}`;
  console.log(await ask(createGrpcTransport({ baseUrl, interceptors: [retrying] }), words));
}
