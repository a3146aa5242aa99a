"""`python -m verification.benchmarks.explanation`: what is told of files whose mistakes are known.

Of each file of the catalogue, and of others with a truth.json beside them (--folder), the mistakes are data: the array,
how it shows, its family, and under which conditions it is right. A mistake is told if a cause is about its array or
its property; hidden, if the suite cannot call backprop, which is said. Its reason (why) is right if right_reasons.py
has it for that family, and false if it has it for no mistake that the cause may be about. It is explained if the reason
is right, or where it is right is said, and that is so at every size tried. Scripts are run. With --planted the same is
asked of the planted bugs.
"""

import ast
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np

from verification import check
from verification.benchmarks.right_reasons import PLANTED, RIGHT
from verification.catalogue import SECTIONS
from verification.cause import Cause
from verification.judge.verdict import LayerVerdict, judge
from verification.tests.scripts import assert_shows

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

OF_MISTAKES = (
    "told", "explained", "why right", "why false", "where only", "where true", "where false", "untold", "hidden",
    "repeated", "alarms", "scripts", "scripts false",
)  # fmt: skip
OF_BUGS = ("named", "not named", "why false", "causes")

Counts = Counter[str]


@click.command()
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=STUDENTS)
@click.option("--planted", is_flag=True, help="Ask of the planted bugs, not of files.")
@click.option("--seed", type=click.IntRange(0), default=0)
@click.option("--seeds", type=click.IntRange(1), default=1, help="Repeat with so many seeds.")
@click.option("--examples", type=click.IntRange(1), default=100)
@click.option("--details", is_flag=True, help="Print what is not told, repeated, unexplained or false.")
def main(folder: Path, planted: bool, seed: int, seeds: int, examples: int, details: bool) -> None:
    """Print how many mistakes are told once, repeated, explained, and where what is said is false."""
    ask: Any = _of_bug if planted else _of_file
    given: Any = [(s, b) for s in range(len(SECTIONS)) for b in range(len(SECTIONS[s].bugs))]
    if not planted:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        given = [(folder / name, mistakes) for name, mistakes in truth.items()]
    counts: Counts = Counter()
    with ProcessPoolExecutor(2) as pool:
        asked = [pool.submit(ask, *[*one, at, examples]) for at in range(seed, seed + seeds) for one in given]
        for future in asked:
            name, counted, said = future.result()
            counts.update(counted)
            if details and said:
                click.echo("\n".join([name, *(f"  {line}" for line in said)]))
    whole = "bugs" if planted else "mistakes"
    for name in OF_BUGS if planted else OF_MISTAKES:
        of = "scripts" if name == "scripts false" else whole
        click.echo(
            f"{name:<13} {counts[name]:>4}  {100 * counts[name] / max(1, counts[of]):5.1f} % of {counts[of]} {of}"
        )


# Files


def _of_file(path: Path, truth: list[dict[str, Any]], seed: int, examples: int) -> tuple[str, Counts, list[str]]:
    counts: Counts = Counter()
    said: list[str] = []
    verdict = judge(path.read_bytes(), path.name, seed=seed, examples=examples)
    for layer in verdict.layers:
        _of_layer(layer, [one for one in truth if one["layer"] == layer.name], counts, said)
        if layer.report:
            made = _defined(path).get(layer.class_name)
            with chdir(path.parent):  # where its scripts find the file
                _run_scripts(list(layer.report.causes), layer.class_name, made, counts, said)
    return path.name, counts, said


def _of_layer(layer: LayerVerdict, truth: list[dict[str, Any]], counts: Counts, said: list[str]) -> None:
    """Match the causes of a layer with its mistakes."""
    causes = list(layer.report.causes) if layer.report else []
    used: set[int] = set()
    for mistake in truth:
        counts["mistakes"] += 1
        if layer.report is None and mistake["kind"] == "missing":
            counts.update(["told", "explained"])
            continue
        matching = [at for at, cause in enumerate(causes) if _is_about(layer.name, cause, mistake)]
        matching.sort(key=lambda at: (not _reasons(causes[at]) & _right(mistake), at in used))
        if not matching and mistake["array"] != "y" and any(map(_convention, causes)):
            counts["hidden"] += 1
            continue
        if not matching:
            counts["untold"] += 1
            said.append(f"not told: {layer.name} {mistake['array']} {mistake['what']}")
            continue
        at = matching[0]
        used.add(at)
        counts["told"] += 1
        cause = causes[at]
        true_where = _where_is_true(cause, mistake)
        counts["where true"] += true_where is True
        if true_where is False and len(truth) == 1:
            counts["where false"] += 1
            said.append(f"where false: {cause.where_said} but {mistake['where_right']} {mistake['where_wrong']}")
        why = bool(_reasons(cause) & _right(mistake))
        counts["why right"] += why
        counts["where only"] += not why and cause.where is not None
        if why or cause.where or cause.always or mistake["kind"] in ("property", "missing"):
            counts["explained"] += 1
        if not why and mistake["kind"] != "missing":
            said.append(f"no why: {layer.name} {mistake['array']} {mistake['what']} | {cause.headline!r:.200}")
    _of_reasons(layer.name, causes, truth, counts, said)
    extra = [cause for at, cause in enumerate(causes) if cause.required and at not in used and not _convention(cause)]
    counts["repeated" if truth else "alarms"] += len(extra)
    said += [f"beside: {layer.name} {cause.kind} {cause.array} {cause.headline[:150]}" for cause in extra]


def _of_reasons(layer: str, causes: list[Cause], truth: list[dict[str, Any]], counts: Counts, said: list[str]) -> None:
    """Count the reasons that are given and right for no mistake that the cause may be about."""
    for cause in causes:
        about = [mistake for mistake in truth if _is_about(layer, cause, mistake)]
        if not cause.required or _convention(cause) or any(mistake["family"] not in RIGHT for mistake in about):
            continue
        if wrong := _reasons(cause) - {reason for mistake in about for reason in _right(mistake)}:
            counts["why false"] += 1
            said.append(f"why false: {layer} {cause.array} {sorted(wrong)} {cause.headline[:150]}")


def _reasons(cause: Cause) -> set[str]:
    return {why.family for why in cause.why}


def _right(mistake: dict[str, Any]) -> set[str]:
    return RIGHT.get(mistake["family"], set())


def _convention(cause: Cause) -> bool:
    """Return whether a cause says that backprop is called otherwise, which is no mistake of a truth.json."""
    return "other-convention" in _reasons(cause)


def _is_about(layer: str, cause: Cause, mistake: dict[str, Any]) -> bool:
    """Return whether a cause is about the array, or the property, of a mistake."""
    if _convention(cause):
        return False
    right = bool(_reasons(cause) & _right(mistake))
    properties = OF_PROPERTIES.get(mistake.get("property") or "", ())
    if properties:
        return cause.property_name in properties or right
    of_a_property = cause.kind == "property" and cause.property_name != "is_exact_at_a_realistic_size"
    if of_a_property and not right:
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


# Scripts


def _defined(path: Path) -> dict[str, Any]:
    """Return what a file imports, assigns and defines; the rest, its own test, is not run."""
    names: dict[str, Any] = {"__name__": path.stem}
    for statement in _definitions(ast.parse(path.read_bytes()).body):
        try:
            exec(compile(ast.Module([statement], []), str(path), "exec"), names)
        except Exception:  # an assignment that needs what was not run
            continue
    return names


def _definitions(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.ClassDef | ast.FunctionDef | ast.Assign):
            yield statement
        elif isinstance(statement, ast.If | ast.For | ast.With):
            yield from _definitions(statement.body)


def _run_scripts(causes: list[Cause], name: str, made: Any, counts: Counts, said: list[str]) -> None:
    """Count the scripts that run, and those of which the last output is not what the message claims."""
    for cause in causes:
        if cause.counterexample is None or made is None or "non-deterministic" in _reasons(cause):
            continue
        counts["scripts"] += 1
        try:
            with np.errstate(all="ignore"):
                assert_shows(cause, cause.counterexample.script, name, made)
        except Exception as error:
            counts["scripts false"] += 1
            said.append(f"script: {name} {cause.headline[:80]} | {type(error).__name__}: {str(error)[:150]!r}")


# Planted bugs


def _of_bug(section: int, number: int, seed: int, examples: int) -> tuple[str, Counts, list[str]]:
    """Count whether a planted bug is named, falsely named, and in how many causes."""
    ready, bug = SECTIONS[section].spec, SECTIONS[section].bugs[number]
    counts: Counts = Counter(bugs=1)
    said: list[str] = []
    spec = ready(bug.layer)
    if bug.caught_by != "is_exact_at_a_realistic_size":
        spec = replace(spec, realistic=None)
    report = check(spec, examples=examples, seed=seed, strict=True)
    hardening = not any(cause.required for cause in report.causes)
    causes = [cause for cause in report.causes if cause.required or hardening]
    counts["causes"] = len(causes)
    reasons = {reason for cause in causes for reason in _reasons(cause)}
    counts["named" if reasons else "not named"] = 1
    if not reasons:
        said.append(f"not named: {bug.description} | {causes[0].headline if causes else 'nothing found'!r:.150}")
    if bug.family in PLANTED and (wrong := reasons - PLANTED[bug.family]):
        counts["why false"] = 1
        headlines = [cause.headline for cause in causes if _reasons(cause) & wrong]
        said.append(f"why false: {bug.description} | {sorted(wrong)} {headlines[0]!r:.200}")
    if len(causes) > 1:
        said.append(f"causes: {bug.description} | {[cause.headline[:90] for cause in causes]}")
    return f"{ready.__name__} {bug.name} ({bug.family})", counts, said


if __name__ == "__main__":
    main()
