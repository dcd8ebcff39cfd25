-- A message whose sender died on the way is looked for like one that is to be sent. `next_ms` of one that is being sent is
-- the time until which it is held to be on its way.
DROP INDEX outbox_pending;
CREATE INDEX outbox_open ON outbox (run) WHERE state IN ('pending', 'sending');
-- Of those that the version before has left so, nobody wants to hear any more.
UPDATE outbox SET state = 'failed' WHERE state = 'sending' AND run IN (SELECT id FROM run WHERE ended_ms IS NOT NULL);
