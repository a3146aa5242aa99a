"""What runs of a file when it is loaded: what its classes need as globals, and nothing of its accuracy test."""

from pathlib import Path

import pytest

from verification.judge.child import definitions

WANTED = ("nn_convolutional_layer", "nn_max_pooling_layer")
RIGHT = (Path(__file__).parent / "hw4_nn.py").read_text()
CLASSES = RIGHT[: RIGHT.index("layer = nn_convolutional_layer")]
TEST = (Path(__file__).parent / "accuracy_part.txt").read_text()
"""The accuracy test below the classes, as published."""

COUNTING = CLASSES.replace("(self, x):\n", "(self, x):\n        calls.append(x)\n") + "calls = []\n"


def run(source: str):
    namespace, notes = definitions.run(source.encode(), "hw4_nn.py", WANTED)
    return namespace, [note.text for note in notes]


def using(*names: str) -> str:
    """Return the file with a method that uses these globals."""
    return CLASSES.replace("    def get_w", f"    def used(self):\n        return {', '.join(names)},\n\n    def get_w")


def test_of_the_untouched_test_nothing_runs_and_nothing_is_noted(capsys):
    namespace, notes = run(COUNTING + TEST)
    assert not notes
    assert namespace["calls"] == []
    assert not capsys.readouterr().out
    assert "num_test" not in namespace


@pytest.mark.parametrize("guarded", [False, True])
def test_a_global_that_a_method_uses_has_the_value_that_the_test_below_gives_it(guarded):
    test = "if __name__ == '__main__':\n" + "".join(f"    {line}\n" for line in TEST.splitlines()) if guarded else TEST
    names = ("pool_size", "filter_height", "num_filters", "dt", "i")
    namespace, notes = run(using(*names) + "calls = []\n" + test)
    assert not notes
    assert namespace["nn_convolutional_layer"].used(None) == (2, 3, 8, 1e-3, 19)


def test_a_global_made_of_a_layer_is_as_in_the_first_round_only():
    source = using("cnv", "i").replace("(self, x):\n", "(self, x):\n        calls.append(x)\n") + "calls = []\n"
    namespace, notes = run(source + TEST)
    assert not notes
    assert namespace["cnv"].W.shape == (8, 3, 3, 3)
    assert namespace["i"] == 0
    assert namespace["calls"] == []


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ("size = 3\nsize, other = size + 1, size", 4),
        ("sizes = {'w': 2}\nsizes['w'] += 1\nsize = sizes['w']", 3),
        ("sizes = []\nfor i in range(3):\n    sizes.append(i)\nsize = len(sizes)", 3),
        ("for size in range(9):\n    if size > 4:\n        break\n    print('no')", 5),
        ("size = 0\nwhile True:\n    size += 1\n    if size == 7:\n        break", 7),
        ("def half(n):\n    return n // 2\nsize = half(12)", 6),
        ("try:\n    import no_such_module\n    size = 1\nexcept ImportError:\n    size = 2", 2),
        ("import math\nsize = math.factorial(4)", 24),
        ("with open('/dev/null') as file:\n    size = 5 + len(file.read())", 5),
        ("size = 1\nprint(nowhere)\nsize = 2", 2),
    ],
)
def test_what_a_needed_name_is_made_of_runs_too(lines, value, capsys):
    namespace, notes = run(f"{using('size')}\n{lines}\n")
    assert not notes
    assert namespace["nn_convolutional_layer"].used(None) == (value,)
    assert not capsys.readouterr().out


def test_what_is_needed_and_raises_is_noted():
    _, notes = run(using("size") + "size = len(3)\n")
    (note,) = notes
    assert note.endswith("`size = len(3)`: TypeError: object of type 'int' has no len()")


def test_what_only_lacks_a_name_that_was_left_out_is_not_noted():
    between = "for i in range(9):\n    y = nn_convolutional_layer(3, 3, 9, 1, 1)\nprint(y)\n\n\nclass nn_max"
    namespace, notes = run(CLASSES.replace("class nn_max", between))
    assert not notes
    assert "nn_max_pooling_layer" in namespace
    _, notes = run(CLASSES.replace("class nn_max", "print(nowhere)\n\n\nclass nn_max"))
    assert len(notes) == 1


def test_a_base_class_mended_below_counts():
    source = CLASSES.replace(
        "class nn_max_pooling_layer:", "class Base:\n    pass\n\n\nclass nn_max_pooling_layer(Base):"
    )
    namespace, _ = run(f"{source}\ndef size(self):\n    return 7\n\nBase.size = size\n")
    assert namespace["nn_max_pooling_layer"](1, 1).size() == 7


def test_the_whole_file_prints_its_test_only_and_says_how_it_ended(capsys):
    source = CLASSES.replace("(self, x):\n", "(self, x):\n        print('x', x.shape)\n")
    shorter = TEST.replace("num_test = 20", "num_test = 2")
    assert definitions.run_alone((source + shorter).encode(), "hw4_nn.py") is None
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 12 + 4
    assert lines[0] == "dLdx test"
    assert lines[-1].startswith("maxpool layer dLdx 99.99")
    raised = definitions.run_alone((source + "raise KeyError('x')\n").encode(), "hw4_nn.py")
    assert isinstance(raised, KeyError)
