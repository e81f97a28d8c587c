-- A refund of the whole price pays for credits that were spent or are held as well. Should they come back, they are given
-- up, too: nothing that was refunded can be spent.

ALTER TABLE lot ADD COLUMN repaid_by uuid, ADD COLUMN repaid bigint;
ALTER TABLE lot
    ADD CONSTRAINT lot_repaid CHECK ((repaid_by IS NULL) = (repaid IS NULL) AND repaid BETWEEN 0 AND refunded);
GRANT UPDATE (repaid_by, repaid) ON lot TO makegood_app;
