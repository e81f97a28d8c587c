-- Credits that persons give and take by hand, and an account's lots in the order in which they were made.

-- Why a person moved credits, under the last entry of the act. The words may speak of a customer: they can be
-- erased (reason set to NULL), and their digest stays.
CREATE TABLE operator_note (
    account_id    text   NOT NULL,
    seq           bigint NOT NULL,
    clause        text,
    reason        text,
    reason_sha256 text   NOT NULL,
    CONSTRAINT operator_note_key PRIMARY KEY (account_id, seq),
    CONSTRAINT operator_note_entry FOREIGN KEY (account_id, seq) REFERENCES entry (account_id, seq),
    CONSTRAINT operator_note_digest CHECK (length(reason_sha256) = 64)
);

-- One row for each lot, none for what workers do: the hot operations do not pay for it.
CREATE INDEX entry_grants ON entry (account_id, seq) WHERE from_bucket = 'granted';

-- Entries have no index by lot: every movement would pay for it, about as much as for the row itself, and only a
-- person who asks for one lot's entries would gain. Their first page takes milliseconds from the key's index, and
-- in an account with a million entries the rarest lot's takes half a second.
