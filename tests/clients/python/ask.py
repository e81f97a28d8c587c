"""Asks for the refund of an order: ask.py ADDRESS ACCOUNT ORDER REQUEST_ID TRACEPARENT"""

import pathlib
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from makegood.v1 import decision_pb2, refund_pb2, refund_service_pb2, refund_service_pb2_grpc, types_pb2

SERVICE_CONFIG = (pathlib.Path(__file__).parents[1] / "service_config.json").read_text()
DEADLINE_SECONDS = 15


def reason_of(error):
    """Why a call was refused, as google.rpc.ErrorInfo says it."""
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)
    return next((info.reason for detail in (status.details if status else []) if detail.Unpack(info)), "")


def main(address, account, order, request_id, trace):
    question = refund_service_pb2.EvaluateRequestRequest(
        request_id=request_id,  # made once, when the customer asked, and kept with the question
        account_id=account,
        claim=refund_pb2.CLAIM_CREDITS_NOT_DELIVERED,
        purchase=types_pb2.PurchaseReference(order_id=order),
    )
    # gRPC itself sends the same question again, by the service config; the deadline is for all attempts together.
    options = [("grpc.service_config", SERVICE_CONFIG)]
    with grpc.insecure_channel(address, options=options) as channel:
        refunds = refund_service_pb2_grpc.RefundServiceStub(channel)
        try:
            answer, call = refunds.EvaluateRequest.with_call(
                question, timeout=DEADLINE_SECONDS, metadata=[("traceparent", trace)]
            )
        except grpc.RpcError as error:
            print(f"refused: {reason_of(error)}: {error.details()}")
            return
        replayed = any(key == "idempotency-replayed" for key, _ in call.initial_metadata())
        decision = answer.decision
        outcome = decision_pb2.Outcome.Name(decision.outcome)
        again = " (as before)" if replayed else ""
        print(f"{outcome} by row {decision.row}{again}: {decision.sentence}")


if __name__ == "__main__":
    main(*sys.argv[1:])
