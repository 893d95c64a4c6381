"""A server that ends at its first start and answers from the second on: `FLAG PORT`."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Answer(BaseHTTPRequestHandler):
    """Says nothing, with status 200."""

    def do_POST(self) -> None:
        """Read what was sent, and answer."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    started, port = Path(sys.argv[1]), int(sys.argv[2])
    if not started.exists():
        started.touch()
        sys.exit("the first start is in vain")
    HTTPServer(("127.0.0.1", port), Answer).serve_forever()
