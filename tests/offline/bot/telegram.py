"""A fake of the Bot API: it serves updates and files, and keeps the messages of the bot."""

import email
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs

TOKEN = "123456:test-token"
ME = {"id": 1, "is_bot": True, "first_name": "E", "username": "emotions_bot"}


class Sent(NamedTuple):
    """A message of the bot: its chat, its text or caption, its photo."""

    chat: int
    text: str
    photo: bytes | None


class Telegram:
    """The messages of a test to the bot, and the messages of the bot."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.sent: queue.Queue[Sent] = queue.Queue()
        self.url = ""

    def send(self, chat: int, **message: Any) -> None:
        """Send the bot a message; a negative chat is a group."""
        number = len(self.updates) + 1
        about = {"id": chat, "type": "private" if chat > 0 else "group"}
        base = {"message_id": number, "date": 0, "chat": about}
        self.updates.append({"update_id": number, "message": base | message})

    def command(self, chat: int, text: str) -> None:
        """Send a command."""
        entity = {"type": "bot_command", "offset": 0, "length": len(text)}
        self.send(chat, text=text, entities=[entity])

    def photo(self, chat: int, data: bytes, size: int | None = None, **message: Any) -> None:
        """Send a photo."""
        name = f"f{len(self.files)}"
        self.files[name] = data
        about = {"file_id": name, "file_unique_id": name, "width": 1, "height": 1}
        self.send(chat, photo=[about | {"file_size": size or len(data)}], **message)

    def document(self, chat: int, data: bytes, kind: str) -> None:
        """Send a file."""
        name = f"f{len(self.files)}"
        self.files[name] = data
        self.send(chat, document={"file_id": name, "file_unique_id": name, "mime_type": kind})

    def answer(self) -> Sent:
        """Wait for the bot's next message."""
        return self.sent.get(timeout=40)

    def call(self, method: str, given: dict[str, Any]) -> Any:
        """Answer a method of the API."""
        match method:
            case "getMe":
                return ME
            case "getUpdates":
                offset = int(given.get("offset", 0))
                fresh = [u for u in self.updates if u["update_id"] >= offset]
                if not fresh:
                    threading.Event().wait(0.1)
                return fresh
            case "getFile":
                name = given["file_id"]
                return {"file_id": name, "file_unique_id": name, "file_path": name}
            case "sendMessage" | "sendPhoto":
                text = given.get("text") or given.get("caption") or ""
                chat = int(given["chat_id"])
                self.sent.put(Sent(chat, text, given.get("photo")))
                about = {"id": chat, "type": "private"}
                return {"message_id": 1, "date": 0, "chat": about, "text": text}
        return True


@contextmanager
def telegram() -> Iterator[Telegram]:
    """Run the fake until the block ends."""
    api = Telegram()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply(api.files[self.path.rpartition("/")[2]])

        def do_POST(self) -> None:
            prefix, _, method = self.path.rpartition("/")
            if prefix != f"/bot{TOKEN}":
                error = {"ok": False, "error_code": 401, "description": "Unauthorized"}
                self._reply(json.dumps(error).encode(), 401)
                return
            result = api.call(method, self._given())
            self._reply(json.dumps({"ok": True, "result": result}).encode())

        def _given(self) -> dict[str, Any]:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            kind = self.headers.get("content-type", "")
            if kind.startswith("application/x-www-form-urlencoded"):
                return {key: values[0] for key, values in parse_qs(body.decode()).items()}
            given: dict[str, Any] = {}
            if kind.startswith("multipart/"):
                message = email.message_from_bytes(
                    f"content-type: {kind}\r\n\r\n".encode() + body, policy=policy.HTTP
                )
                for part in message.iter_parts():
                    content = part.get_payload(decode=True)
                    name = part.get_param("name", header="content-disposition")
                    assert isinstance(content, bytes)
                    given[str(name)] = content if part.get_filename() else content.decode()
            return given

        def _reply(self, body: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
