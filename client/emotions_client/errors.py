"""Errors of the client."""


class EmotionsError(Exception):
    """The service did not answer with results."""


class UnreachableError(EmotionsError):
    """There was no connection, or it broke before the end of the answer."""


class RefusedError(EmotionsError):
    """The service answered with an error. `code` is stable, `detail` is for people."""

    def __init__(self, status: int, code: str, detail: str, request_id: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code = status, code
        self.detail, self.request_id = detail, request_id
