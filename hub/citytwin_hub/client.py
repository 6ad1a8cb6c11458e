"""Client: how the command line talks to the running hub, over its own REST."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import httpx
import msgspec

from citytwin.errors import CityTwinError
from citytwin_hub.config import HubConfig, split_address

TIMEOUT_S: Final = 30.0
SLOW_S: Final = 900.0
PAGE: Final = 1000


class Refused(CityTwinError):
    """The hub answered that it will not; ``status`` is HTTP's, ``field`` what is wrong, if one."""

    def __init__(self, message: str, status: int, field: str) -> None:
        """Keep why."""
        super().__init__(message)
        self.status, self.field = status, field


class HubClient:
    """Asks the hub; every failure is a CityTwinError with one sentence."""

    def __init__(self, address: str, token: str, verify: ssl.SSLContext | bool = True) -> None:
        """Talk to ``http(s)://host:port`` with a token.

        Raises:
            CityTwinError: that is no address.
        """
        self._address = address if "://" in address else f"http://{address}"
        try:
            self._http = httpx.Client(
                base_url=f"{self._address.rstrip('/')}/api/v1/",
                headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
                timeout=TIMEOUT_S,
                verify=verify,
            )
            if not self._http.base_url.host:
                raise ValueError("it names no host")
        except (httpx.InvalidURL, ValueError) as error:
            raise CityTwinError(
                f"{address!r} is not an address such as http://127.0.0.1:8080 ({error})"
            ) from None

    def close(self) -> None:
        """Release the connection."""
        self._http.close()

    @classmethod
    def of(cls, config: HubConfig, address: str, token: str) -> HubClient:
        """Return a client: what was given, else the environment, else the hub of this machine."""
        address = address or os.environ.get("CITYTWIN_HUB", "")
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
        if address:
            return cls(address, token)
        return cls(_own_address(config), token, _own_certificate(config.http.certificate))

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET."""
        return self._call("GET", path, params={k: v for k, v in query.items() if v is not None})

    def get_slowly(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET that the hub works on for minutes."""
        params = {k: v for k, v in query.items() if v is not None}
        return self._call("GET", path, params=params, timeout=SLOW_S)

    def post(self, path: str, body: Any) -> Any:
        """Return the answer of a POST."""
        return self._call("POST", path, json=body)

    def download(self, path: str, file: BinaryIO, **query: str) -> Mapping[str, str]:
        """Write the answer of a GET below the hub's root to a file; return its headers."""
        try:
            with self._http.stream(
                "GET", f"{self._address.rstrip('/')}{path}", params=query, timeout=None
            ) as answer:
                if not answer.is_success:
                    told = msgspec.json.decode(answer.read())
                    raise Refused(f"the hub refuses: {told['detail']}", answer.status_code, "")
                for part in answer.iter_bytes():
                    file.write(part)
                return answer.headers
        except (msgspec.DecodeError, KeyError, TypeError):
            raise CityTwinError(f"{self._address} answers {path}, but not as a hub") from None
        except httpx.HTTPError as error:
            raise CityTwinError(
                f"the hub at {self._address} broke off ({error}); is it running?"
            ) from None

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
        try:
            body = answer.json()
            if answer.is_success:
                return body
            told = body["error"]
            message, field = str(told["message"]), str(told.get("field", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CityTwinError(
                f"{self._address} answers {answer.status_code} {answer.reason_phrase}, but not as "
                "a hub; is it the address of its page?"
            ) from None
        raise Refused(f"the hub refuses: {message}", answer.status_code, field)


def _own_address(config: HubConfig) -> str:
    """Return how the hub of this machine is reached from this machine."""
    host, port = split_address(config.http.bind)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # recognised, not bound
    scheme = "https" if config.http.certificate else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _own_certificate(path: str) -> ssl.SSLContext | bool:
    """Return what takes this machine's own certificate, whatever name it is for, and no other."""
    if not path:
        return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise CityTwinError(f"[http] certificate {path} cannot be read: {error}") from None
    return context
