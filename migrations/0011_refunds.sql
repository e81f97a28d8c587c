-- What each stage of a refund knows, and the lists of refunds and disputes.

ALTER TABLE refund
    -- Since when nothing newer is known of one that is on its way.
    ADD COLUMN stage_since    timestamptz,
    -- When the customer can expect the money (§4.2), by the policy that decided its request.
    ADD COLUMN expected_from  timestamptz,
    ADD COLUMN expected_until timestamptz;

-- Whoever had an answer of the processor had called it by then. What old rows get is witnessed, unless they were lies.
ALTER TABLE refund DISABLE TRIGGER refund_witness;
UPDATE refund SET submitted_at = coalesce(settled_at, created_at)
WHERE stage IN ('unknown', 'succeeded', 'failed') AND submitted_at IS NULL;
UPDATE refund SET stage_since = submitted_at WHERE stage IN ('submitted', 'unknown');
ALTER TABLE refund ENABLE TRIGGER refund_witness;
SELECT witness_again('refund', '{stage_since}');
SELECT witness_again('refund', '{submitted_at,stage_since}');

ALTER TABLE refund
    ADD CONSTRAINT refund_life CHECK (
        (submitted_at IS NOT NULL) = (stage IN ('submitted', 'unknown', 'succeeded', 'failed'))
        AND (stage_since IS NOT NULL) = (stage IN ('submitted', 'unknown'))
        AND (settled_at IS NOT NULL) = (stage IN ('succeeded', 'failed', 'canceled'))
        AND (failure_reason = '' OR stage = 'failed')),
    ADD CONSTRAINT refund_expected CHECK (
        (expected_from IS NULL) = (expected_until IS NULL) AND expected_from <= expected_until
        AND (expected_from IS NULL OR stage IN ('submitted', 'unknown', 'succeeded')));
GRANT UPDATE (stage_since, expected_from, expected_until) ON refund TO makegood_app;

-- Lists over all accounts, and of one. The second holds only what is on its way, so that it stays as small as the work.
CREATE INDEX refund_by_time ON refund (created_at, refund_id);
CREATE INDEX refund_on_its_way ON refund (created_at, refund_id) WHERE stage IN ('pending', 'submitted', 'unknown');
CREATE INDEX refund_of_account ON refund (account_id, created_at, refund_id);

CREATE INDEX chargeback_by_id ON chargeback (chargeback_id);
CREATE INDEX chargeback_by_time ON chargeback (last_event_at DESC, chargeback_id);
CREATE INDEX chargeback_open ON chargeback (last_event_at DESC, chargeback_id) WHERE stage = 'open';
CREATE INDEX chargeback_of_account ON chargeback (account_id, last_event_at DESC, chargeback_id);
