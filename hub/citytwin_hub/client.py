"""Client: how the command line talks to the running hub, over its own REST."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from citytwin.errors import CityTwinError
from citytwin_hub.config import HubConfig

TIMEOUT_S: Final = 30.0
PAGE: Final = 1000


class HubClient:
    """Asks the hub; every failure is a CityTwinError with one sentence."""

    def __init__(self, address: str, token: str) -> None:
        """Talk to ``http(s)://host:port`` with a token."""
        self._address = address
        self._http = httpx.Client(
            base_url=f"{address.rstrip('/')}/api/v1/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
        )

    @classmethod
    def of(cls, config: HubConfig, address: str, token: str) -> HubClient:
        """Return a client: what was given, else the environment, else the hub of this machine."""
        scheme = "https" if config.http.certificate else "http"
        address = address or os.environ.get("CITYTWIN_HUB") or f"{scheme}://{config.http.bind}"
        token = token or os.environ.get("CITYTWIN_TOKEN", "")
        path = Path(config.hub.state) / "admin.token"
        if not token:
            try:
                token = path.read_text().strip()
            except OSError:
                raise CityTwinError(
                    f"no token: {path} cannot be read (has a hub run here?); give --token or set "
                    "CITYTWIN_TOKEN"
                ) from None
        return cls(address, token)

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET."""
        return self._call("GET", path, params={k: v for k, v in query.items() if v is not None})

    def post(self, path: str, body: Any) -> Any:
        """Return the answer of a POST."""
        return self._call("POST", path, json=body)

    def points(self, gateway: str = "", q: str = "") -> Iterator[dict[str, Any]]:
        """Yield every point, page by page."""
        after: int | None = 0
        while after is not None:
            page = self.get("points", gateway=gateway, q=q, after=after, limit=PAGE)
            yield from page["points"]
            after = page["next"]

    def rows(self, ids: list[str]) -> dict[str, int]:
        """Return the rows of points by id.

        Raises:
            CityTwinError: one of them is not known.
        """
        rows = {}
        for wanted in ids:
            found = [point for point in self.points(q=wanted) if point["id"] == wanted]
            if not found:
                raise CityTwinError(f"there is no point {wanted!r}; see: citytwin-hub points")
            rows[wanted] = found[0]["row"]
        return rows

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise CityTwinError(
                f"the hub does not answer at {self._address} ({error}); is it running?"
            ) from None
        if answer.is_success:
            return answer.json()
        try:
            message = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = f"{answer.status_code} {answer.reason_phrase}"
        raise CityTwinError(f"the hub refuses: {message}")
