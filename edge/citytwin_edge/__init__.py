"""The gateway: reads field devices, keeps every sample and brings it to the hub."""

from typing import Final

VERSION: Final = "0.1.0"
