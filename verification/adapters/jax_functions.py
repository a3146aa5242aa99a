"""JAX: functions, with their custom_vjp if they have one, in float64."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import numpy as np

from verification.adapters.adapter import Adapted
from verification.case import Array
from verification.script import Spelling


def jax_function(
    function: Callable[..., Any], parameters: Sequence[str] = (), constants: Sequence[str] = ()
) -> Adapted:
    """Adapt a JAX function, with its custom_vjp if it has one; it runs in float64.

    It is called function(x, *parameters, *constants, **settings); constants (labels, a mask) have no gradient. JAX
    compiles it for every new shape, so that an example takes a good part of a second.
    """

    class Jax:
        def __init__(self, settings: Mapping[str, Any]) -> None:
            self.settings, self.jax = settings, import_module("jax")

        def forward(self, x: Array) -> Array:
            with _float64(self.jax):
                return np.array(self._call(*self._arrays(x)))

        def backprop(self, x: Array, dLdy: Array) -> tuple[Array, ...]:
            with _float64(self.jax):
                y, pull_back = self.jax.vjp(self._call, *self._arrays(x))
                return tuple(np.array(gradient) for gradient in pull_back(self.jax.numpy.asarray(dLdy, y.dtype)))

        def _call(self, *arrays: Any) -> Any:
            fixed = [self.jax.numpy.asarray(getattr(self, name)) for name in constants]
            return function(*arrays, *fixed, **self.settings)

        def _arrays(self, x: Array) -> list[Any]:
            arrays = [x, *(getattr(self, name) for name in parameters)]
            return [self.jax.numpy.asarray(a if a.dtype.kind == "f" else a.astype(float)) for a in arrays]

    fixed = "".join(f", {{{name}}}" for name in constants)
    moving = ", ".join(f"{{{name}}}" for name in ("x", *parameters))
    given = moving + fixed
    called = f"lambda *arrays: {{make}}(*arrays{fixed}{{comma}}{{settings}}), {moving}"
    return Adapted(function, Jax, Spelling(
        construct="", parameter="", forward=f"{{y}} = {{make}}({given}{{comma}}{{settings}})",
        backprop=f"{{gradients}}, = jax.vjp({called})[1]({{dLdy}})",
        imports=("import jax", "", 'jax.config.update("jax_enable_x64", True)'),
    ))  # fmt: skip


def _float64(jax: Any) -> AbstractContextManager[Any]:
    context: AbstractContextManager[Any] = (
        jax.enable_x64(True) if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64()
    )
    return context
