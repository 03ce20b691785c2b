"""Errors as the API tells them: `application/problem+json` with a remedy (RFC 9457)."""

from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that cannot be answered as asked."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        remedy: str = "",
        *,
        instance: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        """A short stable word for programs."""
        self.detail = detail
        self.remedy = remedy
        self.instance = instance
        """URN of this one occurrence, where the log tells more about it."""

    def view(self) -> dict[str, object]:
        """The problem details object: RFC 9457's members, `code` and `remedy`."""
        return {
            "type": f"urn:stratum:problem:{self.code}",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "code": self.code,
            "remedy": self.remedy,
            "instance": self.instance,
        }
