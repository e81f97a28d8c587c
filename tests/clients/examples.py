"""The programs of docs/clients.md ask for a refund: answered, answered again, refused, and with nobody there."""

import os
import secrets
import subprocess
import sys
import time
import traceback
from concurrent import futures

import grpc
from google.protobuf import timestamp_pb2
from makegood.v1 import credit_service_pb2, credit_service_pb2_grpc, types_pb2
from makegood.v1 import refund_pb2, refund_service_pb2, refund_service_pb2_grpc

import stories
from between import Between

EVALUATE = "/makegood.v1.RefundService/EvaluateRequest"
APPROVED = "OUTCOME_APPROVE by row 10: "
DEADLINE_SECONDS = 15
# On the wire the time that is left has a unit, and clients round it up.
ROUNDING_SECONDS = 1
PAGE = "https://shop.example"

# A proxy of the environment is for other hosts than our own.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


class Program:
    """One of the programs, with a purchase of its own of which nothing arrived."""

    def __init__(self, name, words, service):
        self.name, self.words, self.service = name, words, service
        self.account, self.order, self.request_id = f"{name}-ada", f"{name}-order", stories.key()
        self.trace_id = secrets.token_hex(16)
        now = timestamp_pb2.Timestamp(seconds=int(time.time()))
        with grpc.insecure_channel(service, options=[("grpc.enable_http_proxy", 0)]) as channel:
            credit_service_pb2_grpc.CreditServiceStub(channel).RecordPurchase(
                credit_service_pb2.RecordPurchaseRequest(
                    request_id=stories.key(),
                    account_id=self.account,
                    provider="stripe",
                    payment_id=f"{name}-payment",
                    order_id=self.order,
                    package_id="pack-100",
                    kind="PURCHASE_KIND_ONE_TIME",
                    price=types_pb2.Money(currency_code="USD", minor_units=999),
                    credits=100,
                    paid_at=now,
                ),
                timeout=stories.DEADLINE_SECONDS,
            )

    def asks(self, address, account=None, words=None):
        """What the program prints."""
        account = self.account if account is None else account
        trace = f"00-{self.trace_id}-{secrets.token_hex(8)}-01"
        command = [*(words or self.words), address, account, self.order, self.request_id, trace]
        ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
        stories.equal(ran.returncode, 0, f"{self.name} ends well: {ran.stderr}")
        return ran.stdout.strip()

    def asks_through(self, refused, account=None):
        """The same when the first attempts are refused; and the attempts, which must be one question."""
        with Between(self.service, refused) as between:
            printed = self.asks(between.address, account)
        attempts = between.attempts
        stories.equal({attempt.path for attempt in attempts}, {EVALUATE}, "what was called")
        stories.equal(len({attempt.request for attempt in attempts}), 1, "the same request each time")
        stories.equal(self.request_id.encode() in attempts[0].request, True, "with its request id")
        traces = {attempt.metadata.get("traceparent", "").split("-")[1:2][0] for attempt in attempts}
        stories.equal(traces, {self.trace_id}, "in its trace")
        left = [attempt.seconds_left for attempt in attempts]
        in_time = 0 < min(left) <= max(left) <= DEADLINE_SECONDS + ROUNDING_SECONDS
        stories.equal(in_time, True, f"with a deadline: {left}")
        return printed, len(attempts)

    def decided_in_its_trace(self):
        with grpc.insecure_channel(self.service, options=[("grpc.enable_http_proxy", 0)]) as channel:
            again = refund_service_pb2_grpc.RefundServiceStub(channel).EvaluateRequest(
                refund_service_pb2.EvaluateRequestRequest(
                    request_id=self.request_id,
                    account_id=self.account,
                    claim=refund_pb2.CLAIM_CREDITS_NOT_DELIVERED,
                    purchase=types_pb2.PurchaseReference(order_id=self.order),
                ),
                timeout=stories.DEADLINE_SECONDS,
            )
        stories.equal(again.decision.trace_id, self.trace_id, f"the trace that {self.name} belongs to")

    def plays(self):
        printed, attempts = self.asks_through(refused=1)
        stories.equal(printed.startswith(APPROVED), True, printed)
        stories.equal(attempts, 2, "attempts until it is answered")
        self.ends(printed)
        printed, attempts = self.asks_through(refused=1, account="")
        stories.equal(printed.startswith("refused: INVALID_FIELD: "), True, printed)
        stories.equal(attempts, 2, "an answer is not asked for again")
        printed, attempts = self.asks_through(refused=100)
        stories.equal(printed, "refused: : not yet", "nobody there")
        stories.equal(attempts, 5, "attempts before it gives up")

    def plays_in_a_browser(self):
        printed = self.asks(self.service)
        stories.equal(printed.startswith(APPROVED), True, printed)
        self.ends(printed)
        printed = self.asks(self.service, account="")
        stories.equal(printed.startswith("refused: INVALID_FIELD: "), True, printed)
        stranger = [*self.words[:-1], "https://evil.example"]
        printed = self.asks(self.service, words=stranger)
        stories.equal(printed, "refused: : HTTP 403", "a page that was not named")

    def ends(self, printed):
        again = self.asks(self.service)
        stories.equal(again, printed.replace(": ", " (as before): ", 1), "the same, asked again")
        self.decided_in_its_trace()


def play(service, rust, typescript, go=None):
    here = os.path.dirname(__file__)
    programs = [
        Program("rust", [rust], service),
        Program("python", [sys.executable, os.path.join(here, "python", "ask.py")], service),
        Program("typescript", ["node", os.path.join(typescript, "ask.js")], service),
    ]
    if go:
        programs.append(Program("go", [go], service))
    browser = Program("browser", ["node", os.path.join(typescript, "browser.js"), PAGE], service)
    failed = 0
    with futures.ThreadPoolExecutor() as pool:
        played = {pool.submit(program.plays): program.name for program in programs}
        played[pool.submit(browser.plays_in_a_browser)] = browser.name
        for future in futures.as_completed(played):
            error = future.exception()
            if error is None:
                print(f"ok      example: {played[future]}")
            else:
                failed += 1
                print(f"FAILED  example: {played[future]}")
                traceback.print_exception(error)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(play(*sys.argv[1:]))
