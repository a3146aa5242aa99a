"""`python -m verification.benchmarks.detection`: which planted bugs each checker finds, and what they are said to be.

Every checker gets the same layers through its own public interface, once at one shape of the size that gradient
checks are commonly run at, and once at drawn shapes. Writes detection.csv, detection.md and detection.png.
A peer that is not installed (pip install "layerproof[peers]") is left out, and the table says so.
"""

import csv
import importlib
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path
from typing import Any

import click
import numpy as np
from hypothesis import given
from hypothesis import seed as seeded
from hypothesis.errors import FlakyFailure

from verification.assignment.accuracy import accuracy
from verification.case import Array, Case
from verification.catalogue import SECTIONS, Bug, Section
from verification.catalogue.convolution import Taps
from verification.catalogue.max_pooling import FirstLargest
from verification.checking import check
from verification.drawing import quiet, sample
from verification.failure import NotJudged, PropertyFailed
from verification.layer import Layer
from verification.properties import Collected, properties
from verification.spec import LayerSpec
from verification.trial import Trial

DRAWN = 4
"""Drawn shapes that a peer is given; layerproof draws 100."""

ABOUT_GRADIENTS = {
    "backprop_matches_directional_differences",
    "backprop_is_the_adjoint",
    "backprop_is_linear_in_the_upstream_gradient",
    "gradients_have_the_shapes_of_their_arguments",
    "is_exact_at_a_realistic_size",
}
"""What gradient checkers are meant to find: bugs that one of these must catch. Others are marked "not meant"."""

Peer = Callable[[LayerSpec, Case], bool]


@click.command()
@click.option("--seeds", default=20, show_default=True, help="Seeds with which layerproof looks for each bug.")
@click.option("--examples", default=100, show_default=True, help="Examples of each property for the right layers.")
@click.option("--layer", "only", multiple=True, help="Ready specs to take; all of them by default.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder to write to.")
def main(seeds: int, examples: int, only: tuple[str, ...], out: Path) -> None:
    """Run every checker on the catalogue and write detection.csv, detection.md and detection.png."""
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    peers = _peers()
    chosen = [i for i, section in enumerate(SECTIONS) if not only or section.spec.__name__ in only]
    with ProcessPoolExecutor() as pool:  # one process a core
        counting = pool.map(partial(_false_alarms, examples), chosen)
        bugs = [(i, name) for i in chosen for name in ("", *(bug.name for bug in SECTIONS[i].bugs))]
        rows = []
        for row in pool.map(_row, *zip(*bugs, strict=True), repeat(seeds)):
            click.echo(f"{row['layer']}: {row['bug'] or 'the right layer'}", err=True)
            rows.append(row)
        alarms = list(counting)
    right, rows = [row for row in rows if not row["bug"]], [row for row in rows if row["bug"]]
    out.mkdir(parents=True, exist_ok=True)
    with (out / "detection.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    text = _markdown(rows, right, list(peers), alarms, seeds, time.perf_counter() - start)
    (out / "detection.md").write_text(text, encoding="utf-8")
    _picture(rows, list(peers), out / "detection.png")
    click.echo(text)


def _row(section: int, name: str, seeds: int) -> dict[str, Any]:
    """Return what every checker says of one bug; or, without a name, what the peers say of the right layer."""
    warnings.simplefilter("ignore")
    known = SECTIONS[section]
    right = Bug("", "", "", "the right layer", known.variants[0])
    bug = next((bug for bug in known.bugs if bug.name == name), right)
    row = {"layer": known.spec(bug.layer).name, "bug": name, "family": bug.family, "caught by": bug.caught_by}
    row["description"] = bug.description
    row |= _by_layerproof(known, bug, seeds) if name else {}
    return row | {peer: _by_peer(finds, known, bug) for peer, finds in _peers().items()}


def _by_layerproof(section: Section, bug: Bug, seeds: int) -> dict[str, Any]:
    """Return for how many seeds the named property finds the bug, after how many examples, and the diagnosis."""
    spec = section.spec(bug.layer)
    items = [item for item in properties(spec) if item.name == bug.caught_by]
    items += [item for item in properties(spec) if item.plain and item not in items]
    needed = [_examples_needed(spec, items, seed) for seed in range(seeds)]
    found = [count for count in needed if count]
    result: dict[str, Any] = {"layerproof": "found" if len(found) == seeds else f"{len(found)} of {seeds} seeds"}
    report = check(spec, strict=True)
    families = sorted({why.family for cause in report.causes for why in cause.why})
    verdict = "right" if bug.family in families else "wrong" if families else "none"
    return result | {
        "examples, median": float(np.median(found)) if found else "", "examples, most": max(found, default=""),
        "diagnosis": " or ".join(families), "diagnosis is": verdict, "causes": len(report.causes),
    }  # fmt: skip


def _usable(spec: LayerSpec) -> list[Case]:
    """Return cases with random values, none of them all zeros."""
    cases = [case for case in sample(spec.cases, 60, 0) if case.seed > 1]
    return [case for case in cases if all(array.any() for array in case.arrays.values())]


def _examples_needed(spec: LayerSpec, items: list[Collected], seed: int) -> int:
    """Return how many examples it takes until the first of these properties fails, 0 if none ever does."""
    count = 0

    @seeded(seed)
    @quiet(100, shrink=False)
    @given(items[0].cases)
    def run(case: Case) -> None:
        nonlocal count
        count += 1
        for item in items:
            with suppress(NotJudged):
                item.check(Trial(spec, case))

    try:
        run()
    except (PropertyFailed, FlakyFailure):
        return count
    return 0


def _by_peer(peer: Peer, section: Section, bug: Bug) -> str:
    """Return "found", "found (drawn)" if only at drawn shapes, "missed", or "not meant" for what it does not check."""
    spec = section.spec(bug.layer)
    if peer is _accuracy_test and spec.name not in ("convolution", "max_pooling"):
        return "not meant"
    cases = sorted(_usable(spec), key=_size)
    typical, some = cases[-1], cases[:: max(1, len(cases) // DRAWN)]
    if peer(spec, typical):
        return "found"
    if peer is not _accuracy_test and any(peer(spec, case) for case in some):
        return "found (drawn)"
    return "missed" if bug.caught_by in ABOUT_GRADIENTS else "not meant"


def _size(case: Case) -> int:
    return sum(array.size for array in case.arrays.values())


@cache
def _peers() -> dict[str, Peer]:
    peers: dict[str, Peer] = {"accuracy test": _accuracy_test}
    with suppress(ImportError):
        torch = importlib.import_module("torch")
        peers["gradcheck, slow"] = lambda spec, case: _torch_finds(torch, spec, case, fast=False)
        peers["gradcheck, fast"] = lambda spec, case: _torch_finds(torch, spec, case, fast=True)
    with suppress(ImportError):
        jax = importlib.import_module("jax")
        jax.config.update("jax_enable_x64", True)
        check_vjp = importlib.import_module("jax.test_util").check_vjp
        peers["check_vjp"] = lambda spec, case: _jax_finds(check_vjp, spec, case)
    with suppress(ImportError):
        autograd = importlib.import_module("autograd.extend"), importlib.import_module("autograd.test_util")
        peers["check_grads"] = lambda spec, case: _autograd_finds(*autograd, spec, case)
    return peers


def _functions(
    spec: LayerSpec, case: Case
) -> tuple[list[Array], Callable[..., Array], Callable[..., tuple[Array, ...]]]:
    """Return random arguments, and the layer as functions y(*arguments) and gradients(dLdy, *arguments)."""
    names, random = spec.gradients, np.random.default_rng(0)
    arguments = [random.standard_normal(case.arrays[name].shape) for name in names]
    trial = Trial(spec, case)

    def layer(values: tuple[Array, ...]) -> tuple[Layer, Array]:
        given = dict(zip(names, (np.array(value) for value in values), strict=True))
        return trial.layer(given), given.get("x", trial.x)

    def forward(*values: Array) -> Array:
        made, x = layer(values)
        return made.forward(x)

    def backward(dLdy: Array, *values: Array) -> tuple[Array, ...]:
        made, x = layer(values)
        return tuple(made.backprop(x, np.array(dLdy)).values())

    return arguments, forward, backward


def _finds(check: Callable[[], Any]) -> bool:
    """Return whether the check raises, as every peer does on failure, or the layer raises under it."""
    try:
        check()
    except Exception:
        return True
    return False


def _torch_finds(torch: Any, spec: LayerSpec, case: Case, fast: bool) -> bool:
    arguments, forward, backward = _functions(spec, case)

    class Planted(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            return torch.from_numpy(np.array(forward(*(tensor.numpy() for tensor in tensors))))

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            given = [tensor.detach().numpy() for tensor in ctx.saved_tensors]
            return tuple(torch.from_numpy(np.array(g)) for g in backward(upstream.numpy(), *given))

    tensors = [torch.from_numpy(array).requires_grad_() for array in arguments]
    torch.manual_seed(0)
    return _finds(lambda: torch.autograd.gradcheck(Planted.apply, tensors, fast_mode=fast))


def _jax_finds(check_vjp: Any, spec: LayerSpec, case: Case) -> bool:
    arguments, forward, backward = _functions(spec, case)

    def vjp(*values: Any) -> tuple[Array, Callable[[Any], tuple[Array, ...]]]:
        return forward(*values), lambda upstream: backward(upstream, *values)

    return _finds(lambda: check_vjp(forward, vjp, tuple(arguments)))


def _autograd_finds(extend: Any, test_util: Any, spec: LayerSpec, case: Case) -> bool:
    arguments, forward, backward = _functions(spec, case)
    planted = extend.primitive(lambda *values: forward(*values))
    makers = [lambda _y, *values, i=i: lambda upstream: backward(upstream, *values)[i] for i in range(len(arguments))]
    extend.defvjp(planted, *makers)
    np.random.seed(0)
    return _finds(lambda: test_util.check_grads(planted, modes=["rev"], order=1)(*arguments))


def _accuracy_test(spec: LayerSpec, _case: Case) -> bool:
    """Return whether the assignment's test gives less than full points; it knows two layers and one shape."""
    made: dict[str, Any] = {"convolution": Taps, "max_pooling": FirstLargest, spec.name: spec.make}

    def convolution(*sizes: int) -> Any:
        layer = made["convolution"](*sizes)
        layer.W, layer.b = np.random.normal(0, 0.2, layer.W.shape), np.full(layer.b.shape, 0.01)

        def update_weights(dW: Array, db: Array) -> None:
            layer.W, layer.b = layer.W + dW, layer.b + db

        layer.update_weights = update_weights
        return layer

    try:
        results = accuracy(convolution, made["max_pooling"])
    except Exception:
        return True
    return not all(result.percent > 99.99 for result in results)


def _false_alarms(examples: int, section: int) -> dict[str, Any]:
    """Return how many examples the right layers of a section took, which properties failed, and the rate."""
    start, count, failed = time.perf_counter(), 0, []
    for variant in SECTIONS[section].variants:
        spec = SECTIONS[section].spec(variant)
        report = check(replace(spec, realistic=None), examples=examples, seed=2**16)
        count += sum(item.examples for item in report.properties)
        failed += [f"{variant.__name__}: {item.name}" for item in report.failures]
    return {
        "layer": spec.name, "right layers": len(SECTIONS[section].variants), "examples": count,
        "false alarms": ", ".join(failed) or "none", "examples a second": round(count / (time.perf_counter() - start)),
    }  # fmt: skip


def _markdown(
    rows: list[dict[str, Any]],
    right: list[dict[str, Any]],
    peers: list[str],
    alarms: list[dict[str, Any]],
    seeds: int,
    seconds: float,
) -> str:
    columns = ["layerproof", *peers]
    missing = [peer for peer in ("torch", "jax", "autograd") if not find_spec(peer)]
    lines = [
        f"{len(rows)} planted bugs, layerproof with {seeds} seeds; {seconds / 60:.0f} min."
        + "".join(f" {peer} is not installed." for peer in missing),
        "",
        "| checker | found | at drawn shapes only | missed | not meant to find | right layers that it fails |",
        "|---|---|---|---|---|---|",
    ]
    for name in columns:
        counts = Counter(row[name] for row in rows)
        numbers = [counts[key] for key in ("found", "found (drawn)", "missed", "not meant")]
        numbers.append(sum(row.get(name, "").startswith("found") for row in right))
        lines.append(f"| {name} | {' | '.join(map(str, numbers))} |")
    said = Counter(row["diagnosis is"] for row in rows)
    medians = [row["examples, median"] for row in rows if row["examples, median"]]
    most = max((row["examples, most"] for row in rows if row["examples, most"]), default=0)
    lines += [
        "",
        f"Examples until a bug is found: median {np.median(medians):g}, most {most}."
        f" Diagnosis: right {said['right']}, none {said['none']}, wrong {said['wrong']}.",
        "",
        "| layer | right layers | examples | false alarms | examples a second |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(str(value) for value in alarm.values())} |" for alarm in alarms),
        f"| all | {sum(a['right layers'] for a in alarms)} | {sum(a['examples'] for a in alarms)} | | |",
        "",
        "| layer | bug | family | diagnosis | " + " | ".join(columns) + " |",
        "|---" * (4 + len(columns)) + "|",
    ]
    for row in rows:
        cells = [str(row[name]) for name in ("layer", "description", "family", "diagnosis", *columns)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _picture(rows: list[dict[str, Any]], peers: list[str], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    columns = ["layerproof", *peers][::-1]
    left = np.zeros(len(columns))
    shades = {"found": "tab:green", "found (drawn)": "tab:olive", "missed": "tab:red", "not meant": "lightgrey"}
    for key, color in shades.items():
        counts = np.array([sum(row[name] == key for row in rows) for name in columns])
        axes.barh(columns, counts, left=left, color=color, label=key)
        left += counts
    axes.set(xlabel=f"{len(rows)} planted bugs", xlim=(0, math.ceil(len(rows) / 10) * 10))
    figure.legend(loc="outside upper center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
