"""Planted bugs that any layer may have."""

from typing import Any

import numpy as np

from verification.case import Array
from verification.catalogue.bug import Bug, change

FORWARD, DIFFERENCES = "forward_matches_reference", "backprop_matches_directional_differences"
ADJOINT, SHAPES = "backprop_is_the_adjoint", "gradients_have_the_shapes_of_their_arguments"


def row(base: type, name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
    """Return the bug that is base with these methods in place of its own."""
    return Bug(name, family, caught_by, description, change(base, name, **methods))


def everywhere(base: type, *, exact: bool, images: bool = True, by_x: bool = True) -> tuple[Bug, ...]:
    """Return the bugs that any layer may have, whatever it computes.

    `images`: its images are independent; `by_x`: its gradients depend on x.
    """
    layer: Any = base

    def keep_x(self: Any, x: Array, *more: Array) -> Array:
        self.kept = x
        return np.asarray(layer.forward(self, x, *more))

    def change_x(self: Any, x: Array, *more: Array) -> Array:
        y = layer.forward(self, x, *more)
        x[...] = 0
        return np.asarray(y)

    def buffered(self: Any, *given: Array) -> Array:
        y = layer.forward(self, *given)
        if getattr(self, "buffer", y[..., np.newaxis]).shape != y.shape:
            self.buffer = y.copy()
        self.buffer[...] = y
        return np.asarray(self.buffer)

    def accepting(self: Any, *given: Array) -> Any:
        *inputs, dLdy = given
        return layer.backprop(self, *inputs, np.resize(dLdy, layer.forward(self, *inputs).shape))

    def first_answer(self: Any, x: Array, *more: Array) -> Array:
        answers = self.__dict__.setdefault("answers", {})
        if x.shape not in answers:
            answers[x.shape] = layer.forward(self, x, *more)
        return np.array(answers[x.shape])

    def memory_order(self: Any, x: Array, *more: Array) -> Array:
        if not x.flags.c_contiguous:
            x = np.resize((x if x.base is None else x.base).ravel(order="K"), x.shape)
        return np.asarray(layer.forward(self, x, *more))

    bugs = [
        row(base, "not_written", "unfinished", SHAPES, "backprop is still `pass`", backprop=lambda self, *given: None),
        row(base, "negative_upstream_dropped", "upstream-nonlinear", "backprop_is_linear_in_the_upstream_gradient",
            "backprop cuts dLdy off at 0", backprop=lambda self, *given: layer.backprop(self, *given[:-1], np.maximum(given[-1], 0))),
        row(base, "upstream_forgotten", "upstream-ignored", DIFFERENCES, "backprop takes dLdy for ones",
            backprop=lambda self, *given: layer.backprop(self, *given[:-1], np.ones_like(given[-1]))),
        row(base, "x_cleared", "mutates-argument", "arguments_are_left_alone", "forward sets x to 0", forward=change_x),
        row(base, "first_answer_for_ever", "keeps-state", "history_is_irrelevant", "y is remembered by the shape of x",
            forward=first_answer),
        row(base, "memory_order", "assumes-layout", "memory_layout_is_irrelevant",
            "the memory of x is read as if it were contiguous", forward=memory_order),
        row(base, "float32_forward", "float32-inside", "rounding_stays_within_the_bound" if exact else FORWARD,
            "forward computes in float32",
            forward=lambda self, x, *more: np.asarray(layer.forward(self, x.astype(np.float32) + np.float32(1e-30), *more))
            .astype(np.float32).astype(float)),
        row(base, "buffer_returned", "shares-memory", "results_share_no_memory",
            "y is a buffer that the next call overwrites", forward=buffered),
        row(base, "any_dLdy_accepted", "accepts-bad-arguments", "bad_arguments_are_refused",
            "dLdy of a wrong shape is repeated or cut to size", backprop=accepting),
    ]  # fmt: skip
    if by_x:
        bugs += [
            row(base, "remembers_x", "keeps-state", "history_is_irrelevant", "backprop uses the x of the last forward",
                forward=keep_x, backprop=lambda self, x, *more: layer.backprop(self, self.__dict__.get("kept", x), *more)),
        ]  # fmt: skip
    if exact:
        bugs += [
            row(base, "float16_results", "float32-inside", "float32_in_stays_within_its_bound",
                "float32 input gives float16", forward=lambda self, x, *more: layer.forward(self, x, *more).astype(
                    np.float16 if x.dtype == np.float32 else float)),
            row(base, "cut_to_integers", "integer-truncation", "integers_count_as_real_numbers",
                "backprop cuts dLdy to integers where x is of integers",
                backprop=lambda self, x, *more: layer.backprop(self, x, *more[:-1], more[-1].astype(x.dtype))),
        ]  # fmt: skip
    if images:
        bugs += [
            row(base, "empty_batch_fails", "empty-batch", "an_empty_batch_gives_empty_results", "forward takes x[0]",
                forward=lambda self, x: layer.forward(self, x) + 0 * x[0].sum()),
            row(base, "first_image_taken_off", "batch-coupled", "batch_items_are_independent",
                "forward takes the first image off all others",
                forward=lambda self, x: layer.forward(self, x - x[:1] * (np.arange(len(x)) > 0).reshape(
                    -1, *[1] * (x.ndim - 1)))),
        ]  # fmt: skip
    return tuple(bugs)
