"""Whether what a layer was used for before makes a difference: calls in any order, then the same questions again."""

from contextlib import suppress
from itertools import groupby

import numpy as np

from verification.case import Array
from verification.failure import NotJudged
from verification.instance import Held
from verification.layer import Layer
from verification.named import named_by
from verification.properties.shared import another, another_upstream
from verification.trial import Trial

CALLS = "calls before"
"""The choice of the calls that a layer is used for; a case is made simpler by leaving out some."""

MOST = 12
"""So many calls at most."""

OFTEN = 250
"""So often at most is a call made again: where the layer's source names that number."""

WRITES_X = "x changed in place"
OTHER_PARAMETERS = ("other parameters assigned", "parameters changed in place")
EVENTS = (
    "forward", "backprop", "forward of other values", "backprop of other values", "forward of another batch",
    "forward of another layer", WRITES_X,
)  # fmt: skip


def history_is_irrelevant(trial: Trial) -> None:
    """forward and backprop of a used layer == those of a new one, whatever the calls before, in any order."""
    calls = _calls(trial)
    now = _arguments_after(trial, calls)
    y, gradients = trial.layer(now).both(now["x"], trial.dLdy)

    used = trial.layer()
    x, dLdy = used.hold("x", trial.x.copy()), used.hold("dLdy", trial.dLdy.copy())
    used.forward(x)
    for at, call in enumerate(calls):
        _make(trial, used, call, _arguments_after(trial, calls[: at + 1]), x, dLdy)

    because = f", not what a new layer gives, after {_said(('forward', *calls))}"
    for name, gradient in used.backprop(x, dLdy, straight=True).items():
        trial.compare(f"dLd{name}", gradient, gradients[name], because)
    trial.compare("forward(x)", used.forward(x), y, because)


def _calls(trial: Trial) -> tuple[str, ...]:
    """Return some calls in any order, or one call again and again."""
    events = [*EVENTS, *(OTHER_PARAMETERS if trial.spec.parameters else ())]
    count = trial.pick("number of calls", range(1, MOST + 1))
    if trial.pick("again and again", [True] + [False] * 5):
        named = [number for number in named_by(trial.spec.make) if MOST / 2 < number <= OFTEN]
        count = trial.pick("count", [count, *4 * named])
        calls = [trial.pick("call 0", EVENTS[:2] if count in named else events)] * count
    else:
        calls = [trial.pick(f"call {at}", events) for at in range(count)]
    return trial.sequence(CALLS, tuple(calls))


def _said(calls: tuple[str, ...]) -> str:
    """Return the calls in words, those in a row once."""
    runs = [(call, len(list(same))) for call, same in groupby(calls)]
    return ", ".join(f"{call}, {times} times" if times > 1 else call for call, times in runs)


def _arguments_after(trial: Trial, calls: tuple[str, ...]) -> dict[str, Array]:
    """Return x and the parameters after these calls: changed once they are others, changed twice what they were."""
    then = dict(trial.arguments)
    if calls.count(WRITES_X) % 2:
        then["x"] = another(trial, trial.x)
    if sum(call in OTHER_PARAMETERS for call in calls) % 2:
        then |= {name: another(trial, trial.arguments[name]) for name in trial.spec.parameters}
    return then


def _make(trial: Trial, used: Layer, call: str, now: dict[str, Array], x: Held, dLdy: Held) -> None:
    """Make a call, after which x and the parameters are as they are `now`."""
    if call == "forward":
        used.forward(x)
    elif call == "backprop":
        used.backprop(x, dLdy, straight=True)
    elif call == "forward of other values":
        used.forward(another(trial, trial.x))
    elif call == "backprop of other values":
        used.backprop(another(trial, trial.x), another_upstream(trial))
    elif call == "forward of another batch":
        used.forward(_another_batch(trial))
    elif call == "forward of another layer":
        others = {name: another(trial, trial.arguments[name]) for name in trial.spec.parameters}
        trial.layer(others).forward(another(trial, trial.x))
    elif call == WRITES_X:
        used.write(x, "x", now["x"])
    else:
        for name in trial.spec.parameters:
            (used.overwrite if call == OTHER_PARAMETERS[1] else used.assign)(name, now[name])


def _another_batch(trial: Trial) -> Array:
    """Return twice as many images, or others where the batch may have no other size."""
    if trial.spec.batch_independent:
        with suppress(NotJudged):
            return trial.allowed(np.concatenate([trial.x, trial.x]))
    return another(trial, trial.x)
