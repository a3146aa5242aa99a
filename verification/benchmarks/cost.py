"""`python -m verification.benchmarks.cost`: time to a verdict, and the smallest error seen, by size of the layer.

The layer is one convolution, in NumPy for layerproof and as a torch function for torch.autograd.gradcheck,
slow and fast, and as a JAX function for jax.test_util.check_vjp, with their default tolerances. The error is
in a single entry of dLdW, relative to it. Writes cost.csv, cost.md and cost.png. A peer that is not installed
(pip install "layerproof[peers]") is left out, and the table says so.
"""

import csv
import importlib
import math
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np

from verification import check_at, convolution
from verification.case import Case
from verification.catalogue.bug import change
from verification.catalogue.convolution import Taps
from verification.specs.convolution import case as convolution_case

SHAPES = [(1, 1, 10, 10), (1, 4, 16, 16), (4, 8, 16, 16), (8, 16, 28, 28), (8, 64, 56, 56), (32, 64, 70, 70)]
FILTERS = 8
SMALLEST, LARGEST = -9, 2
"""Powers of ten between which the smallest error seen is looked for."""

MEMORY = 2**28
"""Bytes of a dense Jacobian above which gradcheck is not let to make one."""

Checker = Callable[[Case, float], bool]


@click.command()
@click.option("--limit", default=60.0, show_default=True, help="Seconds that one verdict may be expected to take.")
@click.option("--threads", default=1, show_default=True, help="Threads of BLAS and torch.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder to write to.")
def main(limit: float, threads: int, out: Path) -> None:
    """Measure time to a verdict and smallest error seen, and write cost.csv, cost.md and cost.png."""
    from threadpoolctl import threadpool_limits

    checkers = _checkers(threads)
    rows: list[dict[str, Any]] = []
    with threadpool_limits(threads):
        for shape in SHAPES:
            n, c, w, h = shape
            case = convolution_case(n, c, FILTERS, 3, 3, w - 3, h - 3, seed=2)
            row: dict[str, Any] = {"shape": shape, "inputs": math.prod(shape)}
            for name, checker in checkers.items():
                expected = _expected(rows, name, row["inputs"])
                dense = 8 * row["inputs"] * n * FILTERS * (w - 2) * (h - 2)
                if name == "gradcheck slow" and dense > MEMORY:
                    expected = math.inf
                if expected <= limit:
                    row |= _measure(name, checker, case, dense)
                click.echo(f"{shape} {name}: {row.get(f'{name} s', f'about {expected:.0f} s, left out')}", err=True)
            rows.append(row)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "cost.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["shape", "inputs", *(f"{name} {unit}" for name in checkers for unit in UNITS)])
        writer.writeheader()
        writer.writerows(rows)
    text = _markdown(rows, list(checkers), threads)
    (out / "cost.md").write_text(text, encoding="utf-8")
    _picture(rows, list(checkers), out / "cost.png")
    click.echo(text)


UNITS = ("s", "smallest error")


def _checkers(threads: int) -> dict[str, Checker]:
    checkers: dict[str, Checker] = {"layerproof": _ours}
    with suppress(ImportError):
        torch = importlib.import_module("torch")
        torch.set_num_threads(threads)
        checkers["gradcheck fast"] = lambda case, error: _torch(torch, case, error, fast=True)
        checkers["gradcheck slow"] = lambda case, error: _torch(torch, case, error, fast=False)
    with suppress(ImportError):
        jax = importlib.import_module("jax")
        jax.config.update("jax_enable_x64", True)
        checkers["check_vjp"] = lambda case, error: _jax(jax, case, error)
    return checkers


def _measure(name: str, checker: Checker, case: Case, dense: int) -> dict[str, Any]:
    """Return the time of a verdict on the right layer, and the smallest error for which it is not passed.

    gradcheck's fast mode runs the slow one before it reports a failure, so there is one failure only, and
    none where the Jacobian (dense bytes) is too large.
    """
    checker(case, 0.0)  # the first call of a process sets things up
    start = time.perf_counter()
    if not checker(case, 0.0):
        raise RuntimeError(f"{name} fails a right layer of shape {case.arrays['x'].shape}")
    result: dict[str, Any] = {f"{name} s": round(time.perf_counter() - start, 4)}
    if "gradcheck" not in name or dense <= MEMORY:
        powers = range(SMALLEST, LARGEST + 1)
        seen = next((f"1e{power}" for power in powers if not checker(case, 10.0**power)), f"> 1e{LARGEST}")
        result[f"{name} smallest error"] = seen
    return result


def _expected(rows: list[dict[str, Any]], name: str, inputs: int) -> float:
    """Return the seconds to expect, from the growth between the last two sizes; without end if one was left out."""
    known = [(row["inputs"], row[f"{name} s"]) for row in rows if f"{name} s" in row]
    if len(known) < len(rows):
        return math.inf
    if len(known) < 2:
        return 0.0
    (a, first), (b, second) = known[-2:]
    growth = max(1.0, math.log(second / first) / math.log(b / a))
    return float(second * (inputs / b) ** growth)


def _ours(case: Case, error: float) -> bool:
    def weight_gradient(self: Any, x: Any, dLdy: Any) -> Any:
        gradient = Taps.weight_gradient(self, x, dLdy)
        gradient[-1, -1, -1, -1] *= 1 + error
        return gradient

    return check_at(replace(convolution(change(Taps, "Planted", weight_gradient=weight_gradient))), case).passed


def _torch(torch: Any, case: Case, error: float, fast: bool) -> bool:
    conv2d = torch.nn.functional.conv2d

    class Planted(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any, W: Any, b: Any) -> Any:
            ctx.save_for_backward(x, W)
            return conv2d(x, W, b)

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            x, W = ctx.saved_tensors
            dx = torch.nn.grad.conv2d_input(x.shape, W, upstream)
            dW = torch.nn.grad.conv2d_weight(x, W.shape, upstream)
            dW[-1, -1, -1, -1] *= 1 + error
            return dx, dW, upstream.sum(dim=(0, 2, 3))

    random = torch.Generator().manual_seed(0)
    shapes = (case.arrays["x"].shape, case.arrays["W"].shape, (FILTERS,))
    tensors = [torch.randn(s, generator=random, dtype=torch.float64, requires_grad=True) for s in shapes]
    torch.manual_seed(0)
    return bool(torch.autograd.gradcheck(Planted.apply, tensors, fast_mode=fast, raise_exception=False))


def _jax(jax: Any, case: Case, error: float) -> bool:
    def convolve(x: Any, W: Any, b: Any) -> Any:
        return jax.lax.conv_general_dilated(x, W, (1, 1), "VALID") + b

    def backward(arguments: Any, upstream: Any) -> Any:
        dx, dW, db = jax.vjp(convolve, *arguments)[1](upstream)
        return dx, dW.at[-1, -1, -1, -1].multiply(1 + error), db

    planted = jax.custom_vjp(convolve)
    planted.defvjp(lambda *arguments: (convolve(*arguments), arguments), backward)
    random = np.random.default_rng(0)
    shapes = (case.arrays["x"].shape, case.arrays["W"].shape, (FILTERS, 1, 1))
    arguments = tuple(jax.numpy.asarray(random.standard_normal(shape)) for shape in shapes)
    try:
        importlib.import_module("jax.test_util").check_vjp(planted, partial(jax.vjp, planted), arguments)
    except AssertionError:
        return False
    return True


def _markdown(rows: list[dict[str, Any]], names: list[str], threads: int) -> str:
    lines = [
        f"Machine: {platform.machine()}, {threads} thread(s); Python {platform.python_version()},"
        f" NumPy {np.__version__}. A gap: too slow, or a Jacobian of more than {MEMORY >> 20} MB."
        + "".join(f" {peer} is not installed." for peer in ("torch", "jax") if not find_spec(peer)),
        f"A convolution with {FILTERS} filters of 3x3. error: the smallest relative error (a power of ten from"
        f" 1e{SMALLEST} to 1e{LARGEST}) in one entry of dLdW that is not passed.",
        "",
        "| x | inputs | " + " | ".join(f"{name}, s | error" for name in names) + " |",
        "|---" * (2 + 2 * len(names)) + "|",
    ]
    for row in rows:
        cells = [str(row.get(f"{name} {unit}", "-")) for name in names for unit in UNITS]
        lines.append(f"| {row['shape']} | {row['inputs']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _picture(rows: list[dict[str, Any]], names: list[str], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in names:
        known = [
            (row["inputs"], row[f"{name} s"], row.get(f"{name} smallest error", ""))
            for row in rows
            if f"{name} s" in row
        ]
        axes.plot([n for n, _, _ in known], [s for _, s, _ in known], marker="o", label=name)
        for n, seconds, error in known:
            axes.annotate(error, (n, seconds), textcoords="offset points", xytext=(0, 6), ha="center", fontsize=7)
    axes.set(xscale="log", yscale="log", xlabel="number of inputs", ylabel="seconds to a verdict")
    axes.set_title("Beside each point: the smallest relative error of one gradient entry seen", fontsize=9)
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
