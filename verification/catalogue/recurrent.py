"""Recurrent cells and layers: correct ones and planted bugs."""

from typing import Any

import numpy as np
from scipy import special

from verification.case import Array
from verification.catalogue.any_layer import DIFFERENCES, FORWARD, SHAPES, everywhere, row
from verification.catalogue.bug import Bug, Section, change
from verification.specs.recurrent import gru, gru_cell, lstm, lstm_cell, rnn, rnn_cell


class Cell:
    """A recurrent cell: one `step` forward, and one `back`. What a step keeps for the way back is its second result."""

    gates = 1
    states: tuple[str, ...] = ("h",)
    biases: tuple[str, ...] = ("b",)
    over_time = False

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.size = input_size
        columns = self.gates * hidden_size
        self.W: Array = np.zeros((input_size, columns))
        self.U: Array = np.zeros((hidden_size, columns))
        for name in self.biases:
            setattr(self, name, np.zeros(columns))

    def step(self, x: Array, *states: Array) -> tuple[tuple[Array, ...], Any]:
        """Return the next states, and what is kept."""
        raise NotImplementedError

    def back(self, kept: Any, *upstream: Array) -> tuple[list[Array], tuple[Array, Array]]:
        """Return the gradients of the states but for U, and those of x W + ..., once for W and once for U."""
        raise NotImplementedError

    def forward(self, x: Array, *states: Array) -> Array:
        """Return y."""
        return self.run(x, *states)[0]

    def run(self, x: Array, *states: Array) -> tuple[Array, list[Any]]:
        """Return y, and what every step kept."""
        if x.shape[-1] != self.size:
            raise ValueError(f"x should have {self.size} features, but its shape is {x.shape}")
        steps = list(np.moveaxis(x, 1, 0)) if self.over_time else [x]
        y, kept = [], []
        for step in steps:
            before = states
            states, more = self.step(step, *states)
            y.append(states[0])
            kept.append((step, before, more))
        return (np.stack(y, axis=1) if self.over_time else np.array(y[0])), kept

    def carry(self, gradients: list[Array]) -> list[Array]:
        """Return what goes on to the step before."""
        return gradients

    def backprop(self, *given: Array) -> tuple[Array, ...]:
        """x, states, dLdy -> the gradients of x, the states, W, U and the biases."""
        x, *states, dLdy = given
        y, kept = self.run(x, *states)
        if dLdy.shape != y.shape:
            raise ValueError(f"dLdy should have shape {y.shape}, but its shape is {dLdy.shape}")
        upstream = list(np.moveaxis(dLdy, 1, 0)) if self.over_time else [dLdy]
        coming = [np.zeros(state.shape) for state in states]
        dLdx, dLdW, dLdU = [], np.zeros(self.W.shape), np.zeros(self.U.shape)
        sums = [np.zeros(self.W.shape[1]) for _ in self.biases]
        for (step, before, more), u in zip(kept[::-1], upstream[::-1], strict=True):
            direct, (of_x, of_h) = self.back((before, more), coming[0] + u, *coming[1:])
            coming = self.carry([direct[0] + of_h @ self.U.T, *direct[1:]])
            dLdx.append(of_x @ self.W.T)
            dLdW += step.T @ of_x
            dLdU += before[0].T @ of_h
            for total, part in zip(sums, (of_x, of_h), strict=False):
                total += part.sum(axis=0)
        stacked = np.stack(dLdx[::-1], axis=1) if self.over_time else dLdx[0]
        return stacked, *coming, dLdW, dLdU, *sums


class Rnn(Cell):
    """A correct plain cell."""

    b: Array

    def step(self, x: Array, *states: Array) -> tuple[tuple[Array, ...], Any]:
        """tanh(x W + h U + b)."""
        y = self.activation(x @ self.W + states[0] @ self.U + self.b)
        return (y,), y

    def activation(self, a: Array) -> Array:
        """Return tanh."""
        return np.tanh(a)

    def slope(self, y: Array) -> Array:
        """1 - y^2."""
        return np.asarray(1 - y**2)

    def back(self, kept: Any, *upstream: Array) -> Any:
        """Multiply by the slope."""
        u = upstream[0] * self.slope(kept[1])
        return [np.zeros(u.shape)], (u, u)


class Gru(Cell):
    """A correct GRU cell."""

    gates, biases = 3, ("b", "c")
    b: Array
    c: Array

    def step(self, x: Array, *states: Array) -> tuple[tuple[Array, ...], Any]:
        """(1 - z) n + z h."""
        (h,) = states
        i, g = np.split(x @ self.W + self.b, 3, axis=1), np.split(h @ self.U + self.c, 3, axis=1)
        r, z = special.expit(i[0] + g[0]), special.expit(i[1] + g[1])
        n = np.tanh(i[2] + r * g[2])
        return (self.mixed(z, n, h),), (r, z, n, g[2])

    def mixed(self, z: Array, n: Array, h: Array) -> Array:
        """Keep z of h."""
        return np.asarray((1 - z) * n + z * h)

    def direct(self, u: Array, z: Array) -> Array:
        """Return what comes back through z h."""
        return np.asarray(u * z)

    def back(self, kept: Any, *upstream: Array) -> Any:
        """Differentiate."""
        ((h,), (r, z, n, g)), (u,) = kept, upstream
        dn, dz = u * (1 - z) * (1 - n**2), u * (h - n) * z * (1 - z)
        dr = dn * g * r * (1 - r)
        return [self.direct(u, z)], (np.hstack([dr, dz, dn]), np.hstack([dr, dz, dn * r]))


class Lstm(Cell):
    """A correct LSTM layer."""

    gates, states, over_time = 4, ("h", "c"), True
    b: Array

    def split(self, a: Array) -> list[Array]:
        """Return the columns for i, f, g and o."""
        return np.split(a, 4, axis=1)

    def step(self, x: Array, *states: Array) -> tuple[tuple[Array, ...], Any]:
        """c = f c + i g, h = o tanh(c)."""
        h, c = states
        i, f, g, o = self.split(x @ self.W + h @ self.U + self.b)
        i, f, g, o = special.expit(i), special.expit(f), np.tanh(g), special.expit(o)
        c = f * c + i * g
        return (o * np.tanh(c), c), (i, f, g, o, np.tanh(c))

    def back(self, kept: Any, *upstream: Array) -> Any:
        """Differentiate."""
        ((_, c), (i, f, g, o, t)), (u, through) = kept, upstream
        total = through + u * o * (1 - t**2)
        parts = [total * g * i * (1 - i), total * c * f * (1 - f), total * i * (1 - g**2), u * t * o * (1 - o)]
        a = np.hstack(parts)
        return [np.zeros(u.shape), total * f], (a, a)


class LstmCell(Lstm):
    """A correct LSTM cell, with both states out."""

    over_time = False

    def forward(self, x: Array, *states: Array) -> Any:
        """Return (h_next, c_next)."""
        if x.shape[-1] != self.size:
            raise ValueError(f"x should have {self.size} features, but its shape is {x.shape}")
        return self.step(x, *states)[0]

    def backprop(self, *given: Array) -> tuple[Array, ...]:
        """x, h, c, dLdh_next, dLdc_next -> the gradients of x, h, c, W, U and b."""
        x, states, upstream = given[0], given[1:3], given[3:]
        for name, u in zip(("dLdh_next", "dLdc_next"), upstream, strict=True):
            if u.shape != states[0].shape:
                raise ValueError(f"{name} should have shape {states[0].shape}, but its shape is {u.shape}")
        (_, dLdc), (a, _) = self.back((states, self.step(x, *states)[1]), *upstream)
        return a @ self.W.T, a @ self.U.T, dLdc, x.T @ a, states[0].T @ a, a.sum(axis=0)


def _over_time(base: type, **methods: Any) -> type:
    return change(base, f"{base.__name__}Layer", over_time=True, **methods)


def _in_fortran_order(base: Any) -> type:
    return change(
        base, f"{base.__name__}InFortranOrder",
        forward=lambda self, *given: np.asfortranarray(base.forward(self, *given)),
        backprop=lambda self, *given: [np.asfortranarray(array) for array in base.backprop(self, *given)],
    )  # fmt: skip


def _changed(base: Any, place: int, change: Any) -> dict[str, Any]:
    """Return backprop with one of its gradients changed."""

    def backprop(self: Any, *given: Array) -> tuple[Array, ...]:
        gradients = list(base.backprop(self, *given))
        gradients[place] = change(gradients[place], given)
        return tuple(gradients)

    return {"backprop": backprop}


def _first_states(base: Any) -> Any:
    """Return `run` in which every step begins with the first states, but for what is kept."""

    def forward(self: Any, x: Array, *states: Array) -> Array:
        return np.concatenate([base.forward(self, x[:, [t]], *states) for t in range(x.shape[1])], axis=1)

    return forward


def _bugs(base: Any, *own: tuple[str, str, str, str, dict[str, Any]]) -> tuple[Bug, ...]:
    h_place, U_place = 1, 2 + len(base.states)
    rows: list[tuple[str, str, str, str, dict[str, Any]]] = [
        ("dLdh_forgotten", "unfinished", DIFFERENCES, "dLdh is zero", _changed(base, h_place, lambda g, _: 0 * g)),
        ("dLdU_averaged", "batch-averaged", DIFFERENCES, "dLdU is divided by the batch size",
         _changed(base, U_place, lambda g, given: g / len(given[0]))),
        ("dLdU_transposed", "axes-swapped", SHAPES, "dLdU is transposed", _changed(base, U_place, lambda g, _: g.T)),
        *own,
    ]  # fmt: skip
    if base.over_time:
        rows += [
            ("every_step_from_the_first", "keeps-state", FORWARD, "every step begins with the first state",
             {"forward": _first_states(base)}),
            ("one_step_back", "not-accumulated", DIFFERENCES, "nothing goes on to the step before",
             {"carry": lambda self, gradients: [0 * g for g in gradients]}),
        ]  # fmt: skip
    # Where U is square a transposed gradient has the right shape.
    rows = [(*texts[:2], DIFFERENCES if base.gates == 1 and texts[0] == "dLdU_transposed" else texts[2], *texts[3:])
            for texts in rows]  # fmt: skip
    return (
        *everywhere(base, exact=False, images=False),
        *(row(base, *texts, **methods) for *texts, methods in rows),
    )


RNN_BUGS = (
    ("U_not_transposed", "axes-swapped", DIFFERENCES, "dLdh is multiplied by U, not by U.T",
     {"back": lambda self, kept, *upstream: [
         [(u := Rnn.back(self, kept, *upstream)[1][0]) @ self.U - u @ self.U.T], (u, u)]}),
    ("tanh_forgotten", "term-missing", FORWARD, "y leaves out tanh", {"activation": lambda self, a: a}),
    ("slope_forgotten", "term-missing", DIFFERENCES, "the derivative of tanh is left out",
     {"slope": lambda self, y: np.ones(y.shape)}),
    ("square_forgotten", "wrong-formula", DIFFERENCES, "1 - y where 1 - y^2 belongs", {"slope": lambda self, y: 1 - y}),
)  # fmt: skip
GRU_BUGS = (
    ("turned_round", "wrong-formula", FORWARD, "z keeps n, not h", {"mixed": lambda self, z, n, h: z * n + (1 - z) * h}),
    ("direct_way_forgotten", "term-missing", DIFFERENCES, "dLdh leaves out the way through z h",
     {"direct": lambda self, u, z: 0 * u}),
)  # fmt: skip
LSTM_BUGS = (
    ("columns_in_another_order", "wrong-formula", FORWARD, "columns are for i, f, o, g",
     {"split": lambda self, a: [np.split(a, 4, axis=1)[j] for j in (0, 1, 3, 2)]}),
    ("c_not_carried", "term-missing", DIFFERENCES, "what comes back through c is lost",
     {"carry": lambda self, gradients: [gradients[0], 0 * gradients[1]]}),
)  # fmt: skip


def _in_place(self: LstmCell, x: Array, h: Array, c: Array) -> Any:
    h_next, c_next = LstmCell.forward(self, x, h, c)
    c[...] = c_next
    return h_next, c_next


def _c_from_before(self: Any, x: Array, h: Array, c: Array) -> Any:
    self.c = LstmCell.forward(self, x, h, getattr(self, "c", c) if np.shape(getattr(self, "c", c)) == c.shape else c)[1]
    return LstmCell.forward(self, x, h, c)[0], self.c.copy()


def _one_buffer(self: Any, *given: Array) -> Any:
    h_next, c_next = LstmCell.forward(self, *given)
    if np.shape(getattr(self, "buffer", 0)) != (2, *h_next.shape):
        self.buffer = np.zeros((2, *h_next.shape))
    self.buffer[...] = h_next, c_next
    return self.buffer[0], self.buffer[1]


def _from(change: Any) -> dict[str, Any]:
    """Return backprop with other upstream gradients."""
    return {"backprop": lambda self, *given: LstmCell.backprop(self, *given[:3], *change(*given[3:]))}


def _doubled(dLdh: Array, dLdc: Array) -> tuple[Array, Array]:
    dLdc *= 2
    return dLdh, dLdc / 2


LEFT_ALONE, HISTORY = "arguments_are_left_alone", "history_is_irrelevant"
CELL_BUGS = tuple(row(LstmCell, *texts, **methods) for *texts, methods in (
    ("outputs_swapped", "axes-swapped", FORWARD, "c_next comes first",
     {"forward": lambda self, *given: LstmCell.forward(self, *given)[::-1]}),
    ("h_alone", "unfinished", FORWARD, "c_next is not returned",
     {"forward": lambda self, *given: LstmCell.forward(self, *given)[0]}),
    ("c_of_one_image", "hard-coded-size", FORWARD, "c_next is that of the first image",
     {"forward": lambda self, *given: (lambda h, c: (h, c[:1]))(*LstmCell.forward(self, *given))}),
    ("upstream_of_c_ignored", "term-missing", DIFFERENCES, "dLdc_next is taken for 0", _from(lambda h, c: (h, 0 * c))),
    ("upstream_of_h_ignored", "term-missing", DIFFERENCES, "dLdh_next is taken for 0", _from(lambda h, c: (0 * h, c))),
    ("upstreams_swapped", "axes-swapped", DIFFERENCES, "dLdc_next is taken first", _from(lambda h, c: (c, h))),
    ("h_not_through_c", "term-missing", DIFFERENCES, "dLdh_next does not go through tanh(c_next)",
     {"back": lambda self, kept, u, through: (
         lambda once, twice: ([once[0][0], once[0][1] - twice[0][1]], tuple(
             a - np.hstack([b[:, : 3 * u.shape[1]], 0 * u]) for a, b in zip(once[1], twice[1], strict=True))))(
                 Lstm.back(self, kept, u, through), Lstm.back(self, kept, u, 0 * through))}),
    ("negative_upstream_dropped", "upstream-nonlinear", "backprop_is_linear_in_the_upstream_gradient",
     "dLdc_next is cut off at 0", _from(lambda h, c: (h, np.maximum(c, 0)))),
    ("c_written_in_place", "mutates-argument", LEFT_ALONE, "c becomes c_next", {"forward": _in_place}),
    ("upstream_doubled_in_place", "mutates-argument", LEFT_ALONE, "dLdc_next is doubled", _from(_doubled)),
    ("c_kept", "keeps-state", HISTORY, "c is taken from the call before", {"forward": _c_from_before}),
    ("buffer_returned", "shares-memory", "results_share_no_memory", "the next call overwrites both outputs",
     {"forward": _one_buffer}),
    ("any_upstream_accepted", "accepts-bad-arguments", "bad_arguments_are_refused", "dLdc_next is cut to size",
     {"backprop": lambda self, x, h, c, *upstream: LstmCell.backprop(
         self, x, h, c, *(np.resize(u, h.shape) for u in upstream))}),
    LSTM_BUGS[0],
))  # fmt: skip


class CellInFortranOrder(LstmCell):
    """A correct cell whose results are in Fortran order, in a list."""

    def forward(self, *given: Array) -> Any:
        """Return [h_next, c_next]."""
        return [np.asfortranarray(array) for array in super().forward(*given)]


RNN_LAYER, GRU_LAYER = _over_time(Rnn), _over_time(Gru)
SECTIONS = (
    Section(rnn_cell, (Rnn, _in_fortran_order(Rnn)), _bugs(Rnn, *RNN_BUGS)),
    Section(rnn, (RNN_LAYER, _in_fortran_order(RNN_LAYER)), _bugs(RNN_LAYER, *RNN_BUGS)),
    Section(gru_cell, (Gru, _in_fortran_order(Gru)), _bugs(Gru, *GRU_BUGS)),
    Section(gru, (GRU_LAYER, _in_fortran_order(GRU_LAYER)), _bugs(GRU_LAYER, *GRU_BUGS)),
    Section(lstm_cell, (LstmCell, CellInFortranOrder), CELL_BUGS),
    Section(lstm, (Lstm, _in_fortran_order(Lstm)), _bugs(Lstm, *LSTM_BUGS)),
)
