"""Batch, layer and group normalization: a correct layer of each, variants, planted bugs."""

import math
from typing import Any

import numpy as np

from verification.case import Array
from verification.catalogue.any_layer import DIFFERENCES, FORWARD, SHAPES, everywhere, row
from verification.catalogue.bug import Bug, Section, change
from verification.specs.normalization import batch_normalization, group_normalization, layer_normalization

EXTREMES = "extremes_come_out_right"
INVARIANT, ORTHOGONAL = "is_invariant_to_scale_and_shift", "gradient_is_orthogonal_to_ones"


class Normalization:
    """A correct layer, given the slices as rows of a matrix: mean and variance in two passes."""

    axis = 1

    def __init__(self, num_features: int, eps: float) -> None:
        self.eps = eps
        self.gamma: Array = np.ones(num_features)
        self.beta: Array = np.zeros(num_features)

    def rows(self, x: Array) -> Array:
        """x -> (slices, entries of a slice)."""
        raise NotImplementedError

    def back(self, rows: Array, shape: tuple[int, ...]) -> Array:
        """Undo rows."""
        raise NotImplementedError

    def check(self, x: Array, dLdy: Array | None = None) -> None:
        """Raise unless x, and dLdy if given, have the right shapes."""
        if x.ndim < 2 or x.shape[self.axis] != len(self.gamma):
            raise ValueError(f"x should have {len(self.gamma)} features in axis {self.axis}, not the shape {x.shape}")
        if dLdy is not None and dLdy.shape != x.shape:
            raise ValueError(f"dLdy should have the shape of x, {x.shape}, but its shape is {dLdy.shape}")

    def along(self, parameter: Array, x: Array) -> Array:
        """Return the parameter in a shape that broadcasts against x."""
        return parameter.reshape([-1 if i == self.axis % x.ndim else 1 for i in range(x.ndim)])

    def total(self, array: Array) -> Array:
        """Return the sum for each feature."""
        return np.asarray(array.sum(axis=tuple(i for i in range(array.ndim) if i != self.axis % array.ndim)))

    def standardized(self, rows: Array) -> tuple[Array, Array]:
        """(s, m) -> the rows normalized, and their standard deviations (s, 1)."""
        centred = rows - self.mean(rows)
        sigma = self.sigma(rows)
        return centred / sigma, sigma

    def mean(self, rows: Array) -> Array:
        """(s, m) -> (s, 1)."""
        return np.asarray(rows.mean(axis=1, keepdims=True))

    def variance(self, rows: Array) -> Array:
        """(s, m) -> (s, 1)."""
        return self.mean((rows - self.mean(rows)) ** 2)

    def sigma(self, rows: Array) -> Array:
        """(s, m) -> (s, 1)."""
        return np.sqrt(self.variance(rows) + self.eps)

    def forward(self, x: Array) -> Array:
        """x -> y of the same shape."""
        self.check(x)
        z = self.back(self.standardized(self.rows(x))[0], x.shape)
        return np.asarray(self.along(self.gamma, x) * z + self.along(self.beta, x))

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, Array, Array]:
        """x, dLdy -> dLdx, dLdgamma, dLdbeta."""
        self.check(x, dLdy)
        z, sigma = self.standardized(self.rows(x))
        u = self.rows(self.scaled(dLdy))
        dLdx = self.back(self.gradient(u, z, sigma), x.shape)
        return dLdx, self.gamma_gradient(x, dLdy, self.back(z, x.shape)), self.beta_gradient(dLdy)

    def scaled(self, dLdy: Array) -> Array:
        """Return dLdz."""
        return np.asarray(dLdy * self.along(self.gamma, dLdy))

    def gradient(self, u: Array, z: Array, sigma: Array) -> Array:
        """dLdz, z (s, m), sigma (s, 1) -> the gradient of the rows."""
        return np.asarray((u - self.mean(u) - z * self.mean(u * z)) / sigma)

    def gamma_gradient(self, x: Array, dLdy: Array, z: Array) -> Array:
        """Return dLdgamma."""
        return self.total(dLdy * z)

    def beta_gradient(self, dLdy: Array) -> Array:
        """Return dLdbeta."""
        return self.total(dLdy)


class Batch(Normalization):
    """A correct batch normalization."""

    def rows(self, x: Array) -> Array:
        """Put a channel in each row."""
        return np.moveaxis(x, 1, 0).reshape(x.shape[1], x.size // x.shape[1])

    def back(self, rows: Array, shape: tuple[int, ...]) -> Array:
        """Put the batch first again."""
        return np.moveaxis(rows.reshape(shape[1], shape[0], *shape[2:]), 0, 1).copy()


class Last(Normalization):
    """A correct layer normalization."""

    axis = -1

    def rows(self, x: Array) -> Array:
        """Put the last axis in each row."""
        return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])

    def back(self, rows: Array, shape: tuple[int, ...]) -> Array:
        """Reshape."""
        return rows.reshape(shape)


class Group(Normalization):
    """A correct group normalization."""

    def __init__(self, num_groups: int, num_features: int, eps: float) -> None:
        super().__init__(num_features, eps)
        self.num_groups = num_groups

    def rows(self, x: Array) -> Array:
        """Put a group of an image in each row."""
        return x.reshape(len(x) * self.num_groups, math.prod(x.shape[1:]) // self.num_groups)

    def back(self, rows: Array, shape: tuple[int, ...]) -> Array:
        """Reshape."""
        return rows.reshape(shape)


def _one_by_one(self: Any, rows: Array) -> Array:
    """Welford's update: one pass, and stable."""
    mean, squares = np.zeros((len(rows), 1)), np.zeros((len(rows), 1))
    for i in range(rows.shape[1]):
        value = rows[:, i : i + 1]
        step = value - mean
        mean = mean + step / (i + 1)
        squares = squares + step * (value - mean)
    return np.asarray(squares / rows.shape[1])


def _shifted_moments(self: Any, rows: Array) -> Array:
    """One pass over rows less their first entry, so that little cancels."""
    moved = rows - rows[:, :1]
    return np.asarray(np.maximum(self.mean(moved**2) - self.mean(moved) ** 2, 0))


def _step_by_step(self: Any, u: Array, z: Array, sigma: Array) -> Array:
    """Go by way of the variance and the mean. Source: Ioffe and Szegedy, Batch normalization (2015), section 3."""
    m, centred = z.shape[1], z * sigma
    d_variance = (u * centred).sum(axis=1, keepdims=True) * -0.5 * sigma**-3
    d_mean = -(u / sigma).sum(axis=1, keepdims=True) - 2 * d_variance * self.mean(centred)
    return np.asarray(u / sigma + d_variance * 2 * centred / m + d_mean / m)


def _jacobians(self: Any, u: Array, z: Array, sigma: Array) -> Array:
    """Multiply the Jacobian of each row with dLdz."""
    m = z.shape[1]
    jacobian = np.eye(m) - 1 / m - z[:, :, np.newaxis] * z[:, np.newaxis] / m
    return np.asarray(np.einsum("sij,sj->si", jacobian, u) / sigma)


def _variants(base: type) -> tuple[type, ...]:
    return (
        base,
        change(base, f"{base.__name__}Welford", variance=_one_by_one, gradient=_step_by_step),
        change(base, f"{base.__name__}ShiftedMoments", variance=_shifted_moments, gradient=_jacobians),
    )


def _everywhere(base: Any, *, images: bool = True) -> tuple[Bug, ...]:
    """Return the bugs of any normalization."""

    def bug(name: str, family: str, caught_by: str, description: str, **methods: Any) -> Bug:
        return row(base, name, family, caught_by, description, **methods)

    def first_kept(self: Any, x: Array) -> Array:
        y = base.forward(self, x)
        y[..., :1] = x[..., :1]
        return np.asarray(y)

    return (
        *everywhere(base, exact=False, images=images),
        bug("moments", "cancellation", EXTREMES, "the variance is the mean of squares less the square of the mean",
            variance=lambda self, rows: np.maximum(self.mean(rows**2) - self.mean(rows) ** 2, 0)),
        bug("size_less_one", "wrong-formula", FORWARD, "the variance is divided by the size less 1",
            variance=lambda self, rows: base.variance(self, rows) * rows.shape[1] / max(1, rows.shape[1] - 1)),
        bug("eps_forgotten", "term-missing", FORWARD, "eps is left out",
            sigma=lambda self, rows: np.sqrt(self.variance(rows))),
        bug("eps_outside", "wrong-formula", INVARIANT, "eps is added to the standard deviation",
            sigma=lambda self, rows: np.sqrt(self.variance(rows)) + self.eps),
        bug("eps_of_its_own", "wrong-formula", INVARIANT, "eps is 1e-5, whatever was asked for",
            sigma=lambda self, rows: np.sqrt(self.variance(rows) + 1e-5)),
        bug("by_the_variance", "wrong-formula", FORWARD, "y is divided by the variance",
            sigma=lambda self, rows: self.variance(rows) + self.eps),
        bug("not_centred", "term-missing", FORWARD, "the mean is not taken off",
            standardized=lambda self, rows: (rows / self.sigma(rows), self.sigma(rows))),
        bug("first_entry_passed_on", "border-missing", FORWARD, "the first entry of each row is not normalized",
            forward=first_kept),
        bug("gamma_forgotten", "term-missing", FORWARD, "y leaves out gamma", forward=lambda self, x: (
            self.back(self.standardized(self.rows(x))[0], x.shape) + self.along(self.beta, x))),
        bug("beta_forgotten", "bias-missing", FORWARD, "y leaves out beta",
            forward=lambda self, x: base.forward(self, x) - self.along(self.beta, x)),
        bug("constants", "term-missing", ORTHOGONAL, "dLdx takes mean and variance for constants",
            gradient=lambda self, u, z, sigma: u / sigma),
        bug("variance_constant", "term-missing", DIFFERENCES, "dLdx leaves out the term of the variance",
            gradient=lambda self, u, z, sigma: (u - self.mean(u)) / sigma),
        bug("mean_constant", "term-missing", ORTHOGONAL, "dLdx leaves out the term of the mean",
            gradient=lambda self, u, z, sigma: (u - z * self.mean(u * z)) / sigma),
        bug("variance_sign", "sign", DIFFERENCES, "dLdx adds the term of the variance",
            gradient=lambda self, u, z, sigma: (u - self.mean(u) + z * self.mean(u * z)) / sigma),
        bug("sigma_forgotten", "term-missing", DIFFERENCES, "dLdx is not divided by the standard deviation",
            gradient=lambda self, u, z, sigma: base.gradient(self, u, z, sigma) * sigma),
        bug("divided_twice", "wrong-formula", DIFFERENCES, "dLdx is divided by the variance",
            gradient=lambda self, u, z, sigma: base.gradient(self, u, z, sigma) / sigma),
        bug("gamma_not_in_dLdx", "term-missing", DIFFERENCES, "dLdx leaves out gamma", scaled=lambda self, u: u.copy()),
        bug("gamma_by_x", "wrong-formula", DIFFERENCES, "dLdgamma is the sum of dLdy x",
            gamma_gradient=lambda self, x, u, z: self.total(u * x)),
        bug("gamma_by_y", "wrong-formula", DIFFERENCES, "dLdgamma is the sum of dLdy y",
            gamma_gradient=lambda self, x, u, z: self.total(u * self.forward(x))),
        bug("gamma_like_beta", "term-missing", DIFFERENCES, "dLdgamma is the sum of dLdy",
            gamma_gradient=lambda self, x, u, z: self.total(u)),
        bug("beta_times_gamma", "wrong-formula", DIFFERENCES, "dLdbeta is multiplied by gamma",
            beta_gradient=lambda self, u: self.total(u) * self.gamma),
        bug("beta_averaged", "batch-averaged", DIFFERENCES, "dLdbeta is the mean over the batch",
            beta_gradient=lambda self, u: self.total(u) / max(1, len(u))),
        bug("beta_of_the_first_image", "batch-not-summed", DIFFERENCES, "dLdbeta leaves out all images but the first",
            beta_gradient=lambda self, u: self.total(u[:1])),
        bug("parameters_keep_their_axes", "wrong-shape", SHAPES, "dLdbeta has the shape of an image",
            beta_gradient=lambda self, u: u.sum(axis=0, keepdims=True)),
    )  # fmt: skip


def _over_images(self: Any, x: Array) -> Array:
    """Normalize each image as a whole."""
    z = self.standardized(x.reshape(len(x), x.size // max(1, len(x))))[0].reshape(x.shape)
    return np.asarray(self.along(self.gamma, x) * z + self.along(self.beta, x))


def _over_batch(self: Any, x: Array) -> Array:
    """Normalize over axis 0."""
    z = self.standardized(x.reshape(len(x), x.size // len(x)).T)[0].T.reshape(x.shape)
    return np.asarray(self.along(self.gamma, x) * z + self.along(self.beta, x))


def _over_channels(self: Any, x: Array) -> Array:
    """Normalize each channel of each image."""
    z = self.standardized(x.reshape(len(x) * x.shape[1], x.size // (len(x) * x.shape[1])))[0].reshape(x.shape)
    return np.asarray(self.along(self.gamma, x) * z + self.along(self.beta, x))


def _interleaved(self: Any, x: Array) -> Array:
    """Take every num_groups-th channel for a group."""
    n, c, w, h = x.shape
    turned = x.reshape(n, c // self.num_groups, self.num_groups, w, h).swapaxes(1, 2)
    rows = turned.reshape(n * self.num_groups, x.size // (n * self.num_groups))
    z = self.standardized(rows)[0].reshape(turned.shape).swapaxes(1, 2).reshape(x.shape)
    return np.asarray(self.along(self.gamma, x) * z + self.along(self.beta, x))


def _running(self: Any, x: Array) -> Array:
    """Normalize with statistics that are averaged over the calls."""
    self.running = 0.9 * self.__dict__.get("running", 0.0) + 0.1 * self.rows(x).mean(axis=1, keepdims=True)
    return np.asarray(Batch.forward(self, x) - 1e-3 * self.along(self.running[:, 0], x))


BATCH_BUGS = (
    *_everywhere(Batch, images=False),
    row(Batch, "over_images", "axes-swapped", FORWARD, "statistics are of each image", forward=_over_images),
    row(Batch, "over_batch_alone", "axes-swapped", FORWARD, "statistics are of each pixel", forward=_over_batch),
    row(Batch, "running_average", "keeps-state", "history_is_irrelevant", "a running average is mixed in",
        forward=_running),
)  # fmt: skip
LAYER_BUGS = (
    *_everywhere(Last),
    row(Last, "over_images", "axes-swapped", FORWARD, "statistics are of all rows of an image", forward=_over_images),
    row(Last, "over_batch", "axes-swapped", FORWARD, "statistics are over the batch", forward=_over_batch),
)  # fmt: skip
GROUP_BUGS = (
    *_everywhere(Group),
    row(Group, "one_group", "groups-ignored", FORWARD, "all channels are one group", forward=_over_images),
    row(Group, "a_group_each", "groups-ignored", FORWARD, "each channel is a group", forward=_over_channels),
    row(Group, "interleaved", "channels-mixed", FORWARD, "every num_groups-th channel is a group",
        forward=_interleaved),
    row(Group, "over_batch", "axes-swapped", FORWARD, "statistics are over the batch", forward=_over_batch),
)  # fmt: skip

SECTIONS = (
    Section(batch_normalization, _variants(Batch), BATCH_BUGS),
    Section(layer_normalization, _variants(Last), LAYER_BUGS),
    Section(group_normalization, _variants(Group), GROUP_BUGS),
)
