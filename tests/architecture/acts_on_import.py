"""What no module of the product may be: it acts while it is imported. The import probe is tried on it."""

from __future__ import annotations

import os
import socket

HOME = os.environ["HOME"]
SOCKET = socket.socket()
SOCKET.close()
