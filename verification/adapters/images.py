"""A layer that takes one image at a time: no axis of images, in x, y, dLdy and dLdx."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from verification.adapters.step import Answers, Backprop, Called, Step
from verification.case import Array
from verification.instance import copied
from verification.spec import LayerSpec, SpecError


class OneImage(Step):
    """The images go through one after the other: y and dLdx are stacked, the gradients of parameters are added up."""

    def forward(self, forward: Callable[[Array], Any], x: Array) -> Any:
        """Return y of all images."""
        return _stacked([copied(forward(image)) for image in x])

    def backprop(self, backprop: Backprop, layer: Called, x: Array, dLdy: Array) -> Answers:
        """Return dLdx of all images, and the sums of the gradients of the parameters."""
        if len(dLdy) != len(x):
            raise ValueError(f"dLdy has shape {dLdy.shape}, and so another number of images than x of shape {x.shape}")
        each: list[Answers] = []
        for image, upstream in zip(x, dLdy, strict=True):
            answers = backprop(image, upstream)
            if not all(isinstance(answers.get(name), np.ndarray | np.generic) for name in layer.gradients):
                return answers
            each.append({name: np.array(answers[name]) for name in layer.gradients})
        names = layer.gradients
        gradients = {name: _stacked([one[name] for one in each]) for name in names}
        return {name: array if name == "x" else array.sum(axis=0) for name, array in gradients.items()}

    def forward_lines(self, lines: list[str]) -> list[str]:
        """Return the loop over the images."""
        lines = [line.replace("{x}", "image") for line in lines]
        if len(lines) == 1 and lines[0].startswith("{y} = "):
            return [f"{{y}} = np.stack([{lines[0].removeprefix('{y} = ')} for image in {{x}}])"]
        body = [*lines, "images.append(np.copy({y}))"]
        return ["images = []", "for image in {x}:", *(f"    {line}" for line in body), "{y} = np.stack(images)"]

    def backprop_lines(self, lines: list[str], gradients: Sequence[str]) -> list[str]:
        """Return the loop over the images."""
        lines = [line.replace("{x}", "image").replace("{dLdy}", "upstream") for line in lines]
        kept = ", ".join(f"np.copy({{dLd{name}}})" for name in gradients)
        all_images = [f"np.array([gradients[{i}] for gradients in images])" for i in range(len(gradients))]
        sums = ["" if name == "x" else ".sum(axis=0)" for name in gradients]
        return [
            "images = []",
            "for image, upstream in zip({x}, {dLdy}, strict=True):",
            *(f"    {line}" for line in lines),
            f"    images.append([{kept}])",
            *(f"{{dLd{name}}} = {array}{of}" for name, array, of in zip(gradients, all_images, sums, strict=True)),
        ]

    def examine(self, spec: LayerSpec) -> None:
        """Images should not depend on each other, nor have constants of their own."""
        if not spec.deterministic:
            raise SpecError(
                f"one_image=True does not fit {spec.name}, whose layer draws anew in each call: leave it out"
            )
        if not spec.batch_independent:
            raise SpecError(
                f"one_image=True is for layers that treat each image alone, which {spec.name} does not: leave it out"
            )
        if spec.constants:
            names = ", ".join(spec.constants)
            raise SpecError(
                f"one_image=True does not fit {spec.name}, which has {names} for all images at once: leave it out"
            )


def _stacked(images: list[Any]) -> Any:
    """Return the images as one array; the first that is no array, or of another shape than the others, as it is."""
    for image in images:
        if not isinstance(image, np.ndarray | np.generic) or image.shape != images[0].shape:
            return image
    return np.stack(images)
