-- Declared incidents, and how far the making good of each has gone. An incident concerns many accounts or all of them,
-- so it is no account's: these two tables are keyed by incident, are small, and are read by every account (a
-- distributed engine keeps them whole on every node). What a restoration moves is the accounts' own and lies with them.

CREATE TABLE incident (
    incident_id uuid        NOT NULL,
    title       text        NOT NULL,
    stage       text        NOT NULL,
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    -- Empty lists mean everyone, and every cause that is not the customer's fault.
    accounts    text[]      NOT NULL,
    causes      text[]      NOT NULL,
    reason      text        NOT NULL,
    declared_by text        NOT NULL,
    declared_at timestamptz NOT NULL,
    resolved_by text,
    resolution  text,
    restored_at timestamptz,
    CONSTRAINT incident_key PRIMARY KEY (incident_id),
    CONSTRAINT incident_stage CHECK (stage IN ('open', 'resolved', 'restored')),
    CONSTRAINT incident_window CHECK (ended_at >= started_at),
    CONSTRAINT incident_ended CHECK (
        (stage = 'open') = (ended_at IS NULL) AND (ended_at IS NULL) = (resolved_by IS NULL)
        AND (ended_at IS NULL) = (resolution IS NULL)),
    CONSTRAINT incident_restored CHECK ((stage = 'restored') = (restored_at IS NOT NULL))
);
CREATE INDEX incident_by_start ON incident (started_at DESC, incident_id);

-- One run over everything that failed in an incident. It walks the failures by account, job and attempt; `after_…` is
-- the last one that it looked at, empty and 0 before the first.
CREATE TABLE restoration (
    incident_id       uuid        NOT NULL,
    restoration_id    uuid        NOT NULL,
    caller            text        NOT NULL,
    request_id        uuid        NOT NULL,
    started_at        timestamptz NOT NULL,
    attempts_total    bigint      NOT NULL,
    after_account_id  text        NOT NULL DEFAULT '',
    after_job_id      text        NOT NULL DEFAULT '',
    after_attempt     integer     NOT NULL DEFAULT 0,
    accounts_seen     bigint      NOT NULL DEFAULT 0,
    attempts_restored bigint      NOT NULL DEFAULT 0,
    attempts_skipped  bigint      NOT NULL DEFAULT 0,
    credits_restored  bigint      NOT NULL DEFAULT 0,
    done_at           timestamptz,
    CONSTRAINT restoration_key PRIMARY KEY (incident_id, restoration_id),
    CONSTRAINT restoration_request_once UNIQUE (caller, request_id),
    CONSTRAINT restoration_incident FOREIGN KEY (incident_id) REFERENCES incident (incident_id),
    CONSTRAINT restoration_sums CHECK (
        attempts_total >= 0 AND accounts_seen >= 0 AND attempts_restored >= 0 AND attempts_skipped >= 0
        AND credits_restored >= attempts_restored)
);

-- The failures, in the order in which a restoration walks them.
CREATE INDEX usage_by_failure ON usage (account_id, job_id, attempt, failed_at) WHERE failed_at IS NOT NULL;

-- Whether an incident covers a failure: both ends of its window are inside. A customer's fault is covered only when
-- its cause is named.
CREATE FUNCTION incident_covers(
    started_at timestamptz, ended_at timestamptz, accounts text[], causes text[],
    account_id text, cause text, fault text, failed_at timestamptz
) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT failed_at >= started_at AND (ended_at IS NULL OR failed_at <= ended_at)
        AND (cardinality(accounts) = 0 OR account_id = ANY (accounts))
        AND CASE WHEN cardinality(causes) = 0 THEN fault <> 'customer' ELSE cause = ANY (causes) END
$$;

-- Whether a failure is ours: by the policy's cause map, or because a declared incident covers it. The one definition
-- for the facts of a decision and for the remedy that gives back what they count.
CREATE FUNCTION failed_through_us(account_id text, cause text, fault text, failed_at timestamptz)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT fault = 'platform' OR EXISTS (
        SELECT FROM incident i
        WHERE incident_covers(i.started_at, i.ended_at, i.accounts, i.causes, account_id, cause, fault, failed_at))
$$;

-- Whether an incident concerns an account: one that is limited to causes only if it covers a failure of the account.
CREATE FUNCTION incident_concerns(
    started_at timestamptz, ended_at timestamptz, accounts text[], causes text[], account_id text
) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT (cardinality(accounts) = 0 OR incident_concerns.account_id = ANY (accounts))
        AND (cardinality(causes) = 0 OR EXISTS (
            SELECT FROM usage u
            WHERE u.account_id = incident_concerns.account_id AND u.failed_at IS NOT NULL
                AND incident_covers(incident_concerns.started_at, incident_concerns.ended_at, accounts, causes,
                    u.account_id, u.cause, u.fault, u.failed_at)))
$$;
