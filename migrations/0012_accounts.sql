-- Restrictions that persons impose and lift, why, and what persons find disputes to have been.

-- Why a person restricted an account, lifted that again, or determined a dispute. The words may speak of the customer:
-- they can be erased (text set to NULL), and their digest stays.
CREATE TABLE account_note (
    account_id  text    NOT NULL,
    ordinal     integer NOT NULL,
    text        text,
    text_sha256 text    NOT NULL,
    CONSTRAINT account_note_key PRIMARY KEY (account_id, ordinal),
    CONSTRAINT account_note_account FOREIGN KEY (account_id) REFERENCES account (account_id),
    CONSTRAINT account_note_digest CHECK (length(text_sha256) = 64)
);
REVOKE SELECT ON account_note FROM makegood_auditor;
GRANT SELECT (account_id, ordinal, text_sha256) ON account_note TO makegood_auditor;

-- What a person found a dispute to be, each time that somebody said so: the last one counts.
CREATE TABLE chargeback_determination (
    account_id      text        NOT NULL,
    chargeback_id   uuid        NOT NULL,
    ordinal         integer     NOT NULL,
    determination   text        NOT NULL,
    policy_version  text        NOT NULL,
    determined_by   text        NOT NULL,
    determined_at   timestamptz NOT NULL,
    revoked_credits bigint      NOT NULL,
    reason_note     integer     NOT NULL,
    CONSTRAINT chargeback_determination_key PRIMARY KEY (account_id, chargeback_id, ordinal),
    CONSTRAINT chargeback_determination_chargeback FOREIGN KEY (account_id, chargeback_id)
        REFERENCES chargeback (account_id, chargeback_id),
    CONSTRAINT chargeback_determination_reason FOREIGN KEY (account_id, reason_note)
        REFERENCES account_note (account_id, ordinal),
    CONSTRAINT chargeback_determination_word CHECK (determination IN ('legitimate', 'fraudulent', 'abusive')),
    CONSTRAINT chargeback_determination_revoked CHECK (revoked_credits >= 0)
);
CREATE TRIGGER chargeback_determination_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON chargeback_determination
    FOR EACH STATEMENT EXECUTE FUNCTION rows_are_for_ever();

ALTER TABLE restriction
    -- Until now only disputes restricted accounts; a server of the version before still writes such rows.
    ADD COLUMN cause         text NOT NULL DEFAULT 'chargeback',
    -- The determination that imposed it.
    ADD COLUMN determination integer,
    -- Why a person imposed and lifted it; empty for what happened by itself.
    ADD COLUMN reason_note   integer,
    ADD COLUMN lift_note     integer;
ALTER TABLE restriction
    ADD CONSTRAINT restriction_cause CHECK (cause IN ('chargeback', 'chargeback_determined', 'prohibited_content',
        'promotion_abuse', 'fraud', 'refund_abuse', 'other')),
    ADD CONSTRAINT restriction_origin CHECK (
        (determination IS NOT NULL) = (cause = 'chargeback_determined')
        AND (chargeback_id IS NOT NULL OR cause NOT IN ('chargeback', 'chargeback_determined'))
        AND (reason_note IS NOT NULL OR cause = 'chargeback')),
    ADD CONSTRAINT restriction_lift CHECK (lift_note IS NULL OR lifted_at IS NOT NULL),
    ADD CONSTRAINT restriction_determination FOREIGN KEY (account_id, chargeback_id, determination)
        REFERENCES chargeback_determination (account_id, chargeback_id, ordinal),
    ADD CONSTRAINT restriction_reason FOREIGN KEY (account_id, reason_note) REFERENCES account_note (account_id, ordinal),
    ADD CONSTRAINT restriction_lift_reason FOREIGN KEY (account_id, lift_note)
        REFERENCES account_note (account_id, ordinal);
GRANT UPDATE (lift_note) ON restriction TO makegood_app;

CREATE TRIGGER account_note_witness AFTER INSERT OR UPDATE ON account_note
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,ordinal}', '{}');
CREATE TRIGGER chargeback_determination_witness AFTER INSERT ON chargeback_determination
    FOR EACH ROW EXECUTE FUNCTION bear_witness('{account_id,chargeback_id,ordinal}', '{}');
SELECT witness_again('restriction', '{cause}');
