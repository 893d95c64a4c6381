"""Health check of the images: 0 when every network is warmed up. Proxies do not apply to it."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["EMOTIONS_PORT"]), timeout=3)
connection.request("GET", "/readyz")
sys.exit(connection.getresponse().status != http.HTTPStatus.OK)
