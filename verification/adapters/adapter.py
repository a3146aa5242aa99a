"""What an adapter returns: given to a spec in place of a class, it makes layers and says how a script calls them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from verification.case import Array, Case
from verification.construction import arguments
from verification.instance import Here, Instance
from verification.script import Spelling
from verification.spec import LayerSpec


@dataclass(frozen=True, eq=False)
class Adapted:
    """A layer of another convention.

    original       what was adapted: a class or a function
    wrap           called with the settings of a case, returns an object with forward and backprop
    spelling       how a script calls it
    late           it can be made only once x is known
    given          parameters that the constructor takes
    forward_first  its backprop takes dLdy alone, and so needs a forward(x) right before
    one_image      it takes one image at a time, and so has no batch to speak of
    from_change    its parameters' gradients are told from how an update changes the parameters, which rounds
    """

    original: Callable[..., Any]
    wrap: Callable[[Mapping[str, Any]], Any]
    spelling: Spelling
    late: bool = False
    given: tuple[str, ...] = ()
    forward_first: bool = False
    one_image: bool = False
    from_change: bool = False

    @property
    def __name__(self) -> str:
        return getattr(self.original, "__name__", type(self.original).__name__)

    def __call__(self, **settings: Any) -> Any:
        """Return an object with forward and backprop, made with these settings."""
        return self.wrap(settings)

    def layer(self, spec: LayerSpec, settings: Mapping[str, Any], inputs: Mapping[str, Array]) -> Instance:  # noqa: ARG002
        """Return a new layer; inputs are x and the parameters that it is made for."""
        made = self.wrap(settings)
        return made if isinstance(made, Instance) else Here(made)

    def examine(self, spec: LayerSpec, case: Case, outputs: Mapping[str, Array]) -> None:
        """Raise a SpecError if an option does not fit the spec, of which this is a case, and y or its right outputs."""


def plain(make: Callable[..., Any]) -> Adapted:
    """Return what needs no adapter, as one."""
    return Adapted(make, partial(made, make), Spelling())


def made(make: Callable[..., Any], settings: Mapping[str, Any]) -> Any:
    """Call make with the settings, by name or in their order."""
    args, kwargs = arguments(make, settings)
    return make(*args, **kwargs)
