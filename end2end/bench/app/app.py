"""The app that is deployed while the clock runs: it starts slowly, prints lines, and is healthy when it is told to be.

GET /        200 with the container's id once healthy, 503 before
GET /print   begins to print, with --wait
GET /healthy makes it healthy, with --hold
"""
import argparse
import os
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--start", type=float, default=0.0, help="seconds that it takes to start")
parser.add_argument("--lines", type=int, default=0, help="how many lines it prints")
parser.add_argument("--rate", type=int, default=0, help="lines a second; as fast as it can where 0")
parser.add_argument("--wait", action="store_true", help="print only when told to")
parser.add_argument("--hold", action="store_true", help="be healthy only when told to")
parser.add_argument("--end", action="store_true", help="end when everything is printed, as a build does")
asked = parser.parse_args()

# The first process of a container has no default action for SIGTERM.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

printing = threading.Event()
healthy = threading.Event()
PADDING = "x" * 60


def line(number):
    """The number, and when it was written in nanoseconds since 1970."""
    return f"{number} {time.time_ns()} {PADDING}\n".encode()


def print_lines():
    printing.wait()
    if not asked.rate:
        for first in range(0, asked.lines, 500):
            chunk = b"".join(line(n) for n in range(first, min(first + 500, asked.lines)))
            while chunk:
                chunk = chunk[os.write(1, chunk):]
        return
    began = time.monotonic()
    for number in range(asked.lines):
        ahead = began + number / asked.rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        os.write(1, line(number))


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/print":
            printing.set()
        if self.path == "/healthy":
            healthy.set()
        body = (socket.gethostname() + "\n").encode()
        self.send_response(200 if healthy.is_set() else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Only the numbered lines belong into the log."""


if asked.end:
    printing.set()
    print_lines()
    raise SystemExit
time.sleep(asked.start)
if not asked.wait:
    printing.set()
if not asked.hold:
    healthy.set()
threading.Thread(target=print_lines, daemon=True).start()
ThreadingHTTPServer(("", 8000), Answer).serve_forever()
