-- A refund of the whole price pays for credits that were spent or are held as well. Should they come back, they are given
-- up, too: nothing that was refunded can be spent.

ALTER TABLE lot ADD COLUMN repaid_by uuid, ADD COLUMN repaid bigint;
ALTER TABLE lot
    ADD CONSTRAINT lot_repaid CHECK ((repaid_by IS NULL) = (repaid IS NULL) AND repaid BETWEEN 0 AND refunded);
-- Its witness sees it, too.
DROP TRIGGER lot_expiry_witness ON lot;
CREATE TRIGGER lot_expiry_witness AFTER UPDATE OF expires_at, repaid_by, repaid ON lot FOR EACH ROW
    WHEN ((OLD.expires_at, OLD.repaid_by, OLD.repaid) IS DISTINCT FROM (NEW.expires_at, NEW.repaid_by, NEW.repaid))
    EXECUTE FUNCTION bear_witness(
        '{account_id,lot_id}',
        '{available,held,frozen,consumed,expired,revoked,refunded,owed,disputed,is_open,is_spendable}');
GRANT UPDATE (repaid_by, repaid) ON lot TO makegood_app;
