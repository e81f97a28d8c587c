-- The ledger and the desk. Every table is keyed by account first, so that a distributed engine can keep an
-- account's rows together; `external_key` alone is keyed by the processor's ids, which are unique across accounts.
-- Names of constraints have a meaning: see src/store/constraint.rs.

CREATE TABLE policy_version (
    version         text        NOT NULL,
    effective_from  timestamptz NOT NULL,
    document        text        NOT NULL,
    document_sha256 text        NOT NULL,
    published_at    timestamptz NOT NULL,
    CONSTRAINT policy_version_key PRIMARY KEY (version)
);

CREATE TABLE account (
    account_id text        NOT NULL,
    last_seq   bigint      NOT NULL DEFAULT 0,
    last_hash  bytea       NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    last_at    timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT account_key PRIMARY KEY (account_id),
    CONSTRAINT account_seq_not_negative CHECK (last_seq >= 0),
    CONSTRAINT account_hash_is_sha256 CHECK (octet_length(last_hash) = 32)
);

-- A processor's id belongs to one account and one thing, for ever (DESIGN: natural keys).
CREATE TABLE external_key (
    kind        text NOT NULL,
    provider    text NOT NULL,
    external_id text NOT NULL,
    account_id  text NOT NULL,
    CONSTRAINT external_key_key PRIMARY KEY (kind, provider, external_id),
    CONSTRAINT external_key_kind CHECK (kind IN ('payment', 'dispute', 'refund'))
);

CREATE TABLE idempotency_key (
    account_id  text        NOT NULL,
    caller      text        NOT NULL,
    method      text        NOT NULL,
    request_id  uuid        NOT NULL,
    fingerprint text        NOT NULL,
    refused     boolean     NOT NULL,
    answer      text        NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT idempotency_key_key PRIMARY KEY (account_id, caller, method, request_id)
);

CREATE TABLE purchase (
    account_id           text        NOT NULL,
    purchase_id          uuid        NOT NULL,
    provider             text        NOT NULL,
    payment_id           text        NOT NULL,
    order_id             text        NOT NULL,
    package_id           text        NOT NULL,
    kind                 text        NOT NULL,
    renewal              boolean     NOT NULL,
    plan                 text        NOT NULL,
    currency             text        NOT NULL,
    price_minor          bigint      NOT NULL,
    list_price_minor     bigint,
    credits              bigint      NOT NULL,
    bonus_credits        bigint      NOT NULL,
    paid_at              timestamptz NOT NULL,
    credits_expire_at    timestamptz,
    recorded_at          timestamptz NOT NULL,
    delivered_credits    bigint      NOT NULL DEFAULT 0,
    last_delivered_at    timestamptz,
    undeliverable_reason text,
    refunded_credits     bigint      NOT NULL DEFAULT 0,
    refunded_minor       bigint      NOT NULL DEFAULT 0,
    pending_minor        bigint      NOT NULL DEFAULT 0,
    returned_minor       bigint      NOT NULL DEFAULT 0,
    dispute              text        NOT NULL DEFAULT 'none',
    policy_version       text        NOT NULL,
    attributes           jsonb       NOT NULL,
    CONSTRAINT purchase_key PRIMARY KEY (account_id, purchase_id),
    CONSTRAINT purchase_payment_once UNIQUE (account_id, provider, payment_id),
    CONSTRAINT purchase_account FOREIGN KEY (account_id) REFERENCES account (account_id),
    CONSTRAINT purchase_kind CHECK (kind IN ('one_time', 'subscription')),
    CONSTRAINT purchase_dispute CHECK (dispute IN ('none', 'won', 'open', 'lost')),
    CONSTRAINT purchase_sizes CHECK (price_minor >= 0 AND credits > 0 AND bonus_credits >= 0),
    CONSTRAINT purchase_not_over_delivered CHECK (delivered_credits BETWEEN 0 AND credits),
    CONSTRAINT purchase_not_over_refunded CHECK (
        refunded_minor >= 0 AND pending_minor >= 0 AND refunded_minor + pending_minor <= price_minor
        AND refunded_credits BETWEEN 0 AND credits),
    CONSTRAINT purchase_returned CHECK (returned_minor >= 0)
);
CREATE INDEX purchase_by_order ON purchase (account_id, order_id);
CREATE INDEX purchase_by_package ON purchase (account_id, package_id, paid_at);

CREATE TABLE delivery (
    account_id    text        NOT NULL,
    purchase_id   uuid        NOT NULL,
    delivery_id   text        NOT NULL,
    credits       bigint      NOT NULL,
    bonus_credits bigint      NOT NULL,
    delivered_at  timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL,
    CONSTRAINT delivery_key PRIMARY KEY (account_id, purchase_id, delivery_id),
    CONSTRAINT delivery_purchase FOREIGN KEY (account_id, purchase_id) REFERENCES purchase (account_id, purchase_id),
    CONSTRAINT delivery_sizes CHECK (credits > 0 AND bonus_credits >= 0)
);

CREATE TABLE lot (
    account_id  text        NOT NULL,
    lot_id      uuid        NOT NULL,
    source      text        NOT NULL,
    purchase_id uuid,
    order_id    text,
    priority    integer     NOT NULL,
    granted_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    granted     bigint      NOT NULL,
    available   bigint      NOT NULL,
    held        bigint      NOT NULL,
    frozen      bigint      NOT NULL,
    consumed    bigint      NOT NULL,
    expired     bigint      NOT NULL,
    revoked     bigint      NOT NULL,
    refunded    bigint      NOT NULL,
    owed        bigint      NOT NULL,
    disputed    boolean     NOT NULL,
    CONSTRAINT lot_key PRIMARY KEY (account_id, lot_id),
    CONSTRAINT lot_account FOREIGN KEY (account_id) REFERENCES account (account_id),
    CONSTRAINT lot_purchase FOREIGN KEY (account_id, purchase_id) REFERENCES purchase (account_id, purchase_id),
    CONSTRAINT lot_source CHECK (source IN ('purchase', 'bonus', 'promotion', 'compensation')),
    CONSTRAINT lot_buckets_not_negative CHECK (
        granted > 0 AND available >= 0 AND held >= 0 AND frozen >= 0 AND consumed >= 0
        AND expired >= 0 AND revoked >= 0 AND refunded >= 0 AND owed >= 0),
    CONSTRAINT lot_buckets_sum CHECK (
        granted = available + held + frozen + consumed + expired + revoked + refunded)
);
CREATE INDEX lot_open ON lot (account_id) WHERE available + held + frozen > 0;
CREATE INDEX lot_by_purchase ON lot (account_id, purchase_id);

CREATE TABLE usage (
    account_id        text        NOT NULL,
    job_id            text        NOT NULL,
    attempt           integer     NOT NULL,
    stage             text        NOT NULL,
    cost              bigint      NOT NULL,
    outputs           integer     NOT NULL,
    delivered_outputs integer,
    held_at           timestamptz NOT NULL,
    hold_expires_at   timestamptz NOT NULL,
    ended_at          timestamptz,
    trace_id          text,
    cause             text,
    fault             text,
    failed_at         timestamptz,
    reported_at       timestamptz,
    failure_trace_id  text,
    CONSTRAINT usage_key PRIMARY KEY (account_id, job_id, attempt),
    CONSTRAINT usage_account FOREIGN KEY (account_id) REFERENCES account (account_id),
    CONSTRAINT usage_stage CHECK (stage IN ('held', 'captured', 'released', 'expired', 'failed')),
    CONSTRAINT usage_fault CHECK (fault IN ('platform', 'customer', 'undetermined')),
    CONSTRAINT usage_sizes CHECK (cost > 0 AND outputs > 0 AND attempt > 0),
    CONSTRAINT usage_delivered CHECK (delivered_outputs BETWEEN 0 AND outputs),
    CONSTRAINT usage_ended CHECK ((stage = 'held') = (ended_at IS NULL)),
    CONSTRAINT usage_failure CHECK (
        (cause IS NULL) = (fault IS NULL) AND (cause IS NULL) = (failed_at IS NULL)
        AND (cause IS NULL) = (reported_at IS NULL))
);
CREATE INDEX usage_failed_and_charged ON usage (account_id) WHERE stage = 'captured' AND fault IS NOT NULL;
CREATE INDEX usage_by_end ON usage (account_id, ended_at) WHERE ended_at IS NOT NULL;

-- What workers write about a failure lies apart, so that it can be erased.
CREATE TABLE failure_text (
    account_id    text    NOT NULL,
    job_id        text    NOT NULL,
    attempt       integer NOT NULL,
    error_message text    NOT NULL,
    CONSTRAINT failure_text_key PRIMARY KEY (account_id, job_id, attempt),
    CONSTRAINT failure_text_usage FOREIGN KEY (account_id, job_id, attempt)
        REFERENCES usage (account_id, job_id, attempt)
);

CREATE TABLE allocation (
    account_id text    NOT NULL,
    job_id     text    NOT NULL,
    attempt    integer NOT NULL,
    position   integer NOT NULL,
    lot_id     uuid    NOT NULL,
    taken      bigint  NOT NULL,
    captured   bigint  NOT NULL,
    released   bigint  NOT NULL,
    restored   bigint  NOT NULL,
    CONSTRAINT allocation_key PRIMARY KEY (account_id, job_id, attempt, position),
    CONSTRAINT allocation_usage FOREIGN KEY (account_id, job_id, attempt)
        REFERENCES usage (account_id, job_id, attempt),
    CONSTRAINT allocation_lot FOREIGN KEY (account_id, lot_id) REFERENCES lot (account_id, lot_id),
    CONSTRAINT allocation_sums CHECK (
        taken > 0 AND captured >= 0 AND released >= 0 AND captured + released <= taken
        AND restored BETWEEN 0 AND captured)
);
CREATE INDEX allocation_by_lot ON allocation (account_id, lot_id);

CREATE TABLE entry (
    account_id  text        NOT NULL,
    seq         bigint      NOT NULL,
    lot_id      uuid        NOT NULL,
    from_bucket text        NOT NULL,
    to_bucket   text        NOT NULL,
    credits     bigint      NOT NULL,
    cause_kind  text        NOT NULL,
    cause_id    text        NOT NULL,
    actor       text        NOT NULL,
    trace_id    text,
    at          timestamptz NOT NULL,
    prev_hash   bytea       NOT NULL,
    hash        bytea       NOT NULL,
    CONSTRAINT entry_key PRIMARY KEY (account_id, seq),
    CONSTRAINT entry_lot FOREIGN KEY (account_id, lot_id) REFERENCES lot (account_id, lot_id),
    CONSTRAINT entry_credits CHECK (credits > 0),
    CONSTRAINT entry_seq CHECK (seq > 0),
    CONSTRAINT entry_hashes CHECK (octet_length(prev_hash) = 32 AND octet_length(hash) = 32),
    CONSTRAINT entry_buckets CHECK (
        from_bucket <> to_bucket AND to_bucket <> 'granted'
        AND from_bucket IN ('granted', 'available', 'held', 'frozen', 'consumed', 'expired', 'revoked', 'refunded')
        AND to_bucket IN ('available', 'held', 'frozen', 'consumed', 'expired', 'revoked', 'refunded'))
);
CREATE INDEX entry_by_cause ON entry (account_id, cause_kind, cause_id);

CREATE FUNCTION entries_are_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries are never changed or removed' USING CONSTRAINT = 'entry_append_only', ERRCODE = '23514';
END
$$;
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION entries_are_for_ever();

CREATE TABLE refund_request (
    account_id         text        NOT NULL,
    refund_request_id  uuid        NOT NULL,
    purchase_id        uuid,
    names_purchase     boolean     NOT NULL,
    claim              text        NOT NULL,
    stage              text        NOT NULL,
    received_at        timestamptz NOT NULL,
    respond_by         timestamptz NOT NULL,
    first_responded_at timestamptz,
    policy_version     text        NOT NULL,
    job_id             text,
    attempt            integer,
    purchased_at       timestamptz,
    paid_currency      text,
    paid_minor         bigint,
    attempted_at       timestamptz,
    revision           bigint      NOT NULL,
    opened_by          text        NOT NULL,
    CONSTRAINT refund_request_key PRIMARY KEY (account_id, refund_request_id),
    CONSTRAINT refund_request_account FOREIGN KEY (account_id) REFERENCES account (account_id),
    CONSTRAINT refund_request_purchase FOREIGN KEY (account_id, purchase_id)
        REFERENCES purchase (account_id, purchase_id),
    CONSTRAINT refund_request_stage CHECK (stage IN (
        'awaiting_information', 'in_review', 'approved', 'denied', 'withdrawn', 'expired', 'settled'))
);
CREATE INDEX refund_request_by_purchase ON refund_request (account_id, purchase_id);

-- What customers write lies apart from what is kept for ever, so that it can be erased.
CREATE TABLE request_text (
    account_id        text    NOT NULL,
    refund_request_id uuid    NOT NULL,
    ordinal           integer NOT NULL,
    account_email     text,
    explanation       text,
    CONSTRAINT request_text_key PRIMARY KEY (account_id, refund_request_id, ordinal),
    CONSTRAINT request_text_request FOREIGN KEY (account_id, refund_request_id)
        REFERENCES refund_request (account_id, refund_request_id)
);

CREATE TABLE evidence (
    account_id        text    NOT NULL,
    refund_request_id uuid    NOT NULL,
    ordinal           integer NOT NULL,
    kind              text    NOT NULL,
    uri               text    NOT NULL,
    sha256            text    NOT NULL,
    size_bytes        bigint  NOT NULL,
    CONSTRAINT evidence_key PRIMARY KEY (account_id, refund_request_id, ordinal),
    CONSTRAINT evidence_request FOREIGN KEY (account_id, refund_request_id)
        REFERENCES refund_request (account_id, refund_request_id)
);
CREATE INDEX evidence_by_digest ON evidence (account_id, sha256);

CREATE TABLE decision (
    account_id        text        NOT NULL,
    refund_request_id uuid        NOT NULL,
    ordinal           integer     NOT NULL,
    decision_id       uuid        NOT NULL,
    outcome           text        NOT NULL,
    row               text        NOT NULL,
    policy_version    text        NOT NULL,
    document_sha256   text        NOT NULL,
    facts_sha256      text        NOT NULL,
    decision_sha256   text        NOT NULL,
    facts             text        NOT NULL,
    body              text        NOT NULL,
    decided_at        timestamptz NOT NULL,
    trace_id          text,
    CONSTRAINT decision_key PRIMARY KEY (account_id, refund_request_id, ordinal),
    CONSTRAINT decision_request FOREIGN KEY (account_id, refund_request_id)
        REFERENCES refund_request (account_id, refund_request_id)
);

CREATE TABLE refund (
    account_id         text        NOT NULL,
    refund_id          uuid        NOT NULL,
    refund_request_id  uuid        NOT NULL,
    purchase_id        uuid        NOT NULL,
    currency           text        NOT NULL,
    amount_minor       bigint      NOT NULL,
    credits            bigint      NOT NULL,
    stage              text        NOT NULL,
    provider           text        NOT NULL,
    payment_id         text        NOT NULL,
    provider_refund_id text,
    idempotency_key    text        NOT NULL,
    created_at         timestamptz NOT NULL,
    submitted_at       timestamptz,
    settled_at         timestamptz,
    failure_reason     text        NOT NULL,
    CONSTRAINT refund_key PRIMARY KEY (account_id, refund_id),
    CONSTRAINT refund_request_of_refund FOREIGN KEY (account_id, refund_request_id)
        REFERENCES refund_request (account_id, refund_request_id),
    CONSTRAINT refund_purchase FOREIGN KEY (account_id, purchase_id) REFERENCES purchase (account_id, purchase_id),
    CONSTRAINT refund_stage CHECK (stage IN ('pending', 'submitted', 'succeeded', 'failed', 'canceled', 'unknown')),
    CONSTRAINT refund_pays CHECK (amount_minor > 0 AND credits >= 0)
);
CREATE INDEX refund_by_request ON refund (account_id, refund_request_id);
CREATE INDEX refund_by_purchase ON refund (account_id, purchase_id);

CREATE TABLE chargeback (
    account_id      text        NOT NULL,
    chargeback_id   uuid        NOT NULL,
    purchase_id     uuid,
    provider        text        NOT NULL,
    dispute_id      text        NOT NULL,
    payment_id      text        NOT NULL,
    stage           text        NOT NULL,
    phase           text        NOT NULL,
    provider_status text        NOT NULL,
    reason_code     text        NOT NULL,
    currency        text        NOT NULL,
    amount_minor    bigint      NOT NULL,
    losses          jsonb       NOT NULL,
    frozen_credits  bigint      NOT NULL,
    opened_at       timestamptz NOT NULL,
    closed_at       timestamptz,
    last_event_at   timestamptz NOT NULL,
    CONSTRAINT chargeback_key PRIMARY KEY (account_id, chargeback_id),
    CONSTRAINT chargeback_dispute_once UNIQUE (account_id, provider, dispute_id),
    CONSTRAINT chargeback_purchase FOREIGN KEY (account_id, purchase_id)
        REFERENCES purchase (account_id, purchase_id),
    CONSTRAINT chargeback_stage CHECK (stage IN ('open', 'won', 'lost', 'withdrawn')),
    CONSTRAINT chargeback_phase CHECK (phase IN ('inquiry', 'chargeback', 'pre_arbitration', 'arbitration')),
    CONSTRAINT chargeback_closed CHECK ((stage = 'open') = (closed_at IS NULL)),
    CONSTRAINT chargeback_amount CHECK (amount_minor >= 0)
);
CREATE INDEX chargeback_by_purchase ON chargeback (account_id, purchase_id);
CREATE INDEX chargeback_by_payment ON chargeback (account_id, provider, payment_id);

CREATE TABLE chargeback_event (
    account_id      text        NOT NULL,
    chargeback_id   uuid        NOT NULL,
    ordinal         integer     NOT NULL,
    event           text        NOT NULL,
    phase           text        NOT NULL,
    provider_status text        NOT NULL,
    currency        text        NOT NULL,
    amount_minor    bigint      NOT NULL,
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    provider_event_id text,
    CONSTRAINT chargeback_event_key PRIMARY KEY (account_id, chargeback_id, ordinal)
);

CREATE TABLE restriction (
    account_id     text        NOT NULL,
    restriction_id uuid        NOT NULL,
    kind           text        NOT NULL,
    clause         text        NOT NULL,
    chargeback_id  uuid,
    imposed_by     text        NOT NULL,
    since          timestamptz NOT NULL,
    lifted_at      timestamptz,
    lifted_by      text,
    CONSTRAINT restriction_key PRIMARY KEY (account_id, restriction_id),
    CONSTRAINT restriction_account FOREIGN KEY (account_id) REFERENCES account (account_id),
    CONSTRAINT restriction_kind CHECK (kind IN ('suspended', 'purchase_blocked', 'refund_blocked', 'terminated',
        'violation_suspected', 'violation_confirmed')),
    CONSTRAINT restriction_lifted CHECK ((lifted_at IS NULL) = (lifted_by IS NULL))
);
CREATE INDEX restriction_in_force ON restriction (account_id) WHERE lifted_at IS NULL;
