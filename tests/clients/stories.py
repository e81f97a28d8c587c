"""The stories that every client plays, and what each answer must be."""

import datetime
import traceback
import uuid

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

DEADLINE_SECONDS = 30
NOON = datetime.datetime(2025, 3, 3, 12, tzinfo=datetime.timezone.utc)


class Desk:
    """A connection to the service. How a method is found and its messages are made is up to each client."""

    name = ""

    def __init__(self, address):
        # A proxy of the environment is for other hosts than our own.
        self.channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])

    def method(self, service, method):
        """The class of a method's request, and what calls it."""
        raise NotImplementedError

    def call(self, service, method, at=NOON, **fields):
        """Calls at an instant of the test clock. Answers the response."""
        request, call = self.method(service, method)
        metadata = [("makegood-test-clock", at.isoformat())]
        return call(request(**fields), metadata=metadata, timeout=DEADLINE_SECONDS)

    def credits(self, method, at=NOON, **fields):
        return self.call("CreditService", method, at, **fields)

    def refunds(self, method, at=NOON, **fields):
        return self.call("RefundService", method, at, **fields)

    def account(self, person):
        """Every client has its own accounts."""
        return f"{self.name}-{person}"

    def payment(self, number):
        return {"provider": "stripe", "payment_id": f"{self.name}-{number}"}

    def buy(self, person, number, at=NOON):
        """Buys and delivers 100 credits for 9.99 USD."""
        account, payment = self.account(person), self.payment(number)
        self.credits(
            "RecordPurchase",
            at,
            request_id=key(),
            account_id=account,
            order_id=f"order-{number}",
            package_id="pack-100",
            kind="PURCHASE_KIND_ONE_TIME",
            price={"currency_code": "USD", "minor_units": 999},
            credits=100,
            paid_at=timestamp(at),
            **payment,
        )
        self.credits(
            "DeliverCredits",
            at,
            request_id=key(),
            account_id=account,
            purchase={"payment": payment},
            delivery_id=f"delivery-{number}",
            credits=100,
            delivered_at=timestamp(at),
        )

    def use(self, person, job, credits):
        """Spends credits on an attempt at a job."""
        attempt = {"account_id": self.account(person), "job_id": job, "attempt": 1}
        self.credits("HoldCredits", request_id=key(), credits=credits, **attempt)
        self.credits("CaptureCredits", request_id=key(), **attempt)

    def balance(self, person, at=NOON):
        """What is available, held and frozen."""
        balance = self.credits("GetBalance", at, account_id=self.account(person)).balance
        return balance.available, balance.held, balance.frozen

    def dispute(self, number, event, at):
        return self.refunds(
            "RecordChargeback",
            at,
            request_id=key(),
            dispute_id=f"dispute-{self.name}-{number}",
            event=event,
            amount={"currency_code": "USD", "minor_units": 999},
            occurred_at=timestamp(at),
            **self.payment(number),
        )


def key():
    """A new request id."""
    return str(uuid.uuid4())


def timestamp(at):
    return {"seconds": int(at.timestamp())}


def later(**spans):
    return NOON + datetime.timedelta(**spans)


def word(message, field):
    """The name of an enumeration's value."""
    values = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return values[getattr(message, field)].name


def equal(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r} instead of {wanted!r}")


def money(amount):
    return amount.minor_units, amount.currency_code


def a_double_click_is_refunded(desk):
    desk.buy("ada", 1)
    desk.buy("ada", 2, later(seconds=4))
    claim = {
        "account_id": desk.account("ada"),
        "claim": "CLAIM_DUPLICATE_PURCHASE",
        "purchase": {"payment": desk.payment(2)},
    }
    preview = desk.refunds("EvaluateRequest", later(hours=1), validate_only=True, **claim)
    equal(word(preview.decision, "outcome"), "OUTCOME_APPROVE", "the preview's outcome")
    equal(preview.refund_request.refund_request_id, "", "the preview's request")
    equal(desk.balance("ada", later(hours=1)), (200, 0, 0), "the balance after the preview")

    answer = desk.refunds("EvaluateRequest", later(hours=1), request_id=key(), **claim)
    request, decision = answer.refund_request, answer.decision
    equal(word(decision, "outcome"), "OUTCOME_APPROVE", "the outcome")
    equal((decision.row, list(decision.clauses)), ("14", ["2.1"]), "the row and its clauses")
    equal([word(remedy, "kind") for remedy in decision.remedies], ["REMEDY_KIND_REFUND_FULL"], "the remedies")
    equal(money(decision.remedies[0].amount), (999, "USD"), "the remedy's amount")
    equal("§2.1" in decision.sentence, True, f"the clause is cited in `{decision.sentence}`")
    equal("9.99" in decision.sentence, True, f"the amount is told in `{decision.sentence}`")
    equal(decision.canonical, preview.decision.canonical, "what the preview decided")
    equal(word(request, "stage"), "REFUND_REQUEST_STAGE_APPROVED", "the request's stage")
    equal(desk.balance("ada", later(hours=1)), (100, 0, 0), "the balance")
    (refund,) = request.refunds
    equal((money(refund.amount), refund.credits), ((999, "USD"), 100), "the refund")
    equal(word(refund, "stage"), "REFUND_STAGE_PENDING", "the refund's stage")
    equal(refund.idempotency_key != "", True, "the refund has an idempotency key")

    settled = desk.refunds(
        "RecordRefundResult",
        later(days=2),
        request_id=key(),
        account_id=desk.account("ada"),
        refund_id=refund.refund_id,
        result="REFUND_RESULT_SUCCEEDED",
        provider_refund_id=f"refund-{desk.name}-2",
        occurred_at=timestamp(later(days=2)),
    )
    equal(word(settled.refund_request, "stage"), "REFUND_REQUEST_STAGE_SETTLED", "the stage in the end")
    read = desk.refunds(
        "GetRefundRequest",
        later(days=2),
        account_id=desk.account("ada"),
        refund_request_id=request.refund_request_id,
    ).refund_request
    equal(read.decisions[0].canonical, decision.canonical, "the decision as it is kept")


def a_failed_job_has_its_credits_back(desk):
    desk.buy("bea", 3)
    desk.use("bea", "job-1", 30)
    equal(desk.balance("bea"), (70, 0, 0), "the balance before")
    report = {
        "account_id": desk.account("bea"),
        "job_id": "job-1",
        "attempt": 1,
        "cause": "worker_crash",
        "failed_at": timestamp(NOON),
    }
    first = desk.credits("RestoreCredits", request_id=key(), **report)
    equal(word(first, "outcome"), "RESTORE_OUTCOME_RESTORED", "the outcome")
    equal((first.credits_restored, first.clause), (30, "2.2"), "credits and clause")
    equal(word(first, "fault"), "FAULT_PLATFORM", "the fault")
    equal(desk.balance("bea"), (100, 0, 0), "the balance after")
    again = desk.credits("RestoreCredits", request_id=key(), **report)
    equal(word(again, "outcome"), "RESTORE_OUTCOME_ALREADY_RESTORED", "the outcome of another report")
    equal(desk.balance("bea"), (100, 0, 0), "the balance after another report")


def a_dispute_freezes_revokes_and_gives_back(desk):
    desk.buy("cyd", 4)
    desk.use("cyd", "job-1", 30)
    opened = desk.dispute(4, "CHARGEBACK_EVENT_KIND_OPENED", later(days=1))
    equal(opened.chargeback.frozen_credits, 70, "frozen credits")
    equal(opened.account.may_spend, False, "may spend during the dispute")
    equal(desk.balance("cyd", later(days=1)), (0, 0, 70), "the balance during the dispute")
    lost = desk.dispute(4, "CHARGEBACK_EVENT_KIND_LOST", later(days=7)).chargeback
    equal((lost.revoked_credits, lost.shortfall_credits), (70, 30), "revoked credits and shortfall")
    equal(desk.balance("cyd", later(days=7)), (0, 0, 0), "the balance after the loss")
    won = desk.dispute(4, "CHARGEBACK_EVENT_KIND_WON", later(days=17))
    equal(word(won.chargeback, "stage"), "CHARGEBACK_STAGE_WON", "the stage in the end")
    equal(won.account.may_spend, True, "may spend in the end")
    equal(desk.balance("cyd", later(days=17)), (70, 0, 0), "the balance in the end")


def a_bad_call_names_every_wrong_field(desk):
    try:
        desk.credits("HoldCredits", request_id="no uuid", account_id="", job_id="job", attempt=1, credits=-5)
    except grpc.RpcError as error:
        equal(error.code(), grpc.StatusCode.INVALID_ARGUMENT, "the code")
        info, violations = details(error)
        equal((info.domain, info.reason), ("makegood.v1", "INVALID_FIELD"), "the reason")
        equal(violations, {"request_id", "account_id", "credits"}, "the fields")
    else:
        raise AssertionError("a bad call was answered")


def details(error):
    """The reason and the fields of a refusal."""
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in rpc_status.from_call(error).details:
        for message in (info, bad):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    return info, {violation.field for violation in bad.field_violations}


STORIES = [
    a_double_click_is_refunded,
    a_failed_job_has_its_credits_back,
    a_dispute_freezes_revokes_and_gives_back,
    a_bad_call_names_every_wrong_field,
]


def play(desk, *more):
    """Plays every story. Answers how many failed."""
    failed = 0
    stories = [*STORIES, *more]
    for story in stories:
        title = f"{desk.name} client: {story.__name__.replace('_', ' ')}"
        try:
            story(desk)
            print(f"ok      {title}")
        except Exception:  # whatever went wrong, the other stories are told, too
            failed += 1
            print(f"FAILED  {title}\n{traceback.format_exc()}")
    print(f"{desk.name} client: {len(stories) - failed} passed, {failed} failed", flush=True)
    desk.channel.close()
    return min(failed, 1)
