"""Recurrent layers: cells, which take one step from a state to the next, and layers, which go over all steps.

A cell takes x (n, d) and states (n, k), a layer x (n, t, d) and the states before the first step.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from verification.case import Array, Case, whole
from verification.choices import Choices, batch, counts, inner, side
from verification.explain.knobs import Mistake
from verification.outputs import joined
from verification.spec import LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown
from verification.trial import Trial

RTOL = 1e-8
RTOL_REASON = (
    "the layer and the formula err by rounding alone: sums of a few products for x and states from -1 to 1 and weights"
    " from -1/2 to 1/2, less for more than 3 features or units, over at most 3 steps, far below 1e-12 of dLdy"
)
States = tuple[Array, ...]
Cell = Callable[..., States]
"""Called with x (n, d), the states and the parameters, returns the next states; the first of them is y."""
Back = Callable[..., tuple[Array, ...]]
"""Called with the gradients of the next states, x, the states and the parameters, returns the gradients of these."""
Table = tuple[tuple[str, str, str, Cell | Back], ...]
"""Rows of a family, what is spoilt ("y", "dLdW"), what is said of it, and the other cell, or the other way back."""


def rnn_cell(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a plain recurrent cell: tanh(x W + h U + b).

    implementation(input_size, hidden_size) makes the layer: the class itself or a function, with the parameters
    W (d, k), U (k, k) and b (k,). It has forward(x, h) for x (n, d) and h (n, k), and backprop(x, h, dLdy), which
    returns (dLdx, dLdh, dLdW, dLdU, dLdb).
    Keywords restrict what is tried (`verification.choices`): batch, input_size (d), hidden_size (k); bias=False.
    """
    return _recurrent("rnn_cell", implementation, only, _rnn, _rnn_back, ("h",), 1, RNN_MISTAKES, over_time=False)


def rnn(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a plain recurrent layer: h[t] = tanh(x[t] W + h[t - 1] U + b), y all of the h[t].

    implementation(input_size, hidden_size) makes the layer: the class itself or a function, with the parameters
    W (d, k), U (k, k) and b (k,). It has forward(x, h) for x (n, t, d) and the first state h (n, k), which returns
    y (n, t, k); and backprop(x, h, dLdy), which returns (dLdx, dLdh, dLdW, dLdU, dLdb).
    Keywords restrict what is tried (`verification.choices`): batch, steps (t), input_size (d), hidden_size (k);
    bias=False.
    """
    return _recurrent("rnn", implementation, only, _rnn, _rnn_back, ("h",), 1, RNN_MISTAKES, over_time=True)


def gru_cell(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a gated recurrent unit, one step: (1 - z) n + z h.

    r and z are sigmoids of x W + b + h U + c, the first and second k columns; n is tanh of x W + b + r (h U + c), the
    third. implementation(input_size, hidden_size) makes the layer: the class itself or a function, with the
    parameters W (d, 3 k), U (k, 3 k), b (3 k,) and c (3 k,). It has forward(x, h) for x (n, d) and h (n, k), and
    backprop(x, h, dLdy), which returns (dLdx, dLdh, dLdW, dLdU, dLdb, dLdc).
    Keywords restrict what is tried (`verification.choices`): batch, input_size (d), hidden_size (k).
    Source: documentation of torch.nn.GRUCell; its weights are the transposed ones.
    """
    return _recurrent(
        "gru_cell", implementation, only, _gru, _gru_back, ("h",), 3, GRU_MISTAKES, over_time=False, second_bias=True
    )


def gru(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a layer of gated recurrent units: `gru_cell` step by step, y all of its states.

    implementation(input_size, hidden_size) makes the layer, with the parameters of `gru_cell`. It has forward(x, h)
    for x (n, t, d) and the first state h (n, k), which returns y (n, t, k); and backprop(x, h, dLdy), which returns
    (dLdx, dLdh, dLdW, dLdU, dLdb, dLdc).
    Keywords restrict what is tried (`verification.choices`): batch, steps (t), input_size (d), hidden_size (k).
    """
    return _recurrent(
        "gru", implementation, only, _gru, _gru_back, ("h",), 3, GRU_MISTAKES, over_time=True, second_bias=True
    )


def lstm_cell(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a long short-term memory, one step, with both states out: (h_next, c_next).

    i, f, g, o are the first to fourth k columns of x W + h U + b, g through tanh and the others through the sigmoid;
    c_next = f c + i g, and h_next = o tanh(c_next). implementation(input_size, hidden_size) makes the layer: the class
    itself or a function, with the parameters W (d, 4 k), U (k, 4 k) and b (4 k,). It has forward(x, h, c) for x (n, d)
    and h and c (n, k), which returns (h_next, c_next); and backprop(x, h, c, dLdh_next, dLdc_next), which returns
    (dLdx, dLdh, dLdc, dLdW, dLdU, dLdb).
    Keywords restrict what is tried (`verification.choices`): batch, input_size (d), hidden_size (k); bias=False.
    """
    return _recurrent(
        "lstm_cell", implementation, only, _lstm, _lstm_back, ("h", "c"), 4, LSTM_CELL_MISTAKES, over_time=False,
        outputs=("h_next", "c_next"),
    )  # fmt: skip


def lstm(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of a layer of long short-term memory, y all of its states h[t].

    i, f, g, o are the first to fourth k columns of x[t] W + h[t - 1] U + b, g through tanh and the others through the
    sigmoid; c[t] = f c[t - 1] + i g, and h[t] = o tanh(c[t]). implementation(input_size, hidden_size) makes the layer:
    the class itself or a function, with the parameters W (d, 4 k), U (k, 4 k) and b (4 k,). It has forward(x, h, c)
    for x (n, t, d) and the first states h and c (n, k), which returns y (n, t, k); and backprop(x, h, c, dLdy), which
    returns (dLdx, dLdh, dLdc, dLdW, dLdU, dLdb).
    Keywords restrict what is tried (`verification.choices`): batch, steps (t), input_size (d), hidden_size (k);
    bias=False.
    """
    return _recurrent("lstm", implementation, only, _lstm, _lstm_back, ("h", "c"), 4, LSTM_MISTAKES, over_time=True)


def _recurrent(
    name: str, make: Callable[..., Any], only: Mapping[str, Any], cell: Cell, back: Back,
    states: tuple[str, ...], gates: int, mistakes: Table, *, over_time: bool, second_bias: bool = False,
    outputs: tuple[str, ...] = (),
) -> LayerSpec:  # fmt: skip
    """Return the spec; W, U and the biases have columns for so many gates. A cell may have all states as outputs."""
    own = ("W", "U", "b", *(("c",) if second_bias else ()))

    def steps_of(x: Array) -> list[Array]:
        return [x[:, step] for step in range(x.shape[1])] if over_time else [x]

    def reference(x: Array, cell: Cell = cell, **given: Any) -> Array | States:
        """Step by step. Source: the definition."""
        now, y = tuple(given[state] for state in states), []
        for step in steps_of(x):
            now = cell(step, *now, *(given[name] for name in own))
            y.append(now[0])
        if outputs:
            return now
        return np.stack(y, axis=1) if over_time else y[0]

    def gradient(x: Array, back: Back = back, carried: bool = True, **given: Any) -> dict[str, Array]:
        """From the last step to the first, by the chain rule."""
        parameters = [given[name] for name in own]
        before = [tuple(given[state] for state in states)]
        for step in steps_of(x):
            before.append(cell(step, *before[-1], *parameters))
        coming = [given.get(f"dLd{state}_next", np.zeros(given[state].shape)) for state in states]
        dLdy = given.get("dLdy", np.zeros(coming[0].shape))
        result = {name: np.zeros(given[name].shape) for name in own}
        of_steps = []
        for step, now, upstream in reversed(list(zip(steps_of(x), before, steps_of(dLdy), strict=False))):
            dLdstep, *found = back(coming[0] + upstream, *coming[1:], step, *now, *parameters)
            coming = found[: len(states)] if carried else [0 * array for array in coming]
            of_steps.append(dLdstep)
            for key, part in zip(own, found[len(states) :], strict=True):
                result[key] += part
        dLdx = np.stack(of_steps[::-1], axis=1) if over_time else of_steps[0]
        return {"x": dLdx, **dict(zip(states, coming, strict=True)), **result}

    choices = Choices(name, only, {
        "batch": batch(1, 3), "steps": side(1, 1, 3) if over_time else inner(1, 3), "input_size": counts(1, 3),
        "hidden_size": counts(1, 3),
    }, has_bias=not second_bias, make=make)  # fmt: skip

    def case(batch: int, steps: int, input_size: int, hidden_size: int, seed: int) -> Case:
        columns = gates * hidden_size
        weights = {"W": (input_size, columns), "U": (hidden_size, columns), "b": (columns,), "c": (columns,)}
        shapes = {"x": (batch, steps, input_size) if over_time else (batch, input_size)}
        shapes |= {key: weights[key] for key in own} | dict.fromkeys(states, (batch, hidden_size))
        arrays = {key: whole(key, seed, shape) / (256 if key in own else 128) for key, shape in shapes.items()}
        for key in ("W", "U"):  # so that no sum is larger than for 3
            arrays[key] /= max(1.0, len(arrays[key]) / 3)
        return Case(arrays, {"input_size": input_size, "hidden_size": hidden_size}, seed)

    def upstream(case: Case) -> Array:
        given: dict[str, Any] = {key: case.arrays[key] for key in ("x", *states, *own)}
        return joined(reference(**given))

    def wrong(array: str, other: Any) -> Callable[[Trial], Array]:
        if array == "y":
            return lambda trial: joined(reference(**_given(trial, cell=other)))
        return lambda trial: gradient(**_given(trial, **trial.upstream, back=other))[array.removeprefix("dLd")]

    def from_the_first(trial: Trial) -> Array | None:
        """Return y if every step began with the first states."""
        steps = [joined(reference(**_given(trial, x=trial.x[:, [step]]))) for step in range(trial.x.shape[1])]
        return np.concatenate(steps, axis=1)

    def _of_one_step(key: str) -> Callable[[Trial], Array]:
        return lambda trial: gradient(**_given(trial, **trial.upstream, carried=False))[key]

    through_time = (
        Mistake("keeps-state", "y", "y begins every step with the first state; take that of the step before",
                from_the_first),
        *(Mistake("not-accumulated", f"dLd{key}", f"dLd{key} leaves out what comes back from the steps after each",
                  _of_one_step(key))
          for key in ("x", *own)),
    ) if over_time else ()  # fmt: skip
    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(case),
        reference=lambda x, **given: reference(x, **{key: given[key] for key in (*states, *own)}),
        parameters=(*states, *own),
        inputs=states,
        outputs=outputs,
        rtol=RTOL,
        rtol_reason=RTOL_REASON,
        batch_independent=False,  # an image of x belongs to one of each state
        bad_arguments=(
            forward_of("forward, x with a feature too many", lambda case: grown(case.arrays["x"], -1)),
            backprop_of("backprop, dLdy with a unit too many", lambda case: grown(upstream(case), -1)),
            backprop_of("backprop, dLdy of another batch size", lambda case: grown(upstream(case), 0)),
        ),
        gradient=lambda x, **given: gradient(x, **given),
        mistakes=(
            *(Mistake(family, array, f"{array} {sentence}", wrong(array, other))
              for family, array, sentence, other in mistakes),
            *through_time,
        ),
    )  # fmt: skip
    return choices.applied(spec)


def _given(trial: Trial, **more: Any) -> dict[str, Any]:
    """Return the arguments of the case, and more."""
    return {**trial.arguments, **more}


# The cells, and their mistakes


def _rnn(x: Array, h: Array, W: Array, U: Array, b: Array) -> States:
    return (np.tanh(x @ W + h @ U + b),)


def _rnn_back(dLdh: Array, x: Array, h: Array, W: Array, U: Array, b: Array, slope: Any = None) -> tuple[Array, ...]:
    (y,) = _rnn(x, h, W, U, b)
    u = dLdh * (1 - y**2 if slope is None else slope(y))
    return u @ W.T, u @ U.T, x.T @ u, h.T @ u, u.sum(axis=0)


def _untransposed(dLdh: Array, x: Array, h: Array, W: Array, U: Array, b: Array) -> tuple[Array, ...]:
    dLdx, _, *others = _rnn_back(dLdh, x, h, W, U, b)
    return dLdx, (dLdh * (1 - _rnn(x, h, W, U, b)[0] ** 2)) @ U, *others


def _of_slope(slope: Callable[[Array], Array]) -> Back:
    return partial(_rnn_back, slope=slope)


def _gates(x: Array, h: Array, W: Array, U: Array, b: Array, c: Array) -> tuple[Array, ...]:
    """Return r, z and n (n, k) of a GRU, and the part of n that r multiplies."""
    k = h.shape[1]
    i, g = x @ W + b, h @ U + c
    r, z = special.expit(i[:, :k] + g[:, :k]), special.expit(i[:, k : 2 * k] + g[:, k : 2 * k])
    return r, z, np.tanh(i[:, 2 * k :] + r * g[:, 2 * k :]), g[:, 2 * k :]


def _gru(x: Array, h: Array, *parameters: Array) -> States:
    _, z, n, _ = _gates(x, h, *parameters)
    return ((1 - z) * n + z * h,)


def _gru_back(
    dLdh: Array, x: Array, h: Array, W: Array, U: Array, b: Array, c: Array, direct: bool = True
) -> tuple[Array, ...]:
    r, z, n, inner = _gates(x, h, W, U, b, c)
    dLdn = dLdh * (1 - z) * (1 - n**2)
    first = [dLdn * inner * r * (1 - r), dLdh * (h - n) * z * (1 - z)]
    di, dg = np.concatenate([*first, dLdn], axis=1), np.concatenate([*first, dLdn * r], axis=1)
    before = dg @ U.T + (dLdh * z if direct else 0)
    return di @ W.T, before, x.T @ di, h.T @ dg, di.sum(axis=0), dg.sum(axis=0)


def _gru_changed(change: Callable[..., Array]) -> Cell:
    """Return the cell with another last line: of z, n and h."""

    def cell(x: Array, h: Array, *parameters: Array) -> States:
        _, z, n, _ = _gates(x, h, *parameters)
        return (change(z, n, h),)

    return cell


def _reset_first(x: Array, h: Array, W: Array, U: Array, b: Array, c: Array) -> States:
    """Return the state if r multiplies h before U does, as in the first paper on GRU."""
    k = h.shape[1]
    r, z, _, _ = _gates(x, h, W, U, b, c)
    n = np.tanh((x @ W + b + c)[:, 2 * k :] + (r * h) @ U[:, 2 * k :])
    return ((1 - z) * n + z * h,)


def _lstm(x: Array, h: Array, c: Array, W: Array, U: Array, b: Array, order: str = "ifgo") -> States:
    a = dict(zip(order, np.split(x @ W + h @ U + b, 4, axis=1), strict=True))
    now = special.expit(a["f"]) * c + special.expit(a["i"]) * np.tanh(a["g"])
    return special.expit(a["o"]) * np.tanh(now), now


def _lstm_back(
    dLdh: Array, dLdc: Array, x: Array, h: Array, c: Array, W: Array, U: Array, b: Array,
    through_c: bool = True, through_tanh: bool = True,
) -> tuple[Array, ...]:  # fmt: skip
    i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=1)
    i, f, g, o = special.expit(i), special.expit(f), np.tanh(g), special.expit(o)
    t = np.tanh(f * c + i * g)
    total = dLdh * o * (1 - t**2) * through_tanh + dLdc * through_c
    parts = (total * g * i * (1 - i), total * c * f * (1 - f), total * i * (1 - g**2), dLdh * t * o * (1 - o))
    u = np.concatenate(parts, axis=1)
    return u @ W.T, u @ U.T, total * f, x.T @ u, h.T @ u, u.sum(axis=0)


def _lstm_without_tanh(x: Array, h: Array, c: Array, W: Array, U: Array, b: Array) -> States:
    _, now = _lstm(x, h, c, W, U, b)
    return special.expit(np.split(x @ W + h @ U + b, 4, axis=1)[3]) * now, now


def _lstm_of(*states: int) -> Back:
    """Return the way back from these of the next states alone."""

    def back(dLdh: Array, dLdc: Array, *given: Any) -> tuple[Array, ...]:
        return _lstm_back(dLdh * (0 in states), dLdc * (1 in states), *given)

    return back


_ALL = ("dLdx", "dLdh", "dLdW", "dLdU", "dLdb")

RNN_MISTAKES: Table = (
    ("term-missing", "y", "leaves out h U", lambda x, h, W, U, b: (np.tanh(x @ W + b + 0 * h),)),
    ("term-missing", "y", "leaves out tanh", lambda x, h, W, U, b: (x @ W + h @ U + b,)),
    ("wrong-formula", "y", "has the sigmoid, not tanh", lambda x, h, W, U, b: (special.expit(x @ W + h @ U + b),)),
    ("axes-swapped", "y", "has U transposed", lambda x, h, W, U, b: _rnn(x, h, W, U.T, b)),
    ("axes-swapped", "dLdh", "is multiplied by U; it should be by U.T", _untransposed),
    *(row for array in _ALL for row in (
        ("term-missing", array, "leaves out the derivative of tanh", _of_slope(np.ones_like)),
        ("wrong-formula", array, "has 1 - y where 1 - y^2 belongs", _of_slope(lambda y: 1 - y)),
        ("wrong-formula", array, "has the derivative of the sigmoid, y (1 - y)", _of_slope(lambda y: y * (1 - y))),
    )),
)  # fmt: skip

GRU_MISTAKES: Table = (
    ("wrong-formula", "y", "has z the wrong way round, z n + (1 - z) h, as in the first paper; here z keeps h",
     _gru_changed(lambda z, n, h: z * n + (1 - z) * h)),
    ("wrong-formula", "y", "has r multiply h before U does; here r multiplies h U + c", _reset_first),
    ("term-missing", "y", "is n: the state before is not kept", _gru_changed(lambda z, n, h: n)),
    ("term-missing", "y", "leaves out z h", _gru_changed(lambda z, n, h: (1 - z) * n)),
    ("term-missing", "dLdh", "leaves out the way through z h", partial(_gru_back, direct=False)),
)  # fmt: skip

LSTM_FORWARD_MISTAKES: Table = (
    ("wrong-formula", "y", "takes the columns for i, f, o, g; here they are for i, f, g, o",
     partial(_lstm, order="ifog")),
    ("wrong-formula", "y", "takes the columns for f, i, g, o; here they are for i, f, g, o",
     partial(_lstm, order="figo")),
    ("term-missing", "y", "leaves out tanh of c", _lstm_without_tanh),
)  # fmt: skip

LSTM_MISTAKES: Table = (
    *LSTM_FORWARD_MISTAKES,
    *(("term-missing", array, "leaves out what comes back through c from the steps after",
       partial(_lstm_back, through_c=False)) for array in (*_ALL, "dLdc")),
)  # fmt: skip

LSTM_CELL_MISTAKES: Table = (
    *LSTM_FORWARD_MISTAKES,
    ("axes-swapped", "y", "is (c_next, h_next): h_next comes first", lambda *given: _lstm(*given)[::-1]),
    *(row for array in (*_ALL, "dLdc") for row in (
        ("term-missing", array, "leaves out what comes back through c_next", _lstm_of(0)),
        ("term-missing", array, "leaves out what comes back through h_next", _lstm_of(1)),
        ("axes-swapped", array, "takes dLdc_next for dLdh_next, and the other way round: dLdh_next comes first",
         lambda dLdh, dLdc, *given: _lstm_back(dLdc, dLdh, *given)),
        ("term-missing", array, "leaves out that h_next depends on c_next: dLdh_next goes back through c_next too",
         partial(_lstm_back, through_tanh=False)),
    )),
)  # fmt: skip
