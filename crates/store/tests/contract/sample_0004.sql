-- Rows as version 4 wrote them, over those of version 3: one that a portal of version 3 had left, one that is on its way.
INSERT INTO outbox (key, run, project, body, state, created_ms) VALUES ('webhook:left', 1, 'shop', '{}', 'sending', 10000);
INSERT INTO outbox (key, run, project, body, state, created_ms, next_ms) VALUES ('webhook:new', 1, 'shop', '{}', 'sending', 10000, 70000);
