"""What can go wrong between here and an answer."""


class EmotionsError(Exception):
    """The service gave no answer."""


class UnreachableError(EmotionsError):
    """No connection, or none that lasted until the answer."""


class RefusedError(EmotionsError):
    """The service said no. `code` is stable, `detail` is for people."""

    def __init__(self, status: int, code: str, detail: str, request_id: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code = status, code
        self.detail, self.request_id = detail, request_id
