-- A message whose sender died on the way is looked for like one that is to be sent. `next_ms` of one that is being sent is
-- the time until which it is held to be on its way.
DROP INDEX outbox_pending;
CREATE INDEX outbox_open ON outbox (run) WHERE state IN ('pending', 'sending');
