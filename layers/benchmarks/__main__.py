"""`python -m layers.benchmarks`: time and memory of the layers beside torch, SciPy, autograd and the textbook.

All run in one process, in turn, on pinned threads; each figure is the median of the rounds, and a
ratio compares medians of the same rounds. So does the share of the matrix product: the time of the plain
products that a convolution cannot do without, of arrays that lie ready, over the time of ours. Writes layers.csv,
layers.md and layers.png. A peer that is not installed (pip install "layerproof[peers]") is a gap in the table.
"""

import csv
import importlib
import platform
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from layers import nn_convolutional_layer, nn_max_pooling_layer
from layers.benchmarks import textbook

CONVOLUTIONS = [  # x (n, c, w, h), side of the filters, number of filters
    ((8, 3, 32, 32), 3, 8),
    ((16, 3, 32, 32), 5, 8),
    ((128, 1, 28, 28), 5, 8),
    ((32, 16, 28, 28), 3, 32),
    ((8, 64, 56, 56), 3, 64),
    ((16, 128, 14, 14), 3, 128),
]
PEERS = ["torch", "textbook", "scipy", "autograd"]
POOLS = [(2, 2), (3, 2), (3, 1)]  # pool size, stride
SMALL = 10**8
"""Product of the sizes of x and W above which SciPy and autograd are left out: they would take minutes."""

README, MARK = Path(__file__).parents[1] / "README.md", "<!-- table -->"

Calls = dict[str, Callable[[], Any]]
Row = dict[str, Any]


@click.command()
@click.option(
    "--threads",
    type=click.IntRange(1),
    multiple=True,
    default=(1,),
    show_default=True,
    help="Threads of BLAS and torch; may be given more than once.",
)
@click.option("--rounds", type=click.IntRange(1), default=11, show_default=True, help="Rounds of each measurement.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder to write to.")
@click.option("--readme", is_flag=True, help="Put the table into layers/README.md, too.")
def main(threads: tuple[int, ...], rounds: int, out: Path, readme: bool) -> None:
    """Measure the layers against their peers and write layers.csv, layers.md and layers.png."""
    from threadpoolctl import threadpool_limits

    torch, rows = _peer("torch"), list[Row]()
    growth: list[Row] = []
    for count in threads:
        if torch:
            torch.set_num_threads(count)
        with threadpool_limits(count):
            rows += [
                {"threads": count, **row} for dtype in (np.float64, np.float32) for row in _all(dtype, rounds, torch)
            ]
            growth = growth or [_growth(n, rounds) for n in (1, 4, 16, 64, 256, 1024, 4096)]
    out.mkdir(parents=True, exist_ok=True)
    with (out / "layers.csv").open("w", newline="") as file:
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    text = _markdown(rows, growth, rounds, torch)
    (out / "layers.md").write_text(text, encoding="utf-8")
    _picture([row for row in rows if row["threads"] == threads[0]], growth, out / "layers.png")
    click.echo(text)
    if readme:
        before, after = README.read_text(encoding="utf-8").split(MARK)[::2]
        README.write_text(f"{before}{MARK}\n{text}{MARK}{after}", encoding="utf-8")


def _all(dtype: Any, rounds: int, torch: Any) -> list[Row]:
    random, rows = np.random.default_rng(0), []
    for shape, k, filters in CONVOLUTIONS:
        layer = nn_convolutional_layer(k, k, shape[2], shape[1], filters)
        layer.set_weights(layer.W.astype(dtype), layer.b.astype(dtype))
        x = random.standard_normal(shape).astype(dtype)
        dLdy = random.standard_normal(layer.forward(x).shape).astype(dtype)
        name = f"convolution {shape} {k}x{k}x{filters}"
        rows += _compare(name, dtype, rounds, _convolutions(layer, x, dLdy, torch))
    for shape in [shape for shape, *_ in CONVOLUTIONS]:
        for pool, stride in POOLS:
            pooling = nn_max_pooling_layer(stride, pool)
            x = random.standard_normal(shape).astype(dtype)
            dLdy = random.standard_normal(pooling.forward(x).shape).astype(dtype)
            name = f"max-pooling {shape} {pool}x{pool} stride {stride}"
            rows += _compare(name, dtype, rounds, _poolings(pooling, x, dLdy, torch))
    return rows


def _convolutions(layer: nn_convolutional_layer, x: Any, dLdy: Any, torch: Any) -> dict[str, Calls]:
    W, b = layer.get_weights()
    forward: Calls = {"ours": lambda: layer.forward(x), "textbook": lambda: textbook.forward(x, W, b)}
    both: Calls = {
        "ours": lambda: (layer.forward(x), layer.backprop(x, dLdy)),
        "textbook": lambda: (textbook.forward(x, W, b), textbook.backprop(x, W, dLdy)),
    }
    filters, upstream_maps = W.reshape(len(W), -1), dLdy.reshape(len(x), len(W), -1)
    columns = np.random.default_rng(0).standard_normal((W[0].size, dLdy[0, 0].size)).astype(x.dtype)
    forward["product"] = lambda: [filters @ columns for _ in x]
    both["product"] = lambda: [(filters @ columns, maps @ columns.T, filters.T @ maps) for maps in upstream_maps]
    if small := x.size * W.size < SMALL:
        forward["scipy"] = lambda: _scipy(x, W)
    if torch:
        tensors = [torch.from_numpy(a.copy()).requires_grad_() for a in (x, W, b.ravel())]
        upstream = torch.from_numpy(dLdy)
        conv2d = torch.nn.functional.conv2d
        forward["torch"] = lambda: _without_gradients(torch, lambda: conv2d(*tensors))
        both["torch"] = lambda: torch.autograd.grad(conv2d(*tensors), tensors, upstream)
    if small and (autograd := _peer("autograd")):
        convolve = importlib.import_module("autograd.scipy.signal").convolve

        def convolved(W: Any) -> Any:
            return convolve(x, W[:, :, ::-1, ::-1], axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid")

        forward["autograd"] = lambda: convolved(W)
        both["autograd"] = lambda: autograd.make_vjp(convolved)(W)[0](dLdy)  # of W alone: less work than the others
    return {"forward": forward, "forward+backprop": both}


def _poolings(layer: nn_max_pooling_layer, x: Any, dLdy: Any, torch: Any) -> dict[str, Calls]:
    forward: Calls = {"ours": lambda: layer.forward(x)}
    both: Calls = {"ours": lambda: (layer.forward(x), layer.backprop(x, dLdy))}
    if torch:
        tensor, upstream = torch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(dLdy)
        pool = torch.nn.functional.max_pool2d
        k, s = layer.pool_size, layer.stride
        forward["torch"] = lambda: _without_gradients(torch, lambda: pool(tensor, k, s))
        both["torch"] = lambda: torch.autograd.grad(pool(tensor, k, s), tensor, upstream)
    return {"forward": forward, "forward+backprop": both}


def _compare(what: str, dtype: Any, rounds: int, calls: dict[str, Calls]) -> list[Row]:
    """Return a row for each kind of call: medians in ms, the quartile spread of ours, ratios to ours, memory."""
    rows = []
    for kind, functions in calls.items():
        slow = set(PEERS) - {"torch"}
        times: dict[str, list[float]] = {name: [] for name in functions}
        for function in functions.values():
            function()  # the first call of a kind is not counted
        for turn in range(rounds):
            for name, function in functions.items():
                if name not in slow or turn < 3:
                    start = time.perf_counter()
                    function()
                    times[name].append(1e3 * (time.perf_counter() - start))
        medians = {name: float(np.median(values)) for name, values in times.items()}
        low, high = np.percentile(times["ours"], [25, 75])
        row: Row = {"layer": what, "dtype": np.dtype(dtype).name, "call": kind}
        row |= {f"{name} ms": round(value, 3) for name, value in medians.items()}
        row |= {
            f"{name} / ours": round(value / medians["ours"], 2) for name, value in medians.items() if name != "ours"
        }
        rows.append({**row, "spread": f"{low:.3f}-{high:.3f}", "extra MB": round(_extra(functions["ours"]) / 1e6, 1)})
    return rows


def _growth(n: int, rounds: int) -> Row:
    """Return the time for one image in a batch of n."""
    layer, x = nn_convolutional_layer(3, 3, 28, 3, 8), np.random.default_rng(0).standard_normal((n, 3, 28, 28))
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        layer.forward(x)
        times.append(1e6 * (time.perf_counter() - start) / n)
    return {"batch": n, "us per image": round(float(np.median(times)), 1)}


def _extra(call: Callable[[], Any]) -> int:
    """Return the bytes that a call holds at its peak beside its results."""
    tracemalloc.start()
    results = call()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del results
    return peak - held


def _scipy(x: Any, W: Any) -> list[Any]:
    from scipy.signal import correlate

    return [correlate(x, filter_[np.newaxis], mode="valid") for filter_ in W]


def _without_gradients(torch: Any, call: Callable[[], Any]) -> Any:
    with torch.no_grad():
        return call()


def _peer(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _markdown(rows: list[Row], growth: list[Row], rounds: int, torch: Any) -> str:
    lines = [
        f"Machine: {_processor()}; Python {platform.python_version()}, NumPy {np.__version__},"
        f" torch {torch.__version__ if torch else 'not installed'}; medians of {rounds} rounds.",
        "A ratio above 1 means that ours is faster.",
        "",
        "| layer | call | dtype | threads | torch / ours, geometric mean | least |",
        "|---|---|---|---|---|---|",
    ]
    for key, values in _ratios(rows).items():
        mean = np.exp(np.mean(np.log(values)))
        lines.append(f"| {' | '.join(key)} | {mean:.2f} | {min(values):.2f} |")
    lines += [
        "",
        "Share: of the machine's matrix product, the time of the plain products that the call needs over the time of"
        " ours. Extra MB: what the call holds beside its arguments and results.",
        "",
        "| layer | dtype | threads | call | ours ms (quartiles) | share | "
        + " / ours | ".join(PEERS)
        + " / ours | extra MB |",
        "|---" * (7 + len(PEERS)) + "|",
    ]
    for row in rows:
        if row["threads"] != rows[0]["threads"]:  # these are in layers.csv
            continue
        ratios = [str(row.get(f"{peer} / ours", "-")) for peer in ("product", *PEERS)]
        cells = [f"{row['ours ms']} ({row['spread']})", *ratios, str(row["extra MB"])]
        lines.append(f"| {row['layer']} | {row['dtype']} | {row['threads']} | {row['call']} | {' | '.join(cells)} |")
    lines += ["", "| batch of a convolution's forward, float64 | us per image |", "|---|---|"]
    lines += [f"| {row['batch']} | {row['us per image']} |" for row in growth]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    """Return the name of the processor: Linux tells it, elsewhere the kind must do."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({platform.machine()})" if names else platform.machine()


def _ratios(rows: list[Row]) -> dict[tuple[str, ...], list[float]]:
    found: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        if "torch / ours" in row:
            key = row["layer"].split()[0], row["call"], row["dtype"], str(row["threads"])
            found.setdefault(key, []).append(row["torch / ours"])
    return found


def _picture(rows: list[Row], growth: list[Row], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 1))
    labels = [f"{row['layer']} {row['dtype']}" for row in rows if row["call"] == "forward+backprop"]
    ratios = [row.get("torch / ours", 0) for row in rows if row["call"] == "forward+backprop"]
    left.barh(labels, ratios, color=["tab:green" if ratio >= 1 else "tab:orange" for ratio in ratios])
    left.axvline(1, color="black", linewidth=1)
    left.set_xlabel("time of torch / time of ours, forward and backprop (to the right of 1: ours is faster)")
    left.tick_params(axis="y", labelsize=6)
    left.invert_yaxis()
    right.plot([row["batch"] for row in growth], [row["us per image"] for row in growth], marker="o")
    right.set(xscale="log", xlabel="batch", ylabel="µs per image, forward", ylim=(0, None))
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
