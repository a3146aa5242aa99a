"""torch: modules, and functions of tensors such as the `apply` of a torch.autograd.Function."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from verification.adapters.adapter import Adapted
from verification.case import Array
from verification.construction import arguments
from verification.script import Spelling


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
        imports=("import torch",), as_array=".detach().numpy()",
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
        imports=("import torch",), as_array=".detach().numpy()",
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


def _copy_back(written: Array, array: Array) -> None:
    if written.dtype == array.dtype and not np.array_equal(written, array, equal_nan=True):
        array[...] = written
