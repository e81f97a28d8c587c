-- Who may do what, beside the rows' own rules: three group roles, which log in nowhere.
--
--   makegood_owner    owns every table. Who runs `makegood migrate` becomes its member; later migrations run as it.
--   makegood_app      the service. Entries, decisions and deliveries it may add, never change; rows that live it may
--                     change in the columns that live. It deletes nothing.
--   makegood_auditor  `makegood audit`. It reads, everything but what customers and workers wrote in words.
--
-- A login gets a role from its administrator: GRANT makegood_app TO the_login. The service and the audit take their
-- role when they connect, whatever else their login may do. Roles belong to the whole server, so they are made where
-- they are missing; where the migrating login may not make roles, an administrator makes them first:
--   CREATE ROLE makegood_owner NOLOGIN; CREATE ROLE makegood_app NOLOGIN; CREATE ROLE makegood_auditor NOLOGIN;
--   GRANT makegood_owner TO the_migrating_login;

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['makegood_owner', 'makegood_app', 'makegood_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of this server was migrated at the same moment
            END;
        END IF;
    END LOOP;
    IF NOT pg_has_role('makegood_owner', 'USAGE') THEN
        EXECUTE format('GRANT makegood_owner TO %I', current_user);
    END IF;
END
$$;

-- What was missing: rows that point to each other within one account. `external_key` and `idempotency_key` point to
-- nothing: the first is no account's, the second is written by every call, always under its account's lock.
ALTER TABLE chargeback ADD CONSTRAINT chargeback_account
    FOREIGN KEY (account_id) REFERENCES account (account_id);
ALTER TABLE chargeback_event ADD CONSTRAINT chargeback_event_chargeback
    FOREIGN KEY (account_id, chargeback_id) REFERENCES chargeback (account_id, chargeback_id);
ALTER TABLE restriction ADD CONSTRAINT restriction_chargeback
    FOREIGN KEY (account_id, chargeback_id) REFERENCES chargeback (account_id, chargeback_id);
ALTER TABLE chargeback_event ADD CONSTRAINT chargeback_event_kind
    CHECK (event IN ('opened', 'updated', 'won', 'lost', 'withdrawn'));
ALTER TABLE chargeback_event ADD CONSTRAINT chargeback_event_phase
    CHECK (phase IN ('inquiry', 'chargeback', 'pre_arbitration', 'arbitration'));
ALTER TABLE chargeback_event ADD CONSTRAINT chargeback_event_amount CHECK (amount_minor >= 0);
ALTER TABLE decision ADD CONSTRAINT decision_digests CHECK (
    octet_length(facts_sha256) = 64 AND octet_length(decision_sha256) = 64 AND octet_length(document_sha256) = 64);

-- Decisions and policy versions are for ever, as entries are; the trigger's name says which promise it keeps.
CREATE FUNCTION rows_are_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'these rows are never changed or removed' USING CONSTRAINT = TG_NAME, ERRCODE = '23514';
END
$$;
CREATE TRIGGER decision_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON decision
    FOR EACH STATEMENT EXECUTE FUNCTION rows_are_for_ever();
CREATE TRIGGER policy_version_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policy_version
    FOR EACH STATEMENT EXECUTE FUNCTION rows_are_for_ever();

-- The owner's schema and tables, those of later migrations among them.
DO $$
DECLARE
    place text := current_schema();
    tbl text;
BEGIN
    IF NOT has_schema_privilege('makegood_owner', place, 'CREATE') THEN
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO makegood_owner', place);
    END IF;
    IF NOT has_schema_privilege('makegood_app', place, 'USAGE')
        OR NOT has_schema_privilege('makegood_auditor', place, 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO makegood_app, makegood_auditor', place);
    END IF;
    FOR tbl IN SELECT tablename FROM pg_tables WHERE schemaname = place AND tableowner = current_user LOOP
        EXECUTE format('ALTER TABLE %I.%I OWNER TO makegood_owner', place, tbl);
        EXECUTE format('GRANT SELECT ON %I.%I TO makegood_app', place, tbl);
        IF tbl = '_sqlx_migrations' THEN
            EXECUTE format('GRANT SELECT ON %I.%I TO makegood_auditor', place, tbl);
            CONTINUE;
        END IF;
        EXECUTE format('GRANT INSERT ON %I.%I TO makegood_app', place, tbl);
        IF tbl NOT IN ('request_text', 'failure_text') THEN
            EXECUTE format('GRANT SELECT ON %I.%I TO makegood_auditor', place, tbl);
        END IF;
    END LOOP;
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE makegood_owner IN SCHEMA %I
        GRANT SELECT, INSERT ON TABLES TO makegood_app', place);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE makegood_owner IN SCHEMA %I
        GRANT SELECT ON TABLES TO makegood_auditor', place);
END
$$;
ALTER FUNCTION entries_are_for_ever() OWNER TO makegood_owner;
ALTER FUNCTION rows_are_for_ever() OWNER TO makegood_owner;

-- An audit proves that no text is an orphan without reading it.
GRANT SELECT (account_id, refund_request_id, ordinal) ON request_text TO makegood_auditor;
GRANT SELECT (account_id, job_id, attempt) ON failure_text TO makegood_auditor;

-- What lives. Identities, prices, instants of the past and everything else stay as they were written.
GRANT UPDATE (last_seq, last_hash, last_at) ON account TO makegood_app;
GRANT UPDATE (expires_at, available, held, frozen, consumed, expired, revoked, refunded, owed, disputed)
    ON lot TO makegood_app;
GRANT UPDATE (stage, delivered_outputs, ended_at, cause, fault, failed_at, reported_at, failure_trace_id)
    ON usage TO makegood_app;
GRANT UPDATE (captured, released, restored) ON allocation TO makegood_app;
GRANT UPDATE (delivered_credits, last_delivered_at, undeliverable_reason, refunded_credits, refunded_minor,
    pending_minor, returned_minor, dispute) ON purchase TO makegood_app;
GRANT UPDATE (stage, provider_refund_id, submitted_at, settled_at, failure_reason) ON refund TO makegood_app;
GRANT UPDATE (purchase_id, names_purchase, stage, respond_by, first_responded_at, job_id, attempt, purchased_at,
    paid_currency, paid_minor, attempted_at, revision) ON refund_request TO makegood_app;
GRANT UPDATE ON chargeback TO makegood_app;
GRANT UPDATE (lifted_at, lifted_by) ON restriction TO makegood_app;
-- A dispute that waited for its purchase moves to the purchase's account, its history with it.
GRANT UPDATE (account_id) ON chargeback_event, external_key TO makegood_app;
-- All of an incident, since a decision locks the table against declarations while it counts failures.
GRANT UPDATE ON incident TO makegood_app;
GRANT UPDATE (after_account_id, after_job_id, after_attempt, accounts_seen, attempts_restored, attempts_skipped,
    credits_restored, done_at) ON restoration TO makegood_app;

-- The migrations after this one, in the same session, make their tables as the owner.
SET ROLE makegood_owner;
