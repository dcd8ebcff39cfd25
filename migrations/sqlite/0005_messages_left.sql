-- A message that was being sent when its portal died was left so for good before 0004, without a time until which it is held
-- to be on its way. Now it would be sent again, and nobody wants to hear it any more.
UPDATE outbox SET state = 'failed' WHERE state = 'sending' AND next_ms IS NULL
    AND run IN (SELECT id FROM run WHERE ended_ms IS NOT NULL);
