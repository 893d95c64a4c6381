"""Health check of the images: exits with 0 when every network is warmed up. Uses no proxy."""

import http.client
import os
import sys

PORT = int(os.environ["EMOTIONS_PORT"])  # noqa: TID251
connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=3)
connection.request("GET", "/readyz")
sys.exit(connection.getresponse().status != http.HTTPStatus.OK)
