"""Normalization: gamma (x - mean) / sqrt(variance + eps) + beta, over slices of x.

The three layers differ in the slices alone: a channel over the batch, the last axis, a group of channels
of an image. The variance is that of the slice (divided by its size, not by its size less one).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from verification.case import Array, Case, whole
from verification.choices import Choice, Choices, batch, counts, inner, one_of, reals, side
from verification.construction import takes
from verification.explain.knobs import Mistake
from verification.spec import BadArgument, LayerSpec
from verification.specs.refused import backprop_of, forward_of, grown
from verification.trial import Trial

RTOL = 1e-8
RTOL_REASON = (
    "the layer and the formula err by rounding alone, where slices spread by 1 or more far below 1e-12 of dLdy; where"
    " the mean is 10^6 standard deviations a mean in float64 leaves 1e-10"
)
RTOL_REASON_OF_A_CONSTANT = (
    "as for an eps that is drawn, of which little is seen where slices spread by 1; dLdx of a slice of two entries is"
    " nearly 0 there, a difference of equal numbers, so slices have three or more. At 10^4 with a spread of 10^-2 the"
    " mean of 18 entries errs by at most 18 2^-53 10^4, 2e-9 of the deviation, and dLdx by about as much of dLdy,"
    " which is declared there so that a third of it or more is left in dLdx"
)
Slices = Callable[..., Array]
"""Called with a shape and the settings, returns the number of the slice that each entry belongs to."""


def batch_normalization(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of batch normalization in training: each channel over the batch and its positions.

    implementation(num_features, eps) makes the layer: the class itself or a function. x is (n, c) or
    (n, c, h, w), the parameters gamma (c,) and beta (c,); backprop returns (dLdx, dLdgamma, dLdbeta).
    Running averages are no part of it.
    Keywords restrict what is tried (`verification.choices`): eps, batch, rank, num_features, height, width.
    A constant eps of the implementation (1e-5, say) is passed on only if there is a parameter of that name.
    """
    more = {"rank": _ranks(2, 4), "num_features": counts(), "height": side(2), "width": side(3)}
    return _normalization("batch_normalization", implementation, _batch_case, _by_channel, 1, only, more, True)


def layer_normalization(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of layer normalization over the last axis.

    implementation(num_features, eps) makes the layer: the class itself or a function. x is (n, d) or
    (n, t, d), the parameters gamma (d,) and beta (d,); backprop returns (dLdx, dLdgamma, dLdbeta).
    Keywords restrict what is tried (`verification.choices`): eps, batch, rank, num_features.
    A constant eps of the implementation (1e-5, say) is passed on only if there is a parameter of that name.
    """
    more = {"rank": _ranks(2, 3), "num_features": counts()}
    return _normalization("layer_normalization", implementation, _layer_case, _by_row, -1, only, more)


def group_normalization(implementation: Callable[..., Any], **only: Any) -> LayerSpec:
    """Return the spec of group normalization: groups of neighbouring channels of an image.

    implementation(num_groups, num_features, eps) makes the layer: the class itself or a function. x is
    (n, c, h, w), the parameters gamma (c,) and beta (c,); backprop returns (dLdx, dLdgamma, dLdbeta).
    Keywords restrict what is tried (`verification.choices`): eps, batch, num_groups, num_features, height, width.
    A constant eps of the implementation (1e-5, say) is passed on only if there is a parameter of that name.
    """
    more = {"num_groups": counts(), "num_features": counts(), "height": side(2), "width": side(3)}
    return _normalization("group_normalization", implementation, _group_case, _by_group, 1, only, more)


def _normalization(
    name: str, make: Callable[..., Any], case: Callable[..., Case | None], slices: Slices, axis: int,
    only: Mapping[str, Any], more: Mapping[str, Choice], of_the_batch: bool = False,
) -> LayerSpec:  # fmt: skip
    """Return the spec; `axis` is that of gamma and beta, `more` has the choices that follow from the others."""
    choices = Choices(name, only, {
        "batch": batch(1, 3), "channels": inner(1, 3), "first": inner(1, 3), "second": inner(1, 3),
        "longer": inner(0, 1), "eps": reals(1e-3, 1e-2, 1e-1, loose=True), "kind": inner(0, 4), **more,
    }, make=make)  # fmt: skip
    constant = "eps" in only
    has_eps = not constant or takes(make, "eps")

    def reference(x: Array, gamma: Array, beta: Array, eps: float, **settings: Any) -> Array:
        """Each slice by its exact sums. Source: the definition, with math.fsum."""
        y = np.zeros(x.shape)
        for _, where in _each(slices(x.shape, **settings)):
            y[where] = _standardized(x[where], eps)[0]
        return _along(gamma, axis, x) * y + _along(beta, axis, x)

    def gradient(dLdy: Array, x: Array, gamma: Array, eps: float, **settings: Any) -> dict[str, Array]:
        """By the Jacobian of each slice: (I - 1/m - z z^T / m) / sigma, where z is the slice normalized."""
        z, dLdx = np.zeros(x.shape), np.zeros(x.shape)
        upstream = dLdy * _along(gamma, axis, x)
        for _, where in _each(slices(x.shape, **settings)):
            z[where], sigma = _standardized(x[where], eps)
            m = len(z[where])
            dLdx[where] = (np.eye(m) - 1 / m - np.outer(z[where], z[where]) / m) @ upstream[where] / sigma
        others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
        return {"x": dLdx, "gamma": (dLdy * z).sum(axis=others), "beta": dLdy.sum(axis=others)}

    def gradient_is_orthogonal_to_ones(trial: Trial) -> None:
        """dLdx.sum() == 0 over each slice: a constant added to a slice changes nothing."""
        dLdx = trial.expect_shape("dLdx", trial.layer().backprop(trial.x, trial.dLdy)["x"], trial.x.shape)
        numbered = slices(trial.x.shape, **_without_eps(trial.case))
        largest = max(1.0, float(np.max(abs(trial.dLdy))))  # to which rounding is relative
        total = np.bincount(numbered.ravel(), dLdx.ravel()) / largest
        shows = f"np.bincount({numbered.ravel().tolist()}, {{}}.ravel()) / {largest!r}"
        trial.compare(
            f"the sum of dLdx over each slice, divided by {largest:g},",
            total,
            np.zeros(len(total)),
            label="the sum",
            shows=trial.expression(dLdx, shows),
            array="dLdx",
        )

    def drawn(kind: int, **sizes: Any) -> Case | None:
        """Return the case; with three entries a slice where eps is a constant."""
        made = case(kind=kind, least=3 if constant else 2, **sizes)
        if not constant or made is None or kind != OFFSET:
            return made
        arrays = dict(made.arrays)
        z = np.zeros(arrays["x"].shape)
        for _, where in _each(slices(z.shape, **_without_eps(made))):
            z[where] = _standardized(arrays["x"][where], 0.0)[0]
        arrays["dLdy"] = z**2 / _along(arrays["gamma"], axis, z)
        return replace(made, arrays=arrays)

    spec = LayerSpec(
        name=name,
        make=make,
        cases=choices.cases(drawn, kind=(0, 0)),
        reference=reference,
        parameters=("gamma", "beta"),
        rtol=RTOL,
        rtol_reason=RTOL_REASON_OF_A_CONSTANT if constant else RTOL_REASON,
        batch_independent=not of_the_batch,
        bad_arguments=_bad_arguments(axis),
        properties=(
            is_invariant_to_scale_and_shift if has_eps else is_invariant_to_shift,
            gradient_is_orthogonal_to_ones,
        ),
        extremes=choices.cases(drawn, kind=(1, 4)),
        gradient=gradient,
        mistakes=_mistakes(slices, axis),
    )
    return choices.applied(spec)


def _ranks(*both: int) -> Choice:
    return replace(one_of(*both), drawn=(), of=lambda case: case.arrays["x"].ndim)


def _by_channel(shape: tuple[int, ...], **_settings: Any) -> Array:
    return np.broadcast_to(np.arange(shape[1]).reshape(-1, *[1] * (len(shape) - 2)), shape)


def _by_row(shape: tuple[int, ...], **_settings: Any) -> Array:
    return np.broadcast_to(np.arange(math.prod(shape[:-1])).reshape(*shape[:-1], 1), shape)


def _by_group(shape: tuple[int, ...], num_groups: int, **_settings: Any) -> Array:
    group = np.arange(shape[1]) // (shape[1] // num_groups)
    return np.broadcast_to((np.arange(shape[0])[:, None] * num_groups + group)[..., None, None], shape)


def _each(slices: Array) -> list[tuple[int, Array]]:
    return [(number, slices == number) for number in range(int(slices.max(initial=-1)) + 1)]


def _standardized(values: Array, eps: float, less: int = 0) -> tuple[Array, float]:
    """Return the values (m,) with mean 0 and variance 1 (but for eps), and sqrt(variance + eps)."""
    centre = math.fsum(values) / len(values)
    centred = values - centre
    sigma = math.sqrt(math.fsum(centred**2) / (len(values) - less) + eps)
    return centred / sigma, sigma


def _along(parameter: Array, axis: int, x: Array) -> Array:
    return parameter.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


# Cases


OFFSET = 1
"""The kind of values whose mean is 10^6 times their spread."""


def values(count: int, size: int, kind: int, seed: int) -> Array:
    """Return `count` slices of `size` entries.

    Of kind 0 they are 2, 4, 6, ... in any order, each moved by at most 1/2: spread by construction, and
    above 1, so that no simplification of a failing case takes their spread away. The other kinds are
    limits: a spread of 1e-2 at 1e4, of 1e-6 at 0, all equal, and small and large by turns.
    """
    order = np.argsort(np.argsort(whole("order", seed, (count, size)), axis=1, kind="stable"), axis=1)
    spread = 2 * order + 2 + (whole("x", seed, (count, size)) / 256 if seed > 1 else 0.0)
    equal = spread[:, :1] + np.zeros(spread.shape)
    return np.asarray((spread, spread / 100 + 1e4, spread * 1e-6, equal, spread * 100.0 ** (order % 3))[kind])


def _case(x: Array, features: int, eps: float, seed: int, **settings: Any) -> Case:
    gamma, beta = whole("gamma", seed, (features,)) / 64, whole("beta", seed, (features,)) / 64
    return Case(
        {"x": x, "gamma": gamma + (gamma == 0) if seed else gamma + 1, "beta": beta},
        {**settings, "num_features": features, "eps": eps},
        seed,
    )


def _batch_case(
    batch: int, channels: int, first: int, second: int, longer: int, eps: float, kind: int, seed: int, least: int,
    rank: int | None = None, num_features: int | None = None, height: int | None = None, width: int | None = None,
) -> Case:  # fmt: skip
    """Return a case with at least `least` entries a channel: one has no spread, and may be refused."""
    sides = (height or first, width or second) if (rank == 4 if rank else longer or height or width) else ()
    batch, channels = max(batch, math.ceil(least / math.prod(sides))), num_features or channels
    x = values(channels, batch * math.prod(sides), kind, seed).reshape(channels, batch, *sides)
    return _case(np.ascontiguousarray(x.swapaxes(0, 1)), channels, eps, seed)


def _layer_case(
    batch: int, channels: int, first: int, second: int, longer: int, eps: float, kind: int, seed: int, least: int,
    rank: int | None = None, num_features: int | None = None,
) -> Case | None:  # fmt: skip
    """Return a case with `least` to 6 entries in the last axis, at the limits 1 to 5 if least is 2."""
    sides = (second,) if (rank == 3 if rank else longer) else ()
    few = 1 if kind and least == 2 else least
    features = num_features or max(channels + first - (kind > 0), few)
    if features < few:
        return None
    x = values(batch * math.prod(sides), features, kind, seed).reshape(batch, *sides, features)
    return _case(x, features, eps, seed)


def _group_case(
    batch: int, channels: int, first: int, second: int, longer: int, eps: float, kind: int, seed: int, least: int,
    num_groups: int | None = None, num_features: int | None = None, height: int | None = None,
    width: int | None = None,
) -> Case | None:  # fmt: skip
    """Return a case of `channels` channels in each of 1 or 2 groups, or of 3 where an image is of one entry."""
    sides = height or first, width or second
    groups = num_groups or (1 + longer if math.prod(sides) > 1 else 1 + 2 * longer)
    channels = max(channels, math.ceil(least / math.prod(sides)))  # one entry has no spread, and may be refused
    if num_features:
        channels = num_features // groups
        if num_features % groups or channels * math.prod(sides) < least:
            return None
    x = values(batch * groups, channels * math.prod(sides), kind, seed)
    x = x.reshape(batch, groups * channels, *sides)
    return _case(x, groups * channels, eps, seed, num_groups=groups)


# Properties, mistakes, bad arguments


def is_invariant_to_shift(trial: Trial) -> None:
    """forward(x + 3) == forward(x)."""
    because = " for x + 3: it should be forward(x)"
    trial.compare("forward(x)", trial.layer().forward(trial.x + 3), trial.layer().forward(trial.x), because)


def is_invariant_to_scale_and_shift(trial: Trial) -> None:
    """forward(2 x + 3; 4 eps) == forward(x; eps)."""
    scaled = trial.other(eps=4 * trial.case.settings["eps"]).forward(2 * trial.x + 3)
    because = " for 2 x + 3 and 4 eps: it should be forward(x)"
    trial.compare("forward(x)", scaled, trial.layer().forward(trial.x), because)


def _mistakes(slices: Slices, axis: int) -> tuple[Mistake, ...]:
    def normalized(
        trial: Trial, by: Slices = slices, less: int = 0, outside: float = 0.0, **changed: Any
    ) -> tuple[Array, Array, Array] | None:
        """Return the slices normalized, their deviations and the means over each of dLdy gamma and of that times z."""
        settings = {**trial.case.settings, **changed}
        eps = settings.pop("eps")
        numbered = by(trial.x.shape, **settings)
        z, sigma = np.zeros(trial.x.shape), np.zeros(trial.x.shape)
        for _, where in _each(numbered):
            if int(where.sum()) <= less or not (eps or np.ptp(trial.x[where])):
                return None
            z[where], spread = _standardized(trial.x[where], 0.0 if outside else eps, less)
            sigma[where] = spread + outside
            z[where] *= spread / sigma[where]
        return z, sigma, numbered

    def output(**changed: Any) -> Callable[[Trial], Array | None]:
        def wrong(t: Trial) -> Array | None:
            if "outside" in changed and any(
                np.ptp(t.x[where]) == 0 for _, where in _each(slices(t.x.shape, **_without_eps(t.case)))
            ):
                return None
            eps = {"outside": t.case.settings["eps"]} if "outside" in changed else {}
            found = normalized(t, **{**changed, **eps})
            if found is None:
                return None
            gamma, beta = (_along(t.arguments[name], axis, t.x) for name in ("gamma", "beta"))
            return np.asarray(gamma * found[0] + beta)

        return wrong

    def gradient(form: Callable[..., Array], **changed: Any) -> Callable[[Trial], Array | None]:
        """Return the form of (dLdy gamma, z, sigma, mean over slices, gamma)."""

        def wrong(t: Trial) -> Array | None:
            found = normalized(t, **changed)
            if found is None:
                return None
            z, sigma, numbered = found

            def mean(array: Array) -> Array:
                result = np.zeros(array.shape)
                for _, where in _each(numbered):
                    result[where] = array[where].mean()
                return result

            gamma = _along(t.arguments["gamma"], axis, t.x)
            return form(t.dLdy * gamma, z, sigma, mean, gamma)

        return wrong

    def right(u: Array, z: Array, sigma: Array, mean: Callable[[Array], Array], _gamma: Array) -> Array:
        return np.asarray((u - mean(u) - z * mean(u * z)) / sigma)

    def summed(of: Callable[[Trial], Array]) -> Callable[[Trial], Array]:
        return lambda t: of(t).sum(axis=tuple(i for i in range(t.x.ndim) if i != axis % t.x.ndim))

    by_image = output(by=lambda shape, **_: np.broadcast_to(
        np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1)), shape))  # fmt: skip
    return (
        Mistake("term-missing", "dLdx", "dLdx takes mean and variance for constants: both of their terms are missing",
                gradient(lambda u, z, s, mean, _g: u / s)),
        Mistake("term-missing", "dLdx", "dLdx leaves out the term of the variance, z * mean(dLdz * z)",
                gradient(lambda u, z, s, mean, _g: (u - mean(u)) / s)),
        Mistake("term-missing", "dLdx", "dLdx leaves out the term of the mean, mean(dLdz)",
                gradient(lambda u, z, s, mean, _g: (u - z * mean(u * z)) / s)),
        Mistake("term-missing", "dLdx", "dLdx leaves out gamma",
                lambda t: t.gradient(t.dLdy, gamma=np.ones(t.arguments["gamma"].shape))["x"]),
        Mistake("term-missing", "dLdx", "dLdx is not divided by the standard deviation",
                gradient(lambda u, z, s, mean, _g: u - mean(u) - z * mean(u * z))),
        Mistake("wrong-formula", "dLdx", "dLdx is divided by the variance, not by the standard deviation",
                gradient(lambda u, z, s, mean, _g: (u - mean(u) - z * mean(u * z)) / s**2)),
        Mistake("sign", "dLdx", "dLdx has the sign of the variance's term wrong",
                gradient(lambda u, z, s, mean, _g: (u - mean(u) + z * mean(u * z)) / s)),
        Mistake("wrong-formula", "dLdx", "dLdx has the variance divided by the size of a slice less 1",
                gradient(right, less=1)),
        Mistake("term-missing", "dLdx", "dLdx leaves out eps", gradient(right, eps=0.0)),
        Mistake("wrong-formula", "y", "y has the variance divided by the size of a slice less 1, not by its size",
                output(less=1)),
        Mistake("term-missing", "y", "y leaves out eps", output(eps=0.0)),
        Mistake("wrong-formula", "y", "y has eps = 1e-5, whatever was asked for", output(eps=1e-5)),
        Mistake("term-missing", "y", "y does not have the mean taken off",
                lambda t: _not_centred(t, normalized(t), axis)),
        Mistake("wrong-formula", "y", "y adds eps to the standard deviation; it should be to the variance",
                output(outside=True)),
        Mistake("wrong-formula", "y", "y is normalized over the whole array",
                output(by=lambda shape, **_: np.zeros(shape, int))),
        Mistake("groups-ignored", "y", "y is normalized over each image as a whole", _grouped(by_image)),
        Mistake("axes-swapped", "y", "y is normalized over each image", _grouped(by_image, groups=False)),
        Mistake("axes-swapped", "y", "y is normalized over the batch (axis 0) alone",
                output(by=lambda shape, **_: np.broadcast_to(
                    np.arange(math.prod(shape[1:])).reshape(shape[1:]), shape))),
        Mistake("groups-ignored", "y", "y is normalized over each channel of each image by itself",
                output(by=lambda shape, **_: np.broadcast_to(np.arange(shape[0] * shape[1]).reshape(
                    *shape[:2], *[1] * (len(shape) - 2)), shape) if len(shape) > 2 else np.zeros(shape, int))),
        Mistake("channels-mixed", "y", "y takes every num_groups-th channel for a group; it should be neighbours",
                _grouped(output(by=lambda shape, num_groups=1, **_: np.broadcast_to(
                    (np.arange(shape[0])[:, None] * num_groups + np.arange(shape[1]) % num_groups).reshape(
                        *shape[:2], *[1] * (len(shape) - 2)), shape)))),
        Mistake("wrong-formula", "y", "y is divided by the variance, not by the standard deviation",
                lambda t: _by_variance(t, normalized(t), axis)),
        Mistake("term-missing", "y", "y leaves out gamma",
                lambda t: t.reference(gamma=np.ones(t.arguments["gamma"].shape))),
        Mistake("bias-missing", "y", "y leaves out beta",
                lambda t: t.reference(beta=np.zeros(t.arguments["beta"].shape))),
        Mistake("wrong-formula", "dLdgamma", "dLdgamma is the sum of dLdy * x; it should be of dLdy * z, z normalized",
                summed(lambda t: t.dLdy * t.x)),
        Mistake("wrong-formula", "dLdgamma", "dLdgamma is the sum of dLdy * y; it should be of dLdy * z, z normalized",
                summed(lambda t: t.dLdy * t.y)),
        Mistake("term-missing", "dLdgamma", "dLdgamma is the sum of dLdy, as dLdbeta is; z is missing",
                summed(lambda t: np.asarray(t.dLdy))),
        Mistake("wrong-formula", "dLdbeta", "dLdbeta is multiplied by gamma",
                lambda t: t.gradient(t.dLdy)["beta"] * t.arguments["gamma"]),
    )  # fmt: skip


def _grouped(wrong: Callable[[Trial], Array | None], *, groups: bool = True) -> Callable[[Trial], Array | None]:
    """Return the mistake for a layer that has groups, or one that has none."""
    return lambda t: wrong(t) if ("num_groups" in t.case.settings) == groups else None


def _by_variance(trial: Trial, found: tuple[Array, Array, Array] | None, axis: int) -> Array | None:
    if found is None:
        return None
    z, sigma, _ = found
    gamma, beta = (_along(trial.arguments[name], axis, trial.x) for name in ("gamma", "beta"))
    return np.asarray(gamma * z / sigma + beta)


def _not_centred(trial: Trial, found: tuple[Array, Array, Array] | None, axis: int) -> Array | None:
    if found is None:
        return None
    gamma, beta = (_along(trial.arguments[name], axis, trial.x) for name in ("gamma", "beta"))
    return np.asarray(gamma * trial.x / found[1] + beta)


def _without_eps(case: Case) -> dict[str, Any]:
    return {name: value for name, value in case.settings.items() if name != "eps"}


def _bad_arguments(axis: int) -> tuple[BadArgument, ...]:
    return (
        forward_of("forward, x with a feature too many", lambda case: grown(case.arrays["x"], axis)),
        backprop_of("backprop, dLdy with a feature too many", lambda case: grown(case.arrays["x"], axis)),
        backprop_of("backprop, dLdy of another batch size", lambda case: grown(case.arrays["x"], 0)),
    )  # fmt: skip
