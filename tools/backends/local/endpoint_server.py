"""One model server of a version: started, watched, started again when it falls, ended with its host."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import httpx

from tools.backends.local.endpoint_output import ENVIRONMENT, tail
from tools.language import Language, speaking, tr

READY_WITHIN_S = 120.0
POLL_S = 0.05
RESTARTS = 3
"""How often in a row a server that had been ready is started again."""
STEADY_S = 60.0
"""After this long its earlier falls are forgotten."""
GRACE_S = 3.0
TAIL = 12
"""Lines of the server's own output that explain a failure."""


class ModelServer:
    """A child process on a loopback port of its own."""

    def __init__(
        self,
        *,
        endpoint: str,
        version: str,
        model: str,
        language: Language,
        log: Path,
        client: httpx.AsyncClient,
        changed: Callable[[], None],
    ) -> None:
        self._arguments = ("--name", endpoint, "--version", version, "--model", model)
        self._metadata = f"/v2/models/{quote(endpoint, safe='')}"
        self._language: Language = language
        self._log = log
        self._client = client
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self.state: Literal["starting", "ready", "failed"] = "starting"
        self.detail = ""
        self.digest: str | None = None
        self.address: str | None = None

    def start(self) -> None:
        with speaking(self._language):  # the task keeps it
            self._task = asyncio.create_task(self._live())

    async def stop(self) -> None:
        """End the process: asked first, then killed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._end()

    async def _live(self) -> None:
        falls = 0
        try:
            while await self._serve():
                began = time.monotonic()
                code = await self._running().wait()
                falls = 1 if time.monotonic() - began > STEADY_S else falls + 1
                if falls > RESTARTS:
                    self._become(
                        "failed",
                        tr(
                            "ended {n} times in a row, last with {exit}{said}",
                            n=falls,
                            exit=_exit(code),
                            said=self._said(),
                        ),
                    )
                    return
                self._become(
                    "starting", tr("ended with {exit} and was started again{said}", exit=_exit(code), said=self._said())
                )
                await asyncio.sleep(0.25 * 2**falls)
        except (OSError, ValueError) as error:
            await self._end()
            self._become("failed", tr("the model server could not be started: {error}", error=error))

    async def _serve(self) -> bool:
        """Start the process and wait until the model itself answers; False when it does not."""
        port = await self._spawn()
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not await self._asked(port):
                    if (code := self._running().returncode) is not None:
                        self._become(
                            "failed",
                            tr("ended with {exit} before it was ready{said}", exit=_exit(code), said=self._said()),
                        )
                        return False
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            await self._end()
            self._become(
                "failed", tr("was not ready within {limit:g} s{said}", limit=READY_WITHIN_S, said=self._said())
            )
            return False
        self.address = f"http://127.0.0.1:{port}"
        self._become("ready", "")
        return True

    async def _asked(self, port: int) -> bool:
        try:
            ready = await self._client.get(f"http://127.0.0.1:{port}/v2/health/ready")
            if ready.status_code != 200:
                return False
            metadata = (await self._client.get(f"http://127.0.0.1:{port}{self._metadata}")).json()
            found = str(metadata["parameters"]["digest"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return False
        if self.digest not in (None, found):
            told = tr("the model folder changed from {old} to {new} since it was deployed", old=self.digest, new=found)
            raise ValueError(told)
        self.digest = found
        return True

    async def _spawn(self) -> int:
        # The port is bound here and listened on there: nobody can take it in between.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as door, self._log.open("wb") as log:
            door.bind(("127.0.0.1", 0))
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", "tools.recipes.serve", *self._arguments),
                *("--fd", str(door.fileno()), "--parent", str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(door.fileno(),),
                env=ENVIRONMENT,
                cwd="/",
            )
            return int(door.getsockname()[1])

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(GRACE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "asked before it was started"
        return self._process

    def _become(self, state: Literal["starting", "ready", "failed"], detail: str) -> None:
        self.state, self.detail = state, detail
        if state != "ready":
            self.address = None
        self._changed()

    def _said(self) -> str:
        lines = tail(self._log, TAIL)
        return tr("; it said: {lines}", lines=" | ".join(lines)) if lines else ""


def _exit(code: int) -> str:
    return tr("signal {n}", n=-code) if code < 0 else tr("code {n}", n=code)
