"""Adapters: layers written to another convention, as objects with forward(x) -> y and backprop(x, dLdy) -> gradients.

Each takes what makes the layer, and says plainly how it is called; nothing is guessed. What it returns is passed
to a spec: convolution(methods(Conv, backprop="backward", gradients={"W": "dW", "b": "db"})). Scripts that reproduce
a failure call the layer as its author would.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from typing import Any

import numpy as np

from verification.case import Array
from verification.construction import arguments
from verification.script import Spelling


@dataclass(frozen=True, eq=False)
class Adapted:
    """A make function: `original` is what was adapted, `spelling` how a script calls it."""

    original: Callable[..., Any]
    wrap: Callable[..., Any]
    spelling: Spelling

    @property
    def __name__(self) -> str:
        return getattr(self.original, "__name__", type(self.original).__name__)

    def __call__(self, **settings: Any) -> Any:
        """Return the layer made with these settings."""
        return self.wrap(settings)


def functions(
    forward: Callable[..., Any], backprop: Callable[..., Any], parameters: Sequence[str] = (), *, cache: bool = False
) -> Adapted:
    """Adapt a pair of pure functions.

    forward(x, *parameters, **settings) -> y and backprop(x, dLdy, *parameters, **settings) -> the gradients; or,
    with cache=True, forward(x, *parameters, **settings) -> (y, cache) and backprop(dLdy, cache) -> the gradients.
    """

    class Functions:
        def __init__(self, settings: Mapping[str, Any]) -> None:
            self.settings = settings

        def forward(self, x: Array) -> Any:
            y = forward(x, *self._parameters(), **self.settings)
            return y[0] if cache else y

        def backprop(self, x: Array, dLdy: Array) -> Any:
            if cache:
                return backprop(dLdy, forward(x, *self._parameters(), **self.settings)[1])
            return backprop(x, dLdy, *self._parameters(), **self.settings)

        def _parameters(self) -> list[Any]:
            return [getattr(self, name) for name in parameters]

    name = getattr(backprop, "__name__", "backprop")
    given = "".join(f", {{{parameter}}}" for parameter in parameters) + "{comma}{settings}"
    return Adapted(
        forward,
        Functions,
        Spelling(
            construct="",
            parameter="",
            forward="{y}, cache = {make}({x}" + given + ")" if cache else "{y} = {make}({x}" + given + ")",
            backprop=f"{{gradients}} = {name}({{dLdy}}, cache)" if cache
            else f"{{gradients}} = {name}({{x}}, {{dLdy}}" + given + ")",
            originals=(backprop,),
        ),
    )  # fmt: skip


def methods(
    make: Callable[..., Any],
    *,
    forward: str = "forward",
    backprop: str = "backprop",
    takes_x: bool = True,
    parameters: Mapping[str, str] | None = None,
    gradients: Mapping[str, str] | None = None,
) -> Adapted:
    """Adapt an object whose methods have other names, or that leaves its gradients in attributes.

    takes_x     whether its backprop is called with (x, dLdy), or with dLdy alone after forward(x)
    parameters  what holds each parameter, as {"W": "weight"} or {"W": "params['W']"}, where it has another name
    gradients   where backprop leaves each parameter's gradient, as {"W": "dW"} or {"W": "grads['W']"};
                backprop then returns dLdx alone. Without it backprop returns (dLdx, dLdW, ...).
    """
    names, places = dict(parameters or {}), dict(gradients or {})

    class Methods:
        def __init__(self, settings: Mapping[str, Any]) -> None:
            args, kwargs = arguments(make, settings)
            object.__setattr__(self, "raw", make(*args, **kwargs))

        def __setattr__(self, name: str, value: Any) -> None:
            _set(self.raw, names.get(name, name), value)

        def __getattr__(self, name: str) -> Any:
            return _found(object.__getattribute__(self, "raw"), names.get(name, name))

        def forward(self, x: Array) -> Any:
            return getattr(self.raw, forward)(x)

        def backprop(self, x: Array, dLdy: Array) -> Any:
            method = getattr(self.raw, backprop)
            if not takes_x:
                self.forward(x)
            returned = method(x, dLdy) if takes_x else method(dLdy)
            return (returned, *(_found(self.raw, place) for place in places.values())) if places else returned

    call = f"{{layer}}.{backprop}({{x}}, {{dLdy}})" if takes_x else f"{{layer}}.{backprop}({{dLdy}})"
    lines = [f"{{gradients}} = {call}"]
    if places:
        lines = [f"{{dLdx}} = {call}", *(f"{{dLd{name}}} = {{layer}}.{place}" for name, place in places.items())]
    attribute = "{layer}.{attribute} = {array}.copy()"
    return Adapted(
        make, Methods, Spelling(
            parameter=attribute, names=names, forward=f"{{y}} = {{layer}}.{forward}({{x}})", backprop="\n".join(lines)
        ),
    )  # fmt: skip


def channels_last(make: Callable[..., Any]) -> Adapted:
    """Adapt a layer that takes x (n, height, width, c) and returns y and dLdx alike."""

    class ChannelsLast:
        def __init__(self, settings: Mapping[str, Any]) -> None:
            args, kwargs = arguments(make, settings)
            object.__setattr__(self, "raw", make(*args, **kwargs))

        def __setattr__(self, name: str, value: Any) -> None:
            setattr(self.raw, name, value)

        def __getattr__(self, name: str) -> Any:
            return getattr(object.__getattribute__(self, "raw"), name)

        def forward(self, x: Array) -> Any:
            return np.moveaxis(self.raw.forward(_last(x)), -1, 1)

        def backprop(self, x: Array, dLdy: Array) -> Any:
            returned = self.raw.backprop(_last(x), _last(dLdy))
            if isinstance(returned, tuple):
                return (np.moveaxis(returned[0], -1, 1), *returned[1:])
            return np.moveaxis(returned, -1, 1)

    return Adapted(make, ChannelsLast, Spelling(
        forward="{y} = np.moveaxis({layer}.forward(np.moveaxis({x}, 1, -1)), -1, 1)",
        backprop="{gradients} = {layer}.backprop(np.moveaxis({x}, 1, -1), np.moveaxis({dLdy}, 1, -1))",
    ))  # fmt: skip


def torch_module(make: Callable[..., Any], parameters: Mapping[str, str] | None = None) -> Adapted:
    """Adapt a torch.nn.Module: make(**settings) returns it; its gradients come from torch.autograd.

    parameters  the module's parameter that each array is copied into, in its shape, as {"W": "weight"}
    """
    names = dict(parameters or {})

    def call(settings: Mapping[str, Any]) -> Callable[..., Any]:
        args, kwargs = arguments(make, settings)
        module = make(*args, **kwargs)

        def forward(x: Any, *values: Any) -> Any:
            torch = import_module("torch")
            shaped = zip(names.values(), values, strict=True)
            given = {name: value.reshape(module.get_parameter(name).shape) for name, value in shaped}
            return torch.func.functional_call(module.to(x.dtype), given, (x,))

        return forward

    lines = ["{layer} = {make}({settings}).double()"]
    return Adapted(make, _Torch.made(call, tuple(names)), Spelling(
        construct="\n".join(lines),
        parameter="{layer}.{attribute}.data = torch.tensor({array}).reshape({layer}.{attribute}.shape)",
        names=names,
        forward="{y} = {layer}(torch.tensor({x}))",
        backprop="{x}_ = torch.tensor({x}, requires_grad=True)\n{gradients}, = torch.autograd.grad({layer}({x}_), [{x}_"
        + "".join(f", {{layer}}.{name}" for name in names.values()) + "], torch.tensor({dLdy}))",
        imports=("import torch",),
    ))  # fmt: skip


def torch_function(
    function: Callable[..., Any], parameters: Sequence[str] = (), constants: Sequence[str] = ()
) -> Adapted:
    """Adapt a function of torch tensors, as the `apply` of a torch.autograd.Function.

    It is called function(x, *parameters, *constants, *settings); constants (labels, a mask) have no gradient.
    """

    def call(settings: Mapping[str, Any]) -> Callable[..., Any]:
        return lambda x, *values: function(x, *values, *settings.values())

    names = ("x", *parameters)
    made = [f"{{{name}}}_ = torch.tensor({{{name}}}, requires_grad=True)" for name in names]
    made += [f"{{{name}}}_ = torch.tensor({{{name}}})" for name in constants]
    given = ", ".join(f"{{{name}}}_" for name in (*names, *constants))
    tensors = ", ".join(f"{{{name}}}_" for name in names)
    bound = getattr(function, "__self__", None)  # the class, of its `apply`
    call_text = f"{{make}}{'.apply' if bound else ''}({given}{{comma}}{{values}})"
    return Adapted(bound or function, _Torch.made(call, tuple(parameters), tuple(constants)), Spelling(
        construct="", parameter="", forward="\n".join([*made, f"{{y}} = {call_text}"]),
        backprop="\n".join(
            [*made, f"{{gradients}}, = torch.autograd.grad({call_text}, [{tensors}], torch.tensor({{dLdy}}))"]
        ),
        imports=("import torch",),
    ))  # fmt: skip


class _Torch:
    """A layer of torch tensors: arguments are copied into tensors, and what is written into these is copied back."""

    function: Callable[..., Any]
    names: tuple[str, ...]
    constants: tuple[str, ...]
    torch: Any

    def __init__(self, function: Callable[..., Any], names: tuple[str, ...], constants: tuple[str, ...]) -> None:
        self.__dict__.update(function=function, names=names, constants=constants, torch=import_module("torch"))

    @classmethod
    def made(
        cls, call: Callable[..., Any], names: tuple[str, ...], constants: tuple[str, ...] = ()
    ) -> Callable[[Mapping[str, Any]], "_Torch"]:
        return lambda settings: cls(call(settings), names, constants)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in (*self.names, *self.constants):
            raise AttributeError(
                f"the layer's parameter {name} has no place among those of the adapter, {list(self.names)}:"
                " name it in its `parameters` (or `constants`)"
            )
        self.__dict__[name] = value

    def forward(self, x: Array) -> Array:
        with self.torch.no_grad():
            tensors = self._tensors(x)
            y = self._run(lambda: self.function(*tensors.values(), *self._constants()))
        self._copy_back(tensors, x)
        return np.asarray(y.numpy(force=True).copy())

    def backprop(self, x: Array, dLdy: Array) -> tuple[Array, ...]:
        tensors, upstream = self._tensors(x), self._tensor(dLdy)

        for tensor in tensors.values():
            tensor.requires_grad_()
        given = {name: tensor.clone() for name, tensor in tensors.items()}  # which may be written into, leaves may not

        def gradients() -> Any:
            y = self.function(*given.values(), *self._constants())
            return self.torch.autograd.grad(y, list(tensors.values()), upstream, allow_unused=True)

        returned = self._run(gradients)
        self._copy_back(given, x)
        _copy_back(upstream.numpy(), dLdy)
        return tuple(
            np.zeros(tensor.shape) if gradient is None else gradient.detach().numpy().copy()
            for gradient, tensor in zip(returned, tensors.values(), strict=True)
        )

    def _tensors(self, x: Array) -> dict[str, Any]:
        arrays = {"x": x, **{name: getattr(self, name) for name in self.names}}
        return {name: self._tensor(array) for name, array in arrays.items()}

    def _constants(self) -> list[Any]:
        return [self.torch.tensor(getattr(self, name)) for name in self.constants]

    def _tensor(self, array: Array) -> Any:
        return self.torch.tensor(array.astype(array.dtype if array.dtype.kind == "f" else float, order="C"))

    def _copy_back(self, tensors: Mapping[str, Any], x: Array) -> None:
        for name, tensor in tensors.items():
            _copy_back(tensor.detach().numpy(), x if name == "x" else getattr(self, name))

    def _run(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except RuntimeError as error:  # torch's error for a wrong shape
            raise ValueError(str(error)) from error


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


def _last(x: Array) -> Array:
    """Return a view with the channels last, of an array of any rank: the layer is to refuse wrong ones."""
    return np.moveaxis(x, 1, -1) if x.ndim > 1 else x


def _set(raw: Any, place: str, value: Any) -> None:
    """Put the value at a place such as weight, linear.weight or params['W']."""
    if place.endswith("]"):
        holder, _, key = place.rpartition("[")
        _found(raw, holder)[key.rstrip("]").strip("'\"")] = value
    else:
        holder, dot, attribute = place.rpartition(".")
        setattr(_found(raw, holder) if dot else raw, attribute, value)


def _found(raw: Any, place: str) -> Any:
    """Return what stands at a place such as dW, cache.dW or grads['W']."""
    attribute, bracket, key = place.partition("[")
    value = attrgetter(attribute)(raw)
    return value[key.rstrip("]").strip("'\"")] if bracket else value


def _copy_back(written: Array, array: Array) -> None:
    if written.dtype == array.dtype and not np.array_equal(written, array, equal_nan=True):
        array[...] = written
