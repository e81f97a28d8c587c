-- What the sweep looks for, across accounts and oldest first: holds whose time is over, and lots that ran out with
-- credits still available. Both indexes hold only what may still come due, so they stay as small as the present.
CREATE INDEX usage_held_by_expiry ON usage (hold_expires_at, account_id) WHERE stage = 'held';
CREATE INDEX lot_available_by_expiry ON lot (expires_at, account_id) WHERE available > 0 AND expires_at IS NOT NULL;
-- The holds of one account whose time is over.
CREATE INDEX usage_held ON usage (account_id, hold_expires_at) WHERE stage = 'held';
