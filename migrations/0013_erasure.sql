-- Erasure: what persons wrote in an account, or others about them, goes on request, and that it went stays on record.
-- Entries, decisions, amounts and digests stay, so that chain and books still prove themselves.

-- Each erasure of an account, for ever. What it took is counted by place, so that words which somebody else emptied in
-- its name do not fit its count.
CREATE TABLE account_erasure (
    account_id     text        NOT NULL,
    ordinal        integer     NOT NULL,
    erased_by      text        NOT NULL,
    erased_at      timestamptz NOT NULL,
    -- Why. It may name a person again, so it is words as well: the next erasure takes it.
    reason_note    integer     NOT NULL,
    request_texts  integer     NOT NULL,
    request_notes  integer     NOT NULL,
    evidence       integer     NOT NULL,
    account_notes  integer     NOT NULL,
    operator_notes integer     NOT NULL,
    failure_texts  integer     NOT NULL,
    CONSTRAINT account_erasure_key PRIMARY KEY (account_id, ordinal),
    CONSTRAINT account_erasure_account FOREIGN KEY (account_id) REFERENCES account (account_id),
    CONSTRAINT account_erasure_reason FOREIGN KEY (account_id, reason_note) REFERENCES account_note (account_id, ordinal),
    CONSTRAINT account_erasure_counts CHECK (request_texts >= 0 AND request_notes >= 0 AND evidence >= 0
        AND account_notes >= 0 AND operator_notes >= 0 AND failure_texts >= 0)
);
REVOKE INSERT ON account_erasure FROM makegood_app;
CREATE TRIGGER account_erasure_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account_erasure
    FOR EACH STATEMENT EXECUTE FUNCTION rows_are_for_ever();
CREATE TRIGGER account_erasure_witness AFTER INSERT ON account_erasure
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,ordinal}', '{}');

-- A person's sentence to the customer lies where it can be erased, like the reason; the decision's text holds the
-- policy's own sentences only. Decisions from before this keep theirs.
ALTER TABLE decision
    ADD COLUMN sentence_note integer,
    ADD CONSTRAINT decision_sentence_by_person CHECK (sentence_note IS NULL OR decided_by IS NOT NULL),
    ADD CONSTRAINT decision_sentence FOREIGN KEY (account_id, refund_request_id, sentence_note)
        REFERENCES request_note (account_id, refund_request_id, ordinal);

-- Which erasure took the words of a row.
ALTER TABLE request_text ADD COLUMN erasure integer;
ALTER TABLE request_note ADD COLUMN erasure integer;
ALTER TABLE evidence ADD COLUMN erasure integer;
ALTER TABLE account_note ADD COLUMN erasure integer;
ALTER TABLE operator_note ADD COLUMN erasure integer;
ALTER TABLE failure_text ADD COLUMN erasure integer, ALTER COLUMN error_message DROP NOT NULL;

-- What the tables' owner emptied by hand, as the schema allowed until now, gets a record of its own.
INSERT INTO account_note (account_id, ordinal, text, text_sha256)
SELECT account_id, coalesce((SELECT max(ordinal) FROM account_note n WHERE n.account_id = emptied.account_id), 0) + 1,
    words, encode(sha256(convert_to(words, 'UTF8')), 'hex')
FROM (SELECT account_id FROM request_note WHERE text IS NULL UNION SELECT account_id FROM account_note WHERE text IS NULL
    UNION SELECT account_id FROM operator_note WHERE reason IS NULL) AS emptied,
    (VALUES ('erased before erasures were recorded')) AS reason (words);
INSERT INTO account_erasure
SELECT account_id, 1, 'system', now(), max(ordinal), 0,
    (SELECT count(*) FROM request_note n WHERE n.account_id = a.account_id AND text IS NULL), 0,
    count(*) FILTER (WHERE text IS NULL),
    (SELECT count(*) FROM operator_note n WHERE n.account_id = a.account_id AND reason IS NULL), 0
FROM account_note a GROUP BY account_id
HAVING bool_or(text IS NULL)
    OR EXISTS (SELECT FROM request_note n WHERE n.account_id = a.account_id AND text IS NULL)
    OR EXISTS (SELECT FROM operator_note n WHERE n.account_id = a.account_id AND reason IS NULL);
-- What was as witnessed is witnessed with it, and what was a lie stays one.
ALTER TABLE request_note DISABLE TRIGGER request_note_witness;
ALTER TABLE account_note DISABLE TRIGGER account_note_witness;
ALTER TABLE operator_note DISABLE TRIGGER operator_note_witness;
UPDATE request_note SET erasure = 1 WHERE text IS NULL;
UPDATE account_note SET erasure = 1 WHERE text IS NULL;
UPDATE operator_note SET erasure = 1 WHERE reason IS NULL;
ALTER TABLE request_note ENABLE TRIGGER request_note_witness;
ALTER TABLE account_note ENABLE TRIGGER account_note_witness;
ALTER TABLE operator_note ENABLE TRIGGER operator_note_witness;
SELECT witness_again('request_note', '{erasure}');
SELECT witness_again('account_note', '{erasure}');
SELECT witness_again('operator_note', '{erasure}');

ALTER TABLE request_text
    ADD CONSTRAINT request_text_erased CHECK (erasure IS NULL OR (account_email IS NULL AND explanation IS NULL)),
    ADD CONSTRAINT request_text_erasure FOREIGN KEY (account_id, erasure) REFERENCES account_erasure (account_id, ordinal);
ALTER TABLE request_note
    ADD CONSTRAINT request_note_erased CHECK ((text IS NULL) = (erasure IS NOT NULL)),
    ADD CONSTRAINT request_note_erasure FOREIGN KEY (account_id, erasure) REFERENCES account_erasure (account_id, ordinal);
ALTER TABLE evidence
    ADD CONSTRAINT evidence_erased CHECK ((uri = '') = (erasure IS NOT NULL)),
    ADD CONSTRAINT evidence_erasure FOREIGN KEY (account_id, erasure) REFERENCES account_erasure (account_id, ordinal);
ALTER TABLE account_note
    ADD CONSTRAINT account_note_erased CHECK ((text IS NULL) = (erasure IS NOT NULL)),
    ADD CONSTRAINT account_note_erasure FOREIGN KEY (account_id, erasure) REFERENCES account_erasure (account_id, ordinal);
ALTER TABLE operator_note
    ADD CONSTRAINT operator_note_erased CHECK ((reason IS NULL) = (erasure IS NOT NULL)),
    ADD CONSTRAINT operator_note_erasure FOREIGN KEY (account_id, erasure) REFERENCES account_erasure (account_id, ordinal);
ALTER TABLE failure_text
    ADD CONSTRAINT failure_text_erased CHECK ((error_message IS NULL) = (erasure IS NOT NULL)),
    ADD CONSTRAINT failure_text_erasure FOREIGN KEY (account_id, erasure) REFERENCES account_erasure (account_id, ordinal);

-- Words are written once. They may be erased, in the name of an erasure; nobody may change them, and a row that goes
-- leaves its witness behind, also where its owner removes it.
CREATE FUNCTION words_may_only_be_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.erasure IS NULL AND NEW.erasure IS NOT NULL THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'words are never changed, and are erased by an erasure only'
        USING CONSTRAINT = TG_NAME, ERRCODE = '23514';
END
$$;
CREATE TRIGGER request_text_words BEFORE UPDATE OR DELETE ON request_text
    FOR EACH ROW EXECUTE FUNCTION words_may_only_be_erased();
CREATE TRIGGER request_note_words BEFORE UPDATE OR DELETE ON request_note
    FOR EACH ROW EXECUTE FUNCTION words_may_only_be_erased();
CREATE TRIGGER evidence_words BEFORE UPDATE OR DELETE ON evidence
    FOR EACH ROW EXECUTE FUNCTION words_may_only_be_erased();
CREATE TRIGGER account_note_words BEFORE UPDATE OR DELETE ON account_note
    FOR EACH ROW EXECUTE FUNCTION words_may_only_be_erased();
CREATE TRIGGER operator_note_words BEFORE UPDATE OR DELETE ON operator_note
    FOR EACH ROW EXECUTE FUNCTION words_may_only_be_erased();
CREATE TRIGGER failure_text_words BEFORE UPDATE OR DELETE ON failure_text
    FOR EACH ROW EXECUTE FUNCTION words_may_only_be_erased();
DROP TRIGGER request_text_witness ON request_text;
CREATE TRIGGER request_text_witness AFTER INSERT OR UPDATE ON request_text
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,refund_request_id,ordinal}', '{}');
DROP TRIGGER failure_text_witness ON failure_text;
CREATE TRIGGER failure_text_witness AFTER INSERT OR UPDATE ON failure_text
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,job_id,attempt}', '{}');

-- Erases an account, and answers the number of the erasure. With its owner's rights, so that the service can empty no
-- word without leaving the record. What stays, and why: docs/privacy.md.
CREATE FUNCTION erase_account(erased_account text, who text, at timestamptz, why text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' AS $$
DECLARE
    number integer := (SELECT coalesce(max(e.ordinal), 0) + 1 FROM account_erasure e WHERE e.account_id = erased_account);
    note integer := (SELECT coalesce(max(n.ordinal), 0) + 1 FROM account_note n WHERE n.account_id = erased_account);
BEGIN
    INSERT INTO account_note (account_id, ordinal, text, text_sha256)
    VALUES (erased_account, note, why, encode(sha256(convert_to(why, 'UTF8')), 'hex'));
    INSERT INTO account_erasure (account_id, ordinal, erased_by, erased_at, reason_note, request_texts, request_notes,
        evidence, account_notes, operator_notes, failure_texts)
    SELECT erased_account, number, who, at, note,
        (SELECT count(*) FROM request_text t WHERE t.account_id = erased_account AND t.erasure IS NULL),
        (SELECT count(*) FROM request_note t WHERE t.account_id = erased_account AND t.erasure IS NULL),
        (SELECT count(*) FROM evidence t WHERE t.account_id = erased_account AND t.erasure IS NULL),
        (SELECT count(*) FROM account_note t
            WHERE t.account_id = erased_account AND t.erasure IS NULL AND t.ordinal < note),
        (SELECT count(*) FROM operator_note t WHERE t.account_id = erased_account AND t.erasure IS NULL),
        (SELECT count(*) FROM failure_text t WHERE t.account_id = erased_account AND t.erasure IS NULL);

    UPDATE request_text t SET account_email = NULL, explanation = NULL, erasure = number
        WHERE t.account_id = erased_account AND t.erasure IS NULL;
    UPDATE request_note t SET text = NULL, erasure = number WHERE t.account_id = erased_account AND t.erasure IS NULL;
    UPDATE evidence t SET uri = '', erasure = number WHERE t.account_id = erased_account AND t.erasure IS NULL;
    UPDATE account_note t SET text = NULL, erasure = number
        WHERE t.account_id = erased_account AND t.erasure IS NULL AND t.ordinal < note;
    UPDATE operator_note t SET reason = NULL, erasure = number WHERE t.account_id = erased_account AND t.erasure IS NULL;
    UPDATE failure_text t SET error_message = NULL, erasure = number
        WHERE t.account_id = erased_account AND t.erasure IS NULL;

    -- Words in rows that live on: what is there and empty was erased.
    UPDATE refund_request t SET named_purchase = NULL
        WHERE t.account_id = erased_account AND t.named_purchase IS NOT NULL;
    UPDATE refund t SET failure_reason = '' WHERE t.account_id = erased_account AND t.failure_reason <> '';
    UPDATE purchase t SET undeliverable_reason = '' WHERE t.account_id = erased_account AND t.undeliverable_reason <> '';

    -- Answers that are kept to be given again lose the same words, and digests of whole calls, which a guess at an email
    -- address could be held against, are no longer compared. Attempts have no words, and there may be millions of them.
    UPDATE idempotency_key t SET
        fingerprint = 'erased:' || repeat('0', 64),
        answer = regexp_replace(t.answer,
            '"(uri|failure_reason|undeliverable_reason)":"(?:[^"\\]|\\.)+"', '"\1":""', 'g')
    WHERE t.account_id = erased_account AND t.method NOT IN ('HoldCredits', 'CaptureCredits', 'ReleaseCredits');
    RETURN number;
END
$$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION erase_account(text, text, timestamptz, text) SET search_path = %I, pg_temp',
        current_schema());
END
$$;
REVOKE EXECUTE ON FUNCTION erase_account(text, text, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_account(text, text, timestamptz, text) TO makegood_app;

-- An auditor sees that words were erased, and by which erasure.
GRANT SELECT (erasure) ON request_text, request_note, account_note, operator_note, failure_text TO makegood_auditor;
