"""rwrouter: a MySQL read/write splitting router."""

from typing import Final

__version__: Final = "0.1.0"
