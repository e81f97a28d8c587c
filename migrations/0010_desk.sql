-- The life of refund requests: who waits for whom and until when, what persons decided and wrote, and the queue.

ALTER TABLE refund_request
    -- Since when the customer waits, when that is later than the receipt; `respond_by` belongs to this wait.
    ADD COLUMN waiting_since      timestamptz,
    ADD COLUMN first_response     text,
    -- The purchase as the customer named it, so that one recorded later can be found.
    ADD COLUMN named_purchase     jsonb,
    ADD COLUMN asked              text[]  NOT NULL DEFAULT '{}',
    ADD COLUMN decisions          integer NOT NULL DEFAULT 0,
    ADD COLUMN last_row           text    NOT NULL DEFAULT '',
    ADD COLUMN restored_credits   bigint  NOT NULL DEFAULT 0,
    ADD COLUMN approvals_required integer NOT NULL DEFAULT 0,
    ADD COLUMN expires_at         timestamptz,
    ADD COLUMN closed_at          timestamptz,
    ADD COLUMN assignee           text,
    -- Excepted from one open request for each purchase: reopened by a refund that failed while another was open, or
    -- older than the rule.
    ADD COLUMN shares_purchase    boolean NOT NULL DEFAULT false;

-- What old rows get here is witnessed at the end, so that a row which is a lie stays one.
ALTER TABLE refund_request DISABLE TRIGGER refund_request_witness;
UPDATE refund_request r SET
    decisions = d.number,
    last_row = d.last_row,
    asked = coalesce((
        SELECT array_agg(DISTINCT asked.word)
        FROM decision q, jsonb_array_elements_text(q.body::jsonb -> 'requested_details') AS asked (word)
        WHERE q.account_id = r.account_id AND q.refund_request_id = r.refund_request_id), '{}'),
    restored_credits = coalesce((
        SELECT sum(q.given_credits) FROM decision q
        WHERE q.account_id = r.account_id AND q.refund_request_id = r.refund_request_id), 0),
    first_response = CASE WHEN r.first_responded_at IS NULL THEN NULL ELSE CASE d.first_outcome
        WHEN 'APPROVE' THEN 'approval' WHEN 'DENY' THEN 'denial' ELSE 'question' END END,
    approvals_required = CASE WHEN r.stage = 'in_review' THEN 1 ELSE 0 END,
    closed_at = CASE WHEN r.stage IN ('denied', 'withdrawn', 'expired', 'settled')
        THEN coalesce(d.last_at, r.received_at) END
FROM (SELECT account_id, refund_request_id, count(*)::integer AS number, max(decided_at) AS last_at,
        (array_agg(row ORDER BY ordinal DESC))[1] AS last_row,
        (array_agg(outcome ORDER BY ordinal) FILTER (WHERE outcome <> 'REVIEW'))[1] AS first_outcome
    FROM decision GROUP BY account_id, refund_request_id) d
WHERE d.account_id = r.account_id AND d.refund_request_id = r.refund_request_id;

UPDATE refund_request r SET shares_purchase = true
WHERE r.stage IN ('awaiting_information', 'in_review') AND EXISTS (
    SELECT FROM refund_request older
    WHERE older.account_id = r.account_id AND older.purchase_id = r.purchase_id
        AND older.stage IN ('awaiting_information', 'in_review')
        AND older.refund_request_id < r.refund_request_id);
ALTER TABLE refund_request ENABLE TRIGGER refund_request_witness;

ALTER TABLE refund_request
    ADD CONSTRAINT refund_request_first_response CHECK (
        (first_responded_at IS NULL) = (first_response IS NULL)
        AND first_response IN ('approval', 'denial', 'question')),
    ADD CONSTRAINT refund_request_closed CHECK (
        (closed_at IS NOT NULL) = (stage IN ('denied', 'withdrawn', 'expired', 'settled'))),
    ADD CONSTRAINT refund_request_expires CHECK (expires_at IS NULL OR stage = 'awaiting_information'),
    ADD CONSTRAINT refund_request_counts CHECK (
        decisions >= 0 AND restored_credits >= 0 AND approvals_required BETWEEN 0 AND 2);

-- A purchase has one open request at most.
CREATE UNIQUE INDEX refund_request_one_open ON refund_request (account_id, purchase_id)
    WHERE stage IN ('awaiting_information', 'in_review') AND NOT shares_purchase;
-- The queue of all accounts by urgency; the first holds only what is open, so that it stays as small as the work.
CREATE INDEX refund_request_open_queue ON refund_request (respond_by, refund_request_id)
    WHERE stage IN ('awaiting_information', 'in_review');
CREATE INDEX refund_request_queue ON refund_request (respond_by, refund_request_id);
CREATE INDEX refund_request_of_account ON refund_request (account_id, respond_by, refund_request_id);
-- What the sweep looks for.
CREATE INDEX refund_request_by_expiry ON refund_request (expires_at, account_id) WHERE expires_at IS NOT NULL;

-- What persons wrote about a request, and why they decided as they did. The words can be erased (text set to NULL);
-- their digest stays.
CREATE TABLE request_note (
    account_id        text        NOT NULL,
    refund_request_id uuid        NOT NULL,
    ordinal           integer     NOT NULL,
    author            text        NOT NULL,
    written_at        timestamptz NOT NULL,
    is_reason         boolean     NOT NULL,
    text              text,
    text_sha256       text        NOT NULL,
    CONSTRAINT request_note_key PRIMARY KEY (account_id, refund_request_id, ordinal),
    CONSTRAINT request_note_request FOREIGN KEY (account_id, refund_request_id)
        REFERENCES refund_request (account_id, refund_request_id),
    CONSTRAINT request_note_digest CHECK (length(text_sha256) = 64)
);
REVOKE SELECT ON request_note FROM makegood_auditor;
GRANT SELECT (account_id, refund_request_id, ordinal, author, written_at, is_reason, text_sha256) ON request_note
    TO makegood_auditor;

-- Who approved what. Those count that approved the same since the last decision.
CREATE TABLE approval (
    account_id        text        NOT NULL,
    refund_request_id uuid        NOT NULL,
    ordinal           integer     NOT NULL,
    after_decisions   integer     NOT NULL,
    approver          text        NOT NULL,
    approved_at       timestamptz NOT NULL,
    proposal          text        NOT NULL,
    reason_note       integer     NOT NULL,
    CONSTRAINT approval_key PRIMARY KEY (account_id, refund_request_id, ordinal),
    CONSTRAINT approval_reason FOREIGN KEY (account_id, refund_request_id, reason_note)
        REFERENCES request_note (account_id, refund_request_id, ordinal)
);

-- A decision is the policy's, which names its row, or a person's, who gives a reason.
ALTER TABLE decision
    ADD COLUMN decided_by  text,
    ADD COLUMN reason_note integer,
    ADD CONSTRAINT decision_decider CHECK (
        (decided_by IS NULL) = (row <> '') AND (decided_by IS NULL) = (reason_note IS NULL)),
    ADD CONSTRAINT decision_reason FOREIGN KEY (account_id, refund_request_id, reason_note)
        REFERENCES request_note (account_id, refund_request_id, ordinal);

-- Before which decision a paper came.
ALTER TABLE evidence ADD COLUMN decision_ordinal integer NOT NULL DEFAULT 1;

-- How the money goes back (§4.2).
ALTER TABLE refund
    ADD COLUMN method text NOT NULL DEFAULT 'original_payment',
    ADD CONSTRAINT refund_method CHECK (method IN ('original_payment', 'other'));

GRANT UPDATE (waiting_since, first_response, named_purchase, asked, decisions, last_row, restored_credits,
    approvals_required, expires_at, closed_at, assignee, shares_purchase) ON refund_request TO makegood_app;

CREATE TRIGGER approval_witness AFTER INSERT OR UPDATE ON approval
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,refund_request_id,ordinal}', '{}');
CREATE TRIGGER request_note_witness AFTER INSERT OR UPDATE ON request_note
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,refund_request_id,ordinal}', '{}');
SELECT witness_again('refund_request', '{waiting_since,first_response,named_purchase,asked,decisions,last_row,
    restored_credits,approvals_required,expires_at,closed_at,assignee,shares_purchase}');
SELECT witness_again('evidence', '{decision_ordinal}');
SELECT witness_again('refund', '{method}');
