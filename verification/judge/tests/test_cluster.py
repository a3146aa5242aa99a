"""Grading on a Dask cluster: a real scheduler and two workers on loopback, one of them killed midway."""

import contextlib
import signal
import subprocess
import sys
import time

import pytest

from verification.judge.grade import Options, grade
from verification.judge.process import Limits

distributed = pytest.importorskip("distributed", reason='no Dask here: pip install -e ".[cluster]"')
OPTIONS = Options(examples=1, limits=Limits(timeout=60))


@contextlib.contextmanager
def started(*arguments: str):
    """Run a program of Dask's in the background."""
    command = [sys.executable, "-m", "dask", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.filterwarnings("default")  # of distributed's own
def test_a_cluster_that_loses_a_worker_marks_all_once(tmp_path):
    (tmp_path / "in").mkdir()
    for at in range(12):
        (tmp_path / "in" / f"student {at:02}.py").write_text(f"def f{at}(:\n")
    file = tmp_path / "scheduler.json"
    worker = (
        "worker",
        "--scheduler-file",
        str(file),
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
        "--host",
        "127.0.0.1",
    )
    done: list[str] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            started("scheduler", "--scheduler-file", str(file), "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        )
        first, _ = (stack.enter_context(started(*worker)) for _ in range(2))
        while not file.exists():
            time.sleep(0.05)
        with distributed.Client(scheduler_file=str(file), timeout=120) as client:
            client.wait_for_workers(2, timeout=120)
            address = client.scheduler.address

        def progress(_done: int, _all: int, name: str) -> None:
            done.extend([name] if name else [])
            if len(done) == 3:
                first.send_signal(signal.SIGKILL)

        reports, failed = grade(tmp_path / "in", tmp_path / "out", OPTIONS, scheduler=address, progress=progress)
    assert not failed
    assert sorted(done) == [f"student {at:02}" for at in range(12)]
    assert [report["points"] for report in reports] == [4] * 12
