"""Signature: whether the hub's authority has signed something, found out by a process of its own.

What reads certificates takes 10 MiB; a running agent needs it once in a blue moon, so it is loaded
by a child that ends at once. ``python -m citytwin_edge.signature`` is that child.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import msgspec

from citytwin.errors import EnrolmentError

CHECK_S_MAX: Final = 60.0
"""A small gateway may take a while to load it."""
GOOD: Final = 0
BAD: Final = 1


async def is_signed(authority_pem: bytes, data: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` is the authority's over ``data`` (ECDSA P-256, SHA-256, DER).

    Raises:
        EnrolmentError: nobody can tell; the text says why.
    """
    question = msgspec.msgpack.encode((authority_pem, data, signature))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "citytwin_edge.signature",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            _, said = await process.communicate(question)
    except TimeoutError:
        raise EnrolmentError("the signature could not be checked in time") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode in {GOOD, BAD}:
        return process.returncode == GOOD
    words = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
    raise EnrolmentError(f"the signature cannot be checked: {words}")


def verified(authority_pem: bytes, data: bytes, signature: bytes) -> bool:
    """Tell the same in this process; raises ValueError for what is no authority."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = x509.load_pem_x509_certificate(authority_pem).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("the authority has no key on an elliptic curve")  # noqa: TRY004
    try:
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def main() -> int:
    """Answer the question on standard input by an exit code."""
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=tuple[bytes, bytes, bytes])
    return GOOD if verified(*question) else BAD


if __name__ == "__main__":
    # A traceback would end with BAD.
    try:
        sys.exit(main())
    except (ValueError, ImportError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
