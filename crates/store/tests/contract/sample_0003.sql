-- What version 3 adds to the portal of version 1: tests that passed, an artifact, a try to tell Slack, a push.
INSERT INTO tested (project, component, tests_key, run) VALUES ('shop', 'backend', 'tests-of-backend', 1);
INSERT INTO artifact (run, step, name, project, kind, content_json) VALUES (1, 1, 'conf', 'shop', 'text', '{"holds":"text","content":"x"}');
INSERT INTO outbox_try (key, n, project, at_ms, took_ms, arrived, answer) VALUES ('run 1', 1, 'shop', 10000, 40, 1, 'it was taken');
INSERT INTO delivery_in (guid, event, repository, told_json, received_ms, tries, next_ms, done_ms, again_of, project) VALUES ('72d3162e-cc78-11e3-81ab-4c9367dc0958', 'push', 'acme/shop', '{"told":"push","reference":"refs/heads/main","before":null,"after":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","commits":null,"title":"Fix login","by":"lena"}', 90, 0, 90, 100, NULL, NULL);
INSERT INTO delivery_came (delivery, project, environment, came_json, at_ms) VALUES (1, 'shop', 'dev', '{"came":"run","run":1}', 100);
