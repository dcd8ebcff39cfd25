"""base: local work. test: the test run. production: every server, and the default."""
