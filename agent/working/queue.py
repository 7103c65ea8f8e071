"""The wake-ups of several workers: Procrastinate's queue, in a schema of its own beside the store that they share.

A message says no more than "look at this run". The queue gives each to one worker, the urgent first, holds a run's
message once however often it is put, keeps what is scheduled until its time, and takes back what a worker that died had
taken. What it loses, the rows still say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from agent.errors import Broken
from agent.record.address import Address
from agent.telemetry.observer import WakeCause
from agent.working.hands import Hands
from agent.working.works import Looked
from tools.language import tr

if TYPE_CHECKING:
    import procrastinate

TASK, SCHEMA = "goalkeeper.wake", "goalkeeper_queue"
PRIORITY: dict[WakeCause, int] = {"message": 20, "started": 20, "resumed": 20, "alert": 10, "job": 10}
"""A person who waits goes before work that has ended, and that before a timer (0)."""
POLL_S = 1.0
"""How often the queue is looked at without a notification: what was scheduled gives none."""
BEAT_S, STALLED_S = 5.0, 20.0
"""A worker that was not heard of for that long has lost what it had taken."""
LEAVE_S = 10.0
"""How long it is waited, once it is to stop, for what was taken."""
_PREPARING = 0x676F6171
"""The advisory lock of whoever makes its tables."""


class Queue:
    """Both ends: `put` from any thread, `serve` in an event loop of its own."""

    def __init__(self, address: str, place: str) -> None:
        """Connect, and make the tables where there are none. Broken when that cannot be done now.

        `place`: only workers of it take what is put here. Those of another, for whom the run is none to carry on, would
        take every message that comes to them first.
        """
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # what it tells, the rows and our own log tell
        self._address = address
        self._name = name_of(place)
        try:
            self._prepare()
            self._putting = self._open_putting()
        except Exception as error:
            if not _of_the_database(error):
                raise
            raise Broken(tr("the queue of wake-ups cannot be opened: {error}", error=self._plain(error))) from None

    def close(self) -> None:
        self._putting.close()

    def put(self, run: str, cause: WakeCause, *, in_s: float = 0.0) -> bool:
        """Put a wake-up, for later where that is said; False when one like it is there already. Broken."""
        from procrastinate.exceptions import AlreadyEnqueued

        later = datetime.now(UTC) + timedelta(seconds=in_s) if in_s else None
        # A scheduled message must not stand in the way of one that is for now.
        lock = f"{self._name} {run}" + ("" if later is None else f"@{later.timestamp() // 60:.0f}")
        task = self._putting.configure_task(
            TASK, queue=self._name, queueing_lock=lock, priority=PRIORITY.get(cause, 0), schedule_at=later
        )
        try:
            task.defer(run=run, cause=cause)
        except AlreadyEnqueued:
            return False
        except Exception as error:
            if not _of_the_database(error):
                raise
            raise Broken(tr("the queue of wake-ups does not answer: {error}", error=self._plain(error))) from None
        return True

    async def serve(self, hands: Hands, *, most: int, under_way: Callable[[str], None], stopped: asyncio.Event) -> None:
        """Hand on what is put until stopped; at most so many at once. `under_way` hears of runs that are looked at here
        while their message comes. Raises what the database raises."""
        app = self._serving()

        @app.task(name=TASK, queue=self._name)
        async def wake(run: str, cause: WakeCause) -> None:
            over: asyncio.Future[Looked] = asyncio.get_running_loop().create_future()
            if hands.hand(run, cause, _settling(over)):
                await over
            else:
                await asyncio.to_thread(under_way, run)

        worker = app._worker(  # `run_worker_async` gives no handle by which it could be stopped
            queues=[self._name],
            concurrency=most,
            delete_jobs="always",
            install_signal_handlers=False,
            fetch_job_polling_interval=POLL_S,
            abort_job_polling_interval=3600.0,  # nothing is ever aborted: the epoch ends what must end
            shutdown_graceful_timeout=LEAVE_S,
            update_heartbeat_interval=BEAT_S,
            stalled_worker_timeout=STALLED_S,
        )
        async with app.open_async():
            sides = (asyncio.create_task(_stop(worker, stopped)), asyncio.create_task(_recover(app, self._name)))
            try:
                await worker.run()  # type: ignore[no-untyped-call]
            finally:
                for side in sides:
                    side.cancel()

    def _prepare(self) -> None:
        """The tables, once, by one of those who come at the same time."""
        import procrastinate
        import psycopg
        from procrastinate.schema import SchemaManager

        with psycopg.connect(self._address, autocommit=True) as link:
            link.execute("SELECT pg_advisory_lock(%s)", (_PREPARING,))
            link.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            if link.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.procrastinate_jobs",)).fetchone() == (None,):
                with procrastinate.App(connector=self._sync()).open() as app, link.transaction():
                    SchemaManager(app.connector).apply_schema()

    def _open_putting(self) -> procrastinate.App:
        import procrastinate

        return procrastinate.App(connector=self._sync()).open()

    def _sync(self) -> procrastinate.SyncPsycopgConnector:
        import procrastinate

        return procrastinate.SyncPsycopgConnector(**self._pool())

    def _serving(self) -> procrastinate.App:
        import procrastinate
        from psycopg_pool import AsyncConnectionPool

        def unchecked(**given: Any) -> AsyncConnectionPool:
            """Without a question to the server before each statement: a connection that broke ends this serving."""
            return AsyncConnectionPool(**{**given, "check": None})

        return procrastinate.App(connector=procrastinate.PsycopgConnector(**self._pool(), pool_factory=unchecked))

    def _plain(self, error: Exception) -> str:
        """With the database's own words, and without the password."""
        return Address(self._address).without_secrets(error.__cause__ or error)

    def _pool(self) -> dict[str, Any]:
        # A message that a crash of the server takes away is only a hint: it need not wait for a disk.
        searched = {"options": f"-c search_path={SCHEMA} -c synchronous_commit=off"}
        return {"conninfo": self._address, "kwargs": searched, "min_size": 1, "max_size": 4, "timeout": 5.0}


def name_of(place: str) -> str:
    """The queue of that place; the database's notifications take no long names."""
    return f"goalkeeper-{sha256(place.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _settling(over: asyncio.Future[Looked]) -> Callable[[Looked], None]:
    loop = over.get_loop()

    def settle(looked: Looked) -> None:
        if not over.done():
            over.set_result(looked)

    def then(looked: Looked) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, looked)

    return then


async def _stop(worker: Any, stopped: asyncio.Event) -> None:
    await stopped.wait()
    worker.stop()


async def _recover(app: procrastinate.App, queue: str) -> None:
    """Put back what a worker that died had taken; where its run has a message again, it is only taken away."""
    from procrastinate.exceptions import ConnectorException
    from procrastinate.jobs import Status

    while True:
        await asyncio.sleep(BEAT_S)
        await app.job_manager.prune_stalled_workers(STALLED_S)
        for job in await app.job_manager.get_stalled_jobs(queue=queue, seconds_since_heartbeat=STALLED_S):
            try:
                await app.job_manager.retry_job(job)
            except ConnectorException:
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)


def _of_the_database(error: Exception) -> bool:
    import psycopg
    from procrastinate.exceptions import ConnectorException

    return isinstance(error, ConnectorException | psycopg.Error | OSError)
