-- Policy versions that are published while servers run, and decisions that are read across all accounts.

-- Who brought a version, who approved it, and why. The one that ships was approved by nobody here.
ALTER TABLE policy_version
    ADD COLUMN title        text NOT NULL DEFAULT '',
    ADD COLUMN published_by text NOT NULL DEFAULT 'system',
    ADD COLUMN approver     text NOT NULL DEFAULT '',
    ADD COLUMN reason       text NOT NULL DEFAULT 'came with the service';
-- The title stands in the document; those that are stored already are read once.
ALTER TABLE policy_version DISABLE TRIGGER policy_version_append_only;
UPDATE policy_version SET title = coalesce(substring(document FROM '(?n)^title = "([^"]*)"'), '');
ALTER TABLE policy_version ENABLE TRIGGER policy_version_append_only;
-- Of two versions that begin together, nobody could say which one decides.
ALTER TABLE policy_version ADD CONSTRAINT policy_version_begins_once UNIQUE (effective_from);

-- Until when some server may decide without asking again which versions there are. Servers move it forward while they
-- hold its row, and a version is published while its row is held, too, to begin no earlier: so no server ever decides
-- by a version where another would decide by a later one. It is one row, no account's.
CREATE TABLE policy_horizon (
    single boolean     NOT NULL DEFAULT true,
    until  timestamptz NOT NULL,
    CONSTRAINT policy_horizon_key PRIMARY KEY (single),
    CONSTRAINT policy_horizon_is_one_row CHECK (single)
);
-- Until now everything was decided by what was there.
INSERT INTO policy_horizon (until) SELECT coalesce(max(last_at), 'epoch') FROM account;
GRANT UPDATE (until) ON policy_horizon TO makegood_app;

-- What a decision gives, read out of its text once, so that a backtest need not read a million texts. It cannot differ
-- from the text, since the database computes it.
CREATE FUNCTION decision_money(body text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum((remedy -> 'money' ->> 'minor_units')::bigint), 0)::bigint
    FROM json_array_elements(body::json -> 'remedies') remedy
$$;
CREATE FUNCTION decision_currency(body text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT max(remedy -> 'money' ->> 'currency') FROM json_array_elements(body::json -> 'remedies') remedy
$$;
-- Credits given to the customer; those given up for money are none.
CREATE FUNCTION decision_credits(body text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum((remedy ->> 'credits')::bigint), 0)::bigint
    FROM json_array_elements(body::json -> 'remedies') remedy
    WHERE remedy ->> 'kind' NOT LIKE 'refund\_%'
$$;
-- The kinds of the remedies, in their order.
CREATE FUNCTION decision_remedies(body text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(string_agg(remedy ->> 'kind', ',' ORDER BY place), '')
    FROM json_array_elements(body::json -> 'remedies') WITH ORDINALITY AS remedies (remedy, place)
$$;
ALTER TABLE decision
    ADD COLUMN given_minor    bigint GENERATED ALWAYS AS (decision_money(body)) STORED,
    ADD COLUMN given_currency text   GENERATED ALWAYS AS (decision_currency(body)) STORED,
    ADD COLUMN given_credits  bigint GENERATED ALWAYS AS (decision_credits(body)) STORED,
    ADD COLUMN given_remedies text   GENERATED ALWAYS AS (decision_remedies(body)) STORED,
    -- Which facts the catalogue had: one that came later and is not stored is not known, instead of known to be absent.
    ADD COLUMN catalogue      integer NOT NULL DEFAULT 1;
ALTER TABLE decision ADD CONSTRAINT decision_id_once UNIQUE (account_id, decision_id);

-- Decisions in the order of time, for backtests.
CREATE INDEX decision_by_time ON decision (decided_at, decision_id);

SELECT witness_again('policy_version', '{title,published_by,approver,reason}');
SELECT witness_again('decision', '{given_minor,given_currency,given_credits,given_remedies,catalogue}');
