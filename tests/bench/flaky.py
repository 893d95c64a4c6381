"""`flaky FLAG PORT`: a server that ends at its first start, and answers from the second on."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Answer(BaseHTTPRequestHandler):
    """Answers 200 without a body."""

    def do_POST(self) -> None:
        """Read the body, and answer."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    started, port = Path(sys.argv[1]), int(sys.argv[2])
    if not started.exists():
        started.touch()
        sys.exit("the first start fails")
    HTTPServer(("127.0.0.1", port), Answer).serve_forever()
