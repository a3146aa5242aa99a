"""`python -m verification.benchmarks.explanation`: what is told of files whose mistakes are known.

Of each file of the catalogue, and of others with a truth.json beside them (--folder), the mistakes are data: the array,
how it shows, and under which conditions it is right. A mistake is told if a cause is about its array; explained if that
cause says why (which is claimed only where it predicts every answer), or where, and that is so at every size tried.
"""

import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import click

from verification.cause import Cause
from verification.judge.verdict import LayerVerdict, judge

STUDENTS = Path(__file__).parents[1] / "catalogue" / "students"

OF_PROPERTIES = {
    "keeps state": ("history_is_irrelevant",),
    "mutates argument": ("arguments_are_left_alone",),
    "ties": ("gradient_is_a_subgradient", "gradient_conserves_the_upstream_sum"),
    "dtype": ("rounding_stays_within_the_bound", "float32_in_stays_within_its_bound", "is_exact_at_a_realistic_size"),
    "layout": ("memory_layout_is_irrelevant",),
    "integers": ("integers_count_as_real_numbers",),
}
GRADIENTS = {"convolution": ("dLdx", "dLdW", "dLdb"), "max_pooling": ("dLdx",)}


@click.command()
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=STUDENTS)
@click.option("--seed", type=click.IntRange(0), default=0)
@click.option("--examples", type=click.IntRange(1), default=100)
@click.option("--details", is_flag=True, help="Print what is not told, repeated, unexplained or false.")
def main(folder: Path, seed: int, examples: int, details: bool) -> None:
    """Print how many mistakes are told once, hidden, repeated, explained, and where what is said is false."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    files = [(folder / name, mistakes, seed, examples) for name, mistakes in truth.items()]
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor(2) as pool:
        for (path, *_), (counted, said) in zip(files, pool.map(_of_file, files), strict=True):
            counts.update(counted)
            if details and said:
                click.echo("\n".join([path.name, *(f"  {line}" for line in said)]))
    mistakes = counts["mistakes"]
    for name in ("told", "explained", "why", "where only", "untold", "repeated", "where true", "where false", "alarms"):
        click.echo(f"{name:<12} {counts[name]:>4}  {100 * counts[name] / max(1, mistakes):5.1f} % of {mistakes}")


def _of_file(given: tuple[Path, list[dict[str, Any]], int, int]) -> tuple[Counter[str], list[str]]:
    path, truth, seed, examples = given
    counts: Counter[str] = Counter()
    said: list[str] = []
    verdict = judge(path.read_bytes(), path.name, seed=seed, examples=examples)
    for layer in verdict.layers:
        _of_layer(layer, [one for one in truth if one["layer"] == layer.name], counts, said)
    return counts, said


def _of_layer(layer: LayerVerdict, truth: list[dict[str, Any]], counts: Counter[str], said: list[str]) -> None:
    """Match the causes of a layer with its mistakes."""
    causes = list(layer.report.causes) if layer.report else []
    counting = [cause for cause in causes if cause.required]
    used: set[int] = set()
    for mistake in truth:
        counts["mistakes"] += 1
        matching = [at for at, cause in enumerate(causes) if _is_about(layer.name, cause, mistake)]
        at = next((at for at in matching if at not in used), next(iter(matching), None))
        if at is None and layer.report is None and mistake["kind"] == "missing":
            counts.update(["told", "explained"])
            continue
        if at is None:
            counts["untold"] += 1
            said.append(f"not told: {layer.name} {mistake['array']} {mistake['what']}")
            continue
        used.add(at)
        counts["told"] += 1
        cause = causes[at]
        true_where = _where_is_true(cause, mistake)
        counts["where true"] += true_where is True
        if true_where is False and len(truth) == 1:
            counts["where false"] += 1
            said.append(f"where false: {cause.where} but {mistake['where_right']} {mistake['where_wrong']}")
        counts["why"] += bool(cause.why)
        counts["where only"] += not cause.why and cause.where is not None
        if cause.why or cause.where or mistake["kind"] in ("property", "missing"):
            counts["explained"] += 1
        else:
            said.append(f"not explained: {layer.name} {mistake['array']} {mistake['what']} | {cause.message!r:.150}")
    extra = [cause for cause in counting if causes.index(cause) not in used]
    counts["repeated"] += len(extra) if truth else 0
    counts["alarms"] += len(extra) if not truth else 0
    said += [f"beside: {layer.name} {cause.kind} {cause.array} {cause.headline[:150]}" for cause in extra]


def _is_about(layer: str, cause: Cause, mistake: dict[str, Any]) -> bool:
    """Return whether a cause is about the array, or the property, of a mistake."""
    properties = OF_PROPERTIES.get(mistake.get("property") or "", ())
    if properties:
        return cause.property_name in properties or any(why.family == "float32-inside" for why in cause.why)
    if cause.kind == "property" and cause.property_name != "is_exact_at_a_realistic_size":
        return False
    arrays = {cause.array, *cause.also}
    if cause.array is None:
        arrays = {"y"} if cause.property_name == "forward_matches_reference" else set(GRADIENTS[layer])
    return bool(arrays & {mistake["array"], *(mistake.get("also") or ())})


def _where_is_true(cause: Cause, mistake: dict[str, Any]) -> bool | None:
    """Return whether the conditions of a cause hold at the same sizes as those of a mistake; None if it has none."""
    if cause.where is None:
        return None
    right, wrong = mistake["where_right"], mistake["where_wrong"]
    for sizes in _sizes(mistake["layer"]):
        if wrong:
            is_right = not all(eval(condition, {}, dict(sizes)) for condition in wrong)
        else:
            is_right = bool(right) and all(eval(condition, {}, dict(sizes)) for condition in right)
        said = cause.where.is_right_at(sizes)
        # Of a call that raises only that is said: the array may be wrong elsewhere.
        if is_right != said and (cause.array is not None or is_right):
            return False
    return True


def _sizes(layer: str) -> list[dict[str, int]]:
    """Return sizes of cases, as they are drawn."""
    found = []
    if layer == "convolution":
        few, extra = (1, 2, 3), (0, 1, 4)
        for n, c, f, kw, kh, w, h in product(few, few, few, few, few, extra, extra):
            found.append({
                "batch": n, "channels": c, "filters": f, "filter_width": kw, "filter_height": kh,
                "width": kw + w, "height": kh + h, "out_width": w + 1, "out_height": h + 1,
            })  # fmt: skip
        return found
    for n, c, stride, pool, w, h in product((1, 2), (1, 2), (1, 2, 3, 4), (1, 2, 3, 4), range(5), range(5)):
        found.append({
            "batch": n, "channels": c, "stride": stride, "pool_size": pool, "width": pool + w, "height": pool + h,
            "out_width": w // stride + 1, "out_height": h // stride + 1,
        })  # fmt: skip
    return found


if __name__ == "__main__":
    main()
