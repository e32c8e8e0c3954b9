"""HTML laid out as PDF by WeasyPrint, which may ask for nothing but what it is given.

Needs the extra `pdf`; whoever imports this has looked for it (`paper.render`).
"""

from collections.abc import Mapping
from typing import Any

from weasyprint import HTML
from weasyprint.urls import URLFetcher, URLFetcherResponse

from resilience.text import printable


class _Given(URLFetcher):  # type: ignore[misc] # WeasyPrint has no types
    """Fetches what is given, and ends the rendering at anything else: nothing comes from disk or network."""

    def __init__(self, pictures: Mapping[str, bytes]) -> None:
        super().__init__(allowed_protocols=(), fail_on_errors=True)
        self._pictures = pictures

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401, ARG002 - as declared there
        """One of the pictures."""
        if url not in self._pictures:
            msg = f"{printable(url, 200)} is not part of this report"
            raise ValueError(msg)
        return URLFetcherResponse(url, self._pictures[url], {"Content-Type": "image/png"})


def to_pdf(page: str, pictures: Mapping[str, bytes]) -> bytes:
    """The pages of a document.

    Args:
        page: HTML, with its style in it.
        pictures: address → PNG, for its images.
    """
    content: bytes = HTML(string=page, url_fetcher=_Given(pictures)).write_pdf()
    return content
