"""Picked up by gunicorn from its working directory; the command line stays short."""

import os

workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
accesslog = "-"
worker_tmp_dir = "/dev/shm"

# A deploy waits for the old container to stop: give running requests a moment, not half a minute.
graceful_timeout = 5
