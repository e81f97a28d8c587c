-- Witnesses: what the service last wrote into a row, as a digest that lies apart from it. Entries prove themselves by
-- their chain and the buckets, attempts and allocations are proved by entries; everything else that the desk rests on
-- is proved by its witness: a row that somebody changed, added or removed past the triggers disagrees with it, and the
-- audit names the row. Rows that workers write by the thousand a second have none, so they do not pay for it.

CREATE TABLE witness (
    -- Empty for what is no account's.
    account_id text  NOT NULL,
    of_table   text  NOT NULL,
    of_key     text  NOT NULL,
    digest     bytea NOT NULL,
    CONSTRAINT witness_key PRIMARY KEY (account_id, of_table, of_key),
    CONSTRAINT witness_digest CHECK (octet_length(digest) = 32)
);
-- The triggers write it with their owner's rights; the service itself may not.
REVOKE INSERT ON witness FROM makegood_app;

-- A row's key, its parts joined as the audit writes them.
CREATE FUNCTION row_key(whole jsonb, key_columns text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(whole ->> name, '/' ORDER BY place) FROM unnest(key_columns) WITH ORDINALITY AS k (name, place)
$$;

-- What a witness keeps of a row: everything but the columns that are proved otherwise. Columns without a value do not
-- count, so a later migration may add them; one that gives old rows a value says so by `witness_again`.
CREATE FUNCTION row_digest(whole jsonb, proved_otherwise text[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(convert_to((jsonb_strip_nulls(whole) - proved_otherwise)::text, 'UTF8'))
$$;

-- Its arguments: the columns of the key, and the columns that are proved otherwise.
CREATE FUNCTION bear_witness() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' AS $$
DECLARE
    old_row jsonb := to_jsonb(OLD);
    new_row jsonb := to_jsonb(NEW);
    old_key text := row_key(old_row, TG_ARGV[0]::text[]);
    new_key text := row_key(new_row, TG_ARGV[0]::text[]);
BEGIN
    -- It was removed, or moved to another key or account.
    IF old_row IS NOT NULL AND (old_key, old_row -> 'account_id') IS DISTINCT FROM (new_key, new_row -> 'account_id') THEN
        DELETE FROM witness w WHERE w.account_id = coalesce(old_row ->> 'account_id', '')
            AND w.of_table = TG_TABLE_NAME AND w.of_key = old_key;
    END IF;
    IF new_row IS NOT NULL THEN
        INSERT INTO witness AS w (account_id, of_table, of_key, digest)
        VALUES (coalesce(new_row ->> 'account_id', ''), TG_TABLE_NAME, new_key,
            row_digest(new_row, TG_ARGV[1]::text[]))
        ON CONFLICT ON CONSTRAINT witness_key DO UPDATE SET digest = excluded.digest;
    END IF;
    RETURN NULL;
END
$$;

-- Every row that should have a witness, as it is now. Run with its owner's rights, so that an auditor can prove words
-- that it may not read.
CREATE FUNCTION witnessed_rows() RETURNS TABLE (account_id text, of_table text, of_key text, digest bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET timezone = 'UTC' AS $$
DECLARE
    told record;
BEGIN
    FOR told IN
        SELECT DISTINCT c.relname, string_to_array(encode(t.tgargs, 'escape'), '\000') AS args
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE t.tgfoid = 'bear_witness'::regproc
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT coalesce(whole ->> ''account_id'', ''''), %L, row_key(whole, $1), row_digest(whole, $2)
             FROM (SELECT to_jsonb(t) AS whole FROM %I t) AS rows', told.relname, told.relname)
        USING told.args[1]::text[], told.args[2]::text[];
    END LOOP;
END
$$;

-- For a migration that added columns in which old rows have a value: what was as witnessed without them is witnessed
-- with them, and what was not stays a lie.
CREATE FUNCTION witness_again(changed_table text, added text[]) RETURNS void
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    args text[] := (SELECT string_to_array(encode(t.tgargs, 'escape'), '\000') FROM pg_trigger t
        WHERE t.tgrelid = changed_table::regclass AND t.tgfoid = 'bear_witness'::regproc LIMIT 1);
BEGIN
    EXECUTE format(
        'UPDATE witness w SET digest = row_digest(whole, $2) FROM (SELECT to_jsonb(t) AS whole FROM %I t) AS rows
         WHERE w.account_id = coalesce(whole ->> ''account_id'', '''') AND w.of_table = %L
            AND w.of_key = row_key(whole, $1) AND w.digest = row_digest(whole, $2 || $3)', changed_table, changed_table)
    USING args[1]::text[], args[2]::text[], added;
END
$$;

-- Nothing that a caller put before the schema may stand in for its tables.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION bear_witness() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION witnessed_rows() SET search_path = %I, pg_temp', current_schema());
END
$$;
REVOKE EXECUTE ON FUNCTION witnessed_rows(), witness_again(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION witnessed_rows() TO makegood_auditor;

-- What never changes, and what lives: both are witnessed whenever they are written.
CREATE TRIGGER policy_version_witness AFTER INSERT ON policy_version
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{version}', '{}');
CREATE TRIGGER external_key_witness AFTER INSERT OR UPDATE ON external_key
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{kind,provider,external_id}', '{}');
CREATE TRIGGER purchase_witness AFTER INSERT OR UPDATE ON purchase
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,purchase_id}', '{}');
CREATE TRIGGER delivery_witness AFTER INSERT OR UPDATE ON delivery
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,purchase_id,delivery_id}', '{}');
CREATE TRIGGER refund_request_witness AFTER INSERT OR UPDATE ON refund_request
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,refund_request_id}', '{}');
CREATE TRIGGER evidence_witness AFTER INSERT OR UPDATE ON evidence
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,refund_request_id,ordinal}', '{}');
CREATE TRIGGER decision_witness AFTER INSERT ON decision
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,refund_request_id,ordinal}', '{}');
CREATE TRIGGER refund_witness AFTER INSERT OR UPDATE ON refund
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,refund_id}', '{}');
CREATE TRIGGER chargeback_witness AFTER INSERT OR UPDATE ON chargeback
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,chargeback_id}', '{}');
CREATE TRIGGER chargeback_event_witness AFTER INSERT OR UPDATE ON chargeback_event
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,chargeback_id,ordinal}', '{}');
CREATE TRIGGER restriction_witness AFTER INSERT OR UPDATE ON restriction
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,restriction_id}', '{}');
CREATE TRIGGER incident_witness AFTER INSERT OR UPDATE ON incident
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{incident_id}', '{}');
CREATE TRIGGER restoration_witness AFTER INSERT OR UPDATE ON restoration
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{incident_id,restoration_id}', '{}');

-- Words. They may be erased, by the tables' owner and with the triggers on: their witness then goes with them.
CREATE TRIGGER operator_note_witness AFTER INSERT OR UPDATE ON operator_note
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,seq}', '{}');
CREATE TRIGGER request_text_witness AFTER INSERT OR UPDATE OR DELETE ON request_text
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,refund_request_id,ordinal}', '{}');
CREATE TRIGGER failure_text_witness AFTER INSERT OR UPDATE OR DELETE ON failure_text
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,job_id,attempt}', '{}');

-- Of what workers change, the part that they do not: where a chain ends and what lies in a bucket is proved by entries.
CREATE TRIGGER account_witness AFTER INSERT ON account
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id}', '{revision,last_seq,last_hash,last_at}');
CREATE TRIGGER lot_witness AFTER INSERT ON lot FOR EACH ROW EXECUTE FUNCTION bear_witness(
    '{account_id,lot_id}', '{available,held,frozen,consumed,expired,revoked,refunded,owed,disputed,is_open,is_spendable}');
CREATE TRIGGER lot_expiry_witness AFTER UPDATE OF expires_at ON lot FOR EACH ROW
    WHEN (OLD.expires_at IS DISTINCT FROM NEW.expires_at) EXECUTE FUNCTION bear_witness(
    '{account_id,lot_id}', '{available,held,frozen,consumed,expired,revoked,refunded,owed,disputed,is_open,is_spendable}');

-- What was there before.
INSERT INTO witness (account_id, of_table, of_key, digest) SELECT * FROM witnessed_rows();

-- A person's reasons may speak of a customer, so an auditor reads that there is one, and its digest, not the words.
REVOKE SELECT ON operator_note FROM makegood_auditor;
GRANT SELECT (account_id, seq, clause, reason_sha256) ON operator_note TO makegood_auditor;
