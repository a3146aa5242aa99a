"""Tries a declaration alone, before any layer is called: what it says of itself should hold.

Each statement is a function that raises a SpecError: the field, what was given, what is expected, what to do.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from verification.adapters.adapter import Adapted
from verification.case import Array, Case, indices
from verification.construction import method_misfit, misfit
from verification.drawing import sample
from verification.failure import NotJudged, PropertyFailed
from verification.outputs import joined
from verification.spec import MANY, LayerSpec, SpecError
from verification.trial import Trial

CASES = 4
"""Cases drawn to try a declaration on; the first is of zeros, as a rule."""


def expect_spec(given: object, call: str) -> None:
    """Raise SpecError if what a call was given is no spec, as where it is the layer itself."""
    if isinstance(given, LayerSpec):
        return
    name = getattr(given, "__name__", type(given).__name__)
    if getattr(given, "__module__", "").startswith("verification.specs"):
        raise SpecError(f"{call} takes a spec, but was given the function {name}: call it, {call}({name}(MyLayer))")
    raise SpecError(
        f"{call} takes a spec, which says what is right for a layer, but was given {name}: write {call}(relu({name})),"
        " with relu or whatever ready spec fits; where none does, declare a LayerSpec"
    )


def problem_of(spec: LayerSpec) -> SpecError | None:
    """Return what does not fit in a declaration, if anything does not."""
    try:
        examine(spec)
    except SpecError as problem:
        return problem
    return None


def examine(spec: LayerSpec) -> None:
    """Raise a SpecError unless the declaration holds on a few cases of its own."""
    if not callable(spec.make):
        raise SpecError(f"make should be a class or function that makes the layer, but is {_kind(spec.make)}")
    for limit in spec.restrictions:
        if not limit.is_possible():
            raise SpecError(f"no case satisfies {limit.sentence}: of {MANY} that were drawn none does, so allow more")
    cases = _drawn("cases", spec.cases)
    for case in cases:
        cases_have_the_arrays_that_are_declared(spec, case)
        reference_takes_them_by_name(spec, case)
    cases_have_seeds_of_their_own(cases)
    make_takes_the_settings(spec, cases[0])
    constants_are_no_arguments(spec)
    for trial in [Trial(spec, case) for case in cases]:
        reference_gives_an_array(trial)
        dLdy_has_the_shape_of_y(trial)
        reference_is_affine_where_declared(trial)
        reference_is_linear_between_kinks(trial)
        reference_takes_one_image_alone(trial)
        terms_and_magnitude_can_be_called(trial)
        kinks_are_of_a_layer_that_acts_entry_by_entry(trial)
        gradient_is_that_of_the_reference(trial)
        adapter_fits(trial)
    for case in _drawn("extremes", spec.extremes) if spec.extremes is not None else []:
        cases_have_the_arrays_that_are_declared(spec, case, "extremes")
        reference_gives_an_array(Trial(spec, case))
        dLdy_has_the_shape_of_y(Trial(spec, case), "extremes")
    if spec.realistic is not None:
        cases_have_the_arrays_that_are_declared(spec, spec.realistic, "realistic")


def cases_have_the_arrays_that_are_declared(spec: LayerSpec, case: Case, field: str = "cases") -> None:
    """x and each parameter and constant, x and the parameters of float64, and of whole numbers where rtol is 0."""
    if not isinstance(case, Case):
        raise SpecError(f"{field} should give Case objects, as strategies.cases(x=...) does, but gives {_kind(case)}")
    for name in ("x", *spec.parameters, *spec.constants, *spec.absent):
        if name not in case.arrays:
            where = "" if name == "x" else ", which parameters names" if name in spec.parameters else ", a constant"
            raise SpecError(
                f"{field} should give an array {name}{where}, but gives {', '.join(case.arrays) or 'none'}:"
                f" add it, as cases({name}=...)"
            )
        array = case.arrays[name]
        if not isinstance(array, np.ndarray):
            raise SpecError(f"{field} should give NumPy arrays, but {name} is {_kind(array)}")
        if name in spec.constants:
            continue
        if name == "x" and indices(array) and not ({"x"} & {*spec.gradients, *spec.affine_in} or spec.piecewise_linear):
            continue
        if array.dtype != np.float64:
            raise SpecError(f"{field} should give float64 arrays, but {name} is {array.dtype}: {name}.astype(float)")
        if not spec.rtol and not np.array_equal(array, np.rint(array)):
            raise SpecError(
                f"{field} should give whole numbers, since rtol is 0 and the layer is checked exactly, but {name} has"
                f" {array[array != np.rint(array)][0]}: draw whole_arrays, or give rtol and rtol_reason"
            )


def cases_have_seeds_of_their_own(cases: Sequence[Case]) -> None:
    """Different cases have different seeds: all that properties draw comes from there."""
    different = {tuple((name, array.tobytes()) for name, array in case.arrays.items()) for case in cases}
    if len(different) > 1 and len({case.seed for case in cases}) == 1:
        raise SpecError(
            f"cases should give each case a seed, since properties draw from it, but all have {cases[0].seed}:"
            " return draw(cases(x=..., ...)), or Case(..., seed=draw(st.integers(0, 2**32 - 1)))"
        )


def make_takes_the_settings(spec: LayerSpec, case: Case) -> None:
    """Fit the settings to the constructor, by name or in their order."""
    if said := misfit(spec.make, tuple(case.settings), spec.fixed):
        raise SpecError(f"make: {said}: give a function of these arguments that makes the layer")


def constants_are_no_arguments(spec: LayerSpec) -> None:
    """Constants are set as attributes, and so forward takes x and the inputs alone."""
    constants = [name for name in spec.constants if name not in spec.inputs]
    given = ["x", *spec.inputs]
    if constants and (said := method_misfit(spec.make, "forward", given)):
        if method_misfit(spec.make, "forward", [*given, *constants]):
            return
        taken = ", ".join([*given, *constants])
        raise SpecError(
            f"{said}, after setting the attribute {', '.join(constants)}: say that they are arguments, as"
            f' adapted({spec.make.__name__}, forward="forward({taken})", backprop=...)'
        )


def adapter_fits(trial: Trial) -> None:
    """Options of an adapter name what the spec has, in its shapes."""
    if isinstance(trial.spec.make, Adapted):
        trial.spec.make.examine(trial.spec, trial.case, trial.outputs.parts(trial.y))


def reference_takes_them_by_name(spec: LayerSpec, case: Case) -> None:
    """All functions can be called with the arrays and the settings, by their names."""
    given = ["x", *spec.parameters, *spec.constants, *spec.absent, *case.settings]
    for field, function in {"reference": spec.reference, "terms": spec.terms, "magnitude": spec.magnitude}.items():
        _takes(field, function, given)
    _takes("gradient", spec.gradient, [*(f"dLd{name}" for name in spec.outputs or ("y",)), *given])


def reference_gives_an_array(trial: Trial) -> None:
    """Real numbers are what reference returns, in an array."""
    with _calling("reference", trial.arguments):
        y: Any = trial.spec.reference(**trial.arguments, **trial.case.settings)
    if trial.spec.outputs:
        y = _side_by_side(trial.spec.outputs, y)
    if not isinstance(y, np.ndarray | np.generic) or np.asarray(y).dtype.kind not in "fiub":
        raise SpecError(f"reference should return an array of real numbers, but returned {_kind(y)}")


def _side_by_side(outputs: Sequence[str], y: Any) -> Any:
    """Return the outputs joined; SpecError unless there are so many, with shapes that differ in the last axis only."""
    expected = f"reference should return ({', '.join(outputs)}), as outputs says, but returned"
    if not isinstance(y, tuple | list) or len(y) != len(outputs):
        raise SpecError(f"{expected} {f'{len(y)} items' if isinstance(y, tuple | list) else _kind(y)}")
    if not all(isinstance(one, np.ndarray) and one.ndim and one.shape[:-1] == np.shape(y[0])[:-1] for one in y):
        shapes = ", ".join(str(np.shape(one)) for one in y)
        raise SpecError(f"{expected} arrays of shapes {shapes}: they may differ in the last axis only, so bring the"
                        " others into one shape, in a function that makes such a layer")  # fmt: skip
    return joined(y)


def dLdy_has_the_shape_of_y(trial: Trial, field: str = "cases") -> None:  # noqa: N802
    """Cases that have a dLdy have one of the shape of y."""
    declared = trial.case.arrays.get("dLdy")
    if declared is not None and declared.shape != trial.y.shape:
        raise SpecError(
            f"{field} should give a dLdy of the shape of y, {trial.y.shape}, but gives one of shape {declared.shape}"
        )


def reference_is_affine_where_declared(trial: Trial) -> None:
    """y(a + v + w) - y(a + v) - y(a + w) + y(a) == 0 for each argument a of affine_in."""
    for name in trial.spec.affine_in:
        a = trial.arguments[name]
        v = trial.whole(f"v for {name}", a.shape)
        w = np.flip(v)
        y = [_y(trial, **{name: moved}) for moved in (a + v + w, a + v, a + w, a)]
        _should_vanish(
            trial, y[0] - y[1] - y[2] + y[3], y,
            f"affine_in names {name}, so reference should be affine in it, but y({name} + v + w) - y({name} + v)"
            f" - y({name} + w) + y({name}) is {{}} for a {name} of shape {a.shape}, not 0: leave {name} out of"
            " affine_in, and declare piecewise_linear, or rtol and rtol_reason",
        )  # fmt: skip


def reference_is_linear_between_kinks(trial: Trial) -> None:
    """y(x + v) - 2 y(x) + y(x - v) == 0 where entries of x are far from each other and from zero."""
    if not trial.spec.piecewise_linear:
        return
    x = trial.smooth_arguments(far=False)["x"]
    v = trial.unit * trial.whole("v for x", x.shape)
    y = [_y(trial, x=moved) for moved in (x + v, x, x - v)]
    _should_vanish(
        trial, y[0] - 2 * y[1] + y[2], y,
        "piecewise_linear is declared, so reference should be linear along a short step in x while no two entries meet"
        " and none is zero, but y(x + v) - 2 y(x) + y(x - v) is {} there, not 0: leave piecewise_linear out, and give"
        " rtol and rtol_reason",
    )  # fmt: skip


def reference_takes_one_image_alone(trial: Trial) -> None:
    """y(x[i:i+1]) == y(x)[i:i+1], unless batch_independent is False."""
    if not trial.spec.batch_independent:
        return
    instead = "; if y[i] depends on more than x[i], say batch_independent=False"
    if trial.y.ndim == 0 or len(trial.y) != len(trial.x):
        raise SpecError(
            f"reference should give a row of y for each image of x, but y has shape {trial.y.shape} for x of shape"
            f" {trial.x.shape}{instead}"
        )
    last = slice(len(trial.x) - 1, len(trial.x))
    with _calling("reference", {**trial.arguments, "x": trial.x[last]}, instead):
        alone = _y(trial, x=trial.x[last])
    with _compared(f"reference should give for one image alone what it gives for it in a batch, but {{}}{instead}"):
        trial.compare("reference(x[i:i+1])", alone, trial.y[last])


def terms_and_magnitude_can_be_called(trial: Trial) -> None:
    """Terms gives a whole number of at least 1, magnitude a bound for each entry of y."""
    spec = trial.spec
    if spec.terms is not None:
        with _calling("terms", trial.arguments):
            terms = spec.terms(**trial.arguments, **trial.case.settings)
        if not isinstance(terms, int | np.integer) or terms < 1:
            raise SpecError(f"terms should return the number of products in an entry of y, but returned {_kind(terms)}")
    if spec.magnitude is not None:
        with _calling("magnitude", trial.arguments):
            bound = trial.magnitude()
        sides = zip(bound.shape[::-1], trial.y.shape[::-1], strict=False)
        if bound.ndim > trial.y.ndim or any(side not in (1, full) for side, full in sides):
            raise SpecError(f"magnitude should return a bound of the shape of y, {trial.y.shape}, not {bound.shape}")


def kinks_are_of_a_layer_that_acts_entry_by_entry(trial: Trial) -> None:
    """y has the shape of x where kinks are declared."""
    if trial.spec.kinks and trial.y.shape != trial.x.shape:
        raise SpecError(
            f"kinks are of a layer that acts entry by entry, whose y has the shape of x, {trial.x.shape}, but y has"
            f" shape {trial.y.shape}: leave kinks out"
        )


def gradient_is_that_of_the_reference(trial: Trial) -> None:
    """<gradient, v> == <dLdy, how the reference changes along v>, for each argument."""
    spec, at = trial.spec, trial.smooth_arguments(far=False)
    if spec.gradient is None:
        return
    with _calling("gradient", at):
        gradients: Any = spec.gradient(**trial.outputs.split(trial.dLdy), **at, **trial.case.settings)
    if not isinstance(gradients, Mapping):
        raise SpecError(f"gradient should return {{argument: its gradient}}, but returned {_kind(gradients)}")
    for name in spec.gradients:
        if name not in gradients:
            raise SpecError(f"gradient should return that of {name} too, but returned those of {', '.join(gradients)}")
        gradient, shape = np.asarray(gradients[name]), at[name].shape
        if gradient.shape != shape:
            raise SpecError(f"gradient should give for {name} the shape of {name}, {shape}, but gave {gradient.shape}")
        v = trial.whole(f"v for {name}", shape) / (128 if spec.rtol else 1)
        change = trial.response(name, v, at)
        with suppress(NotJudged):  # y changes too fast there for differences to tell
            if not trial.same_inner_product((trial.dLdy, change.value), (gradient, v), change.error):
                given, right = _apart(np.sum(gradient * v), np.sum(trial.dLdy * change.value))
                raise SpecError(
                    f"gradient should be that of reference, but for {name} <gradient, v> is {given} and <dLdy, the"
                    f" change of reference along v> is {right}, for {_shapes(at)}: mend one of the two"
                )


# What the statements need


def _drawn(field: str, cases: Any) -> Sequence[Case]:
    if not isinstance(cases, SearchStrategy):
        call = f": call it, {field}={cases.__name__}()" if callable(cases) and hasattr(cases, "__name__") else ""
        raise SpecError(f"{field} should be a strategy of cases, but is {_kind(cases)}{call}")
    try:
        return sample(cases, CASES, seed=0)
    except SpecError:
        raise
    except Exception as error:
        raise SpecError(f"{field} cannot be drawn: {type(error).__name__}: {error}") from error


def _takes(field: str, function: Callable[..., Any] | None, names: list[str]) -> None:
    """Raise unless the function can be called with arguments of these names."""
    if function is None:
        return
    if not callable(function):
        raise SpecError(f"{field} should be a function of {', '.join(names)}, but is {_kind(function)}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # none to be had, as for some built-in functions
        return
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        raise SpecError(
            f"{field} should take {', '.join(names)} by these names, those of the arrays and settings of a case, but"
            f" is declared as {field}{signature}: {error}"
        ) from error


@contextmanager
def _calling(field: str, arguments: Mapping[str, Array], instead: str = "") -> Iterator[None]:
    """Say with which shapes a function of the declaration raised."""
    try:
        with np.errstate(all="ignore"):
            yield
    except Exception as error:
        raise SpecError(
            f"{field} should work for every case, but raised {type(error).__name__}: {error}, for"
            f" {_shapes(arguments)}: do the shapes that cases gives fit together?{instead}"
        ) from error


@contextmanager
def _compared(sentence: str) -> Iterator[None]:
    """Say what was wrong with a comparison."""
    try:
        yield
    except PropertyFailed as failure:
        raise SpecError(sentence.format(failure.message())) from failure


def _y(trial: Trial, **changed: Array) -> Array:
    with np.errstate(all="ignore"):
        return trial.reference(**changed)


def _should_vanish(trial: Trial, difference: Array, of: list[Array], sentence: str) -> None:
    allowed = trial.spec.rtol * max(1.0, *(float(np.max(abs(y), initial=0.0)) for y in of))
    wrong = ~(abs(difference) <= allowed)
    if wrong.any():
        raise SpecError(sentence.format(difference[wrong][0]))


def _apart(one: float, other: float) -> tuple[str, str]:
    """Return two numbers that differ, with as many digits as it takes to see that, and two more."""
    digits = next((n for n in range(4, 16) if f"{one:.{n}g}" != f"{other:.{n}g}"), 15)
    return f"{one:.{digits + 2}g}", f"{other:.{digits + 2}g}"


def _shapes(arrays: Mapping[str, Array]) -> str:
    return ", ".join(f"{name} of shape {array.shape}" for name, array in arrays.items())


def _kind(value: Any) -> str:
    return f"{type(value).__name__} {value!r:.60}"
