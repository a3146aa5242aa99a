"""The Python code of the README runs as it stands, and says what it says there."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import layers

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_code_of_the_readme(code, monkeypatch, capsys):
    for name in re.findall(r"^import (torch|jax)$", code, flags=re.MULTILINE):
        pytest.importorskip(name, reason=f"{name} is not installed (pip install 'layerproof[{name}]')")
    mine = ModuleType("my_layers")
    mine.MyConvolution, mine.MyPooling = layers.nn_convolutional_layer, layers.nn_max_pooling_layer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_layers", mine)
    exec(code, {"__name__": "readme"})
    printed = capsys.readouterr().out
    for said in re.findall(r"# (Why: .*)", code):
        assert said in printed
