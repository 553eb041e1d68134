"""What goes wrong between us and a PACS: refused for good, or worth another try."""

from __future__ import annotations

from OsteoScreenLib.errors import InputError, OsteoScreenError


class PacsRefused(OsteoScreenError):
    """The PACS answered no; asking again gives the same. code : "refused", "not-there", "too-large", "wrong-answer", …"""

    def __init__(self, sentence: str, code: str = "refused") -> None:
        super().__init__(sentence)
        self.code = code


class PacsUnreachable(OsteoScreenError):
    """No answer, or the PACS is busy: worth another try. wait_s : what the PACS asked us to wait, None when it did not say."""

    code = "unreachable"

    def __init__(self, sentence: str, wait_s: float | None = None) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s


class NotAllowed(InputError):
    """Password, token, certificate or application entity title are not accepted."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, code="not-allowed")
