"""`python -m mnist`: random images of MNIST under their labels, in a window or as a PNG."""

import os
from pathlib import Path
from random import Random, SystemRandom

import click

from mnist.dataset import DatasetError, load
from mnist.labeler import SPLITS, figure, titles


@click.command()
@click.option("--index", "indices", type=int, multiple=True, help="Show this image; more may follow: --index 0 1 2.")
@click.argument("more", type=int, nargs=-1)
@click.option("--count", type=click.IntRange(1, 100), help="How many random images to show (3).")
@click.option("--seed", type=int, help="Choose the same random images again.")
@click.option("--split", type=click.Choice(SPLITS), default="train", show_default=True, help="Which images.")
@click.option("--data", type=click.Path(path_type=Path), help="A directory with another data set in IDX files.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the picture to this file.")
def main(
    indices: tuple[int, ...],
    more: tuple[int, ...],
    count: int | None,
    seed: int | None,
    split: str,
    data: Path | None,
    output: Path | None,
) -> None:
    """Show images of handwritten digits, each under its label.

    Three random training images, unless told otherwise; in a window where there is a screen, and
    otherwise as a PNG in the current folder, whose path is printed.
    """
    if more and not indices:
        raise click.UsageError(f"got {more[0]}, but no option takes it; to show image {more[0]}: --index {more[0]}")
    chosen = [*indices, *more]
    if chosen and (count is not None or seed is not None):
        raise click.UsageError("--index says which images to show; leave out --count and --seed")
    try:
        dataset = load(data)
        if not chosen:
            random = SystemRandom() if seed is None else Random(seed)
            labels = dataset.y_train if split == "train" else dataset.y_test
            chosen = random.sample(range(len(labels)), min(count or 3, len(labels)))
        named = zip(chosen, titles(dataset, chosen, split), strict=True)
        lines = [f"{split} image {at}: {title}" for at, title in named]
        if output is None and _has_screen():
            click.echo("\n".join(lines))
            _show(dataset, chosen, split)
            return
        if output is None:
            name = "-".join(map(str, chosen[:10])) + ("-and-more" if len(chosen) > 10 else "")
            output = Path(f"mnist-{split}-{name}.png")
        _save(figure(dataset, chosen, split), output)
        click.echo("\n".join([*lines, str(output.resolve())]))
    except (DatasetError, IndexError) as error:
        raise click.ClickException(str(error)) from None


def _has_screen() -> bool:
    """Return whether matplotlib would open a window; it falls back to "agg" where it cannot."""
    from matplotlib import pyplot
    from matplotlib.backends.registry import BackendFilter, backend_registry

    interactive = backend_registry.list_builtin(BackendFilter.INTERACTIVE)
    pyplot.close(pyplot.figure())  # the backend is chosen when the first figure is made
    return pyplot.get_backend().lower() in interactive


def _show(dataset: object, chosen: list[int], split: str) -> None:
    from matplotlib import pyplot

    figure(dataset, chosen, split, pyplot.figure())  # type: ignore[arg-type]
    pyplot.show()


def _save(drawn: object, output: Path) -> None:
    """Write the picture whole or not at all."""
    target = output if output.exists() and not output.is_file() else output.resolve()  # a link to a file stays one
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    kind = output.suffix.lstrip(".").lower() or "png"
    try:
        if target.exists() and not target.is_file():  # a pipe or a device
            drawn.savefig(target, format=kind, dpi=150)  # type: ignore[attr-defined]
            return
        drawn.savefig(partial, format=kind, dpi=150)  # type: ignore[attr-defined]
        partial.replace(target)
    except OSError as error:
        raise click.ClickException(f"{output}: cannot be written: {error.strerror or error}") from None
    except ValueError as error:
        raise click.ClickException(f"{output}: {error}") from None
    finally:
        if partial.is_file():
            partial.unlink()


if __name__ == "__main__":
    main(prog_name="python -m mnist")
