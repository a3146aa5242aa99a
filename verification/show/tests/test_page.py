"""The page: what it says, that it is the same every time, and that nothing of a submission is more than text on it."""

import base64
import functools
import html
import json
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from layers import nn_max_pooling_layer
from verification import check, max_pooling
from verification.assignment.accuracy import Accuracy
from verification.assignment.rubric import Row
from verification.cause import Cause, Counterexample, PropertyReport
from verification.explain.grid import Grid
from verification.explain.where import Where
from verification.explain.why import Why
from verification.judge.verdict import FileVerdict, LayerVerdict, judge
from verification.report import Report
from verification.show.page import page
from verification.show.pictures import TILES, pictures, short

TESTS = ("dLdx test", "dLdW test", "dLdb test", "dLdx test for pooling")


def accuracies(*tests, apprx=1.0):
    return {test: Accuracy(test, (1.0,), (apprx,)) for test in tests}


@functools.cache
def pooling():
    report = check(replace(max_pooling(nn_max_pooling_layer), realistic=None), examples=3)
    return LayerVerdict("max_pooling", "nn_max_pooling_layer", report, "", accuracies(TESTS[3]))


WHY = "dLdx is the right gradient computed with the filter not flipped"
SCRIPT = 'import numpy as np\nx = np.zeros((1, 1, 1, 2))\nprint("<dLdx>")\n\n# dLdx is wrong\n'


MESSAGE = """dLdx is wrong
  dLdx[0, 0, 0, 0] = 1.0, but should be 0.0
  dLdx[0, 0, 0, 1] = 0.0, but should be 1.0 (2 of 2 entries)"""


def convolution_not_flipped():
    """Return the verdict on such a convolution, as check() has it, in the fewest properties."""
    compared = ("dLdx", np.array([[[[1.0, 0.0]]]]), np.array([[[[0.0, 1.0]]]]))
    mistake = Cause(
        "dLdx", "values", "backprop_is_the_adjoint", MESSAGE,
        why=(Why("filter-not-flipped", WHY),), where=Where(("filter_width == 1",), True), wrong=30, asked=40,
        counterexample=Counterexample({"filter_width": 1}, {}, SCRIPT), compared=compared,
    )  # fmt: skip
    raises = "forward raised ValueError\nat line 7"
    aside = Cause(None, "raised", "an_empty_batch_gives_empty_results", raises, required=False)
    properties = (
        PropertyReport("forward_matches_reference", "required", "passed", 100),
        PropertyReport("backprop_matches_directional_differences", "required", "failed", 9, MESSAGE),
        PropertyReport("backprop_is_the_adjoint", "required", "failed", 9, MESSAGE),
        PropertyReport("is_exact_at_a_realistic_size", "required", "not judged", 1),
        PropertyReport("an_empty_batch_gives_empty_results", "hardening", "failed", 1, raises),
    )
    results = {**accuracies(TESTS[0], apprx=0.25), **accuracies(*TESTS[1:3])}
    sizes = {
        (1, 1): ("right",),
        (1, 20): ("right", "wrong", "raises"),
        (3, 1): ("raises", "raises"),
        (3, 20): ("wrong",),
    }
    grid = Grid(("filter_width", "filter_height"), sizes | {(2, at): ("wrong",) for at in range(2, 20)})
    report = Report("convolution", properties, (mistake, aside), grid=grid)
    return LayerVerdict("convolution", "nn_convolutional_layer", report, "", results)


def verdict(*layers, **changed):
    return replace(FileVerdict("hw4_nn.py", "", (), layers, "limits only", "Epoch 1\n"), **changed)


def failed():
    return verdict(convolution_not_flipped(), pooling())


def words(text):
    """Return what the page says, without its markup, style and script."""
    text = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_a_file_that_passed_says_so_and_has_the_points():
    text = page(verdict(replace(pooling(), name="convolution", accuracies=accuracies(*TESTS[:3])), pooling()))
    assert "<title>hw4_nn.py: passed</title>" in text
    assert "✓ passed hw4_nn.py Convolution ✓ passed Every required property holds." in words(text)
    assert "conv layer dLdW 100.00 % 4 of 4" in words(text)
    assert "Sum 16 of 16" in words(text)
    assert "The assignment's test alone would say the same" in words(text)
    assert "gradient conserves the upstream sum 3 ✓ passed" in words(text)
    assert "✗" not in words(text)
    assert "<img" not in text
    assert "<summary>What the file printed</summary>" in text
    assert "Epoch 1" in text
    assert "limits only" in text


def test_a_file_that_failed_says_what_is_wrong_why_and_how_to_see_it():
    text = page(failed())
    assert "<title>hw4_nn.py: failed</title>" in text
    assert "✗ failed hw4_nn.py Convolution ✗ failed dLdx is the right gradient computed with the filter not" in words(
        text
    )
    assert "conv layer dLdx 25.00 % 1 of 4" in words(text)
    assert "find fault with conv layer dLdx." in words(text)
    assert "dLdx is wrong dLdx[0, 0, 0, 0] = 1.0, but should be 0.0" in words(text)
    assert f"1. {WHY} Where: dLdx is right while filter_width is 1; wrong otherwise Seen on 30 of 40 cases." in words(
        text
    )
    assert "<code>import numpy as np\nx = np.zeros((1, 1, 1, 2))\nprint(&#34;&lt;dLdx&gt;&#34;)\n\n# dLdx is" in text
    assert 'alt="dLdx should be: [[[[0.0, 1.0]]]]"' in text
    assert 'alt="difference: [[[[1.0, -1.0]]]]"' in text


def test_a_mistake_that_fails_two_properties_is_told_once_with_a_link_to_it():
    text = page(failed())
    assert words(text).count(WHY) == 2
    assert f'<li><a href="#convolution-1"><bdi>{WHY}</bdi></a></li>' in text
    assert text.count('id="convolution-1"') == 1
    assert "backprop matches directional differences 9 ✗ failed" in words(text)
    assert "backprop is the adjoint 9 ✗ failed" in words(text)
    assert "is exact at a realistic size 1 \N{EN DASH} not judged" in words(text)


def test_the_headline_is_the_mistakes_in_their_order():
    layer = convolution_not_flipped()
    known, aside = layer.report.causes
    unknown = Cause("dLdW", "values", "backprop_is_the_adjoint", "dLdW is wrong\n  dLdW[0] = 1.0, but should be 0.0")
    for causes in ((known, unknown, aside), (unknown, known, aside)):
        text = page(verdict(replace(layer, report=replace(layer.report, causes=causes)), pooling()))
        links = re.findall(r'<li><a href="#convolution-(\d)"><bdi>(.*?)</bdi>', text)
        assert links == [(str(at), cause.headline) for at, cause in enumerate(causes[:2], 1)]


def test_a_grid_says_in_words_for_which_sizes_a_layer_is_right():
    text = page(failed())
    assert '<td class="passed">✓ right</td>' in text
    assert '<td class="note">! raises</td>' in text
    table = text.partition('<table class="grid">')[2].partition("</table>")[0]
    head, first, second, third = (words(row).split(maxsplit=1)[1] for row in re.findall(r"<tr>.*?</tr>", table))
    assert head.startswith("↓ filter_height → 1 2 3 4")
    assert first == "✓ right " + "\N{EN DASH} " * 18 + "1 of 3 right"
    assert second == "\N{EN DASH} " + "✗ wrong " * 18 + "\N{EN DASH}"
    assert third == "! raises " + "\N{EN DASH} " * 18 + "✗ wrong"
    assert words(page(verdict(pooling(), pooling()))).count("For which sizes") == 0


def test_what_does_not_count_is_folded_and_not_explained_by_what_does():
    text = page(failed())
    folded = text.partition("<summary>Hardening, which does not count: 1 note")[2].partition("</section>")[0]
    assert "forward raised ValueError an empty batch gives empty results" in words(folded)
    assert WHY not in folded
    assert 'href="#convolution-2"' not in text
    strict = [replace(layer, report=replace(layer.report, strict=True)) for layer in failed().layers]
    text = page(verdict(*strict))
    assert "which does not count" not in words(text)
    assert '<li><a href="#convolution-2"><bdi>forward raised ValueError</bdi></a></li>' in text


def test_the_assignments_test_alone_may_not_have_noticed():
    blind = replace(convolution_not_flipped(), accuracies=accuracies(*TESTS[:3]))
    assert "alone would not have noticed: full points" in words(page(verdict(blind, pooling())))


def test_a_file_that_cannot_be_read_says_why():
    text = page(judge(b"def forward(self)\n    pass\n", "hw4_nn.py"))
    assert "✗ failed hw4_nn.py Nothing of this file could be checked: SyntaxError" in words(text)
    assert "conv layer dLdW as above 1 of 4" in words(text)
    assert words(text).count("SyntaxError") == 2


def test_a_layer_that_is_not_there_and_what_is_to_be_known():
    missing = LayerVerdict("convolution", "", None, "there is no class nn_conv", dict.fromkeys(TESTS[:3], "no class"))
    text = words(page(verdict(missing, pooling(), notes=("line 9 raised NameError",))))
    assert "Convolution ✗ failed there is no class nn_conv" in text
    assert "Note: line 9 raised NameError" in text
    assert "conv layer dLdx no class 1 of 4 conv layer dLdW as above 1 of 4" in text


def test_the_mark_is_shown_line_by_line_with_what_else_is_to_be_known():
    rows = [Row("conv layer dLdx", 0.5, 2.5, "12 %"), Row("titles of MNIST images", 4, 4, "all titles are right")]
    text = words(page(failed(), rows, ["two files have the classes"]))
    assert "Note: two files have the classes" in text
    assert "conv layer dLdx 12 % 0.5 of 2.5 titles of MNIST images all titles are right 4 of 4 Sum 4.5 of 6.5" in text


def test_the_same_verdict_gives_the_same_bytes_and_no_time_is_among_them():
    convolution, pooling = failed().layers
    items = tuple(replace(item, seconds=item.seconds + 1) for item in convolution.report.properties)
    slower = replace(convolution, report=replace(convolution.report, properties=items))
    assert page(failed()) == page(verdict(slower, pooling))


def test_a_file_name_that_is_not_text_gives_a_page_that_is():
    assert "hw4_\\udcff.py" in page(verdict(file="hw4_\udcff.py")).encode().decode()


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (np.array(3.0), np.array(2.0)),
        (np.arange(5.0), np.zeros(5)),
        (np.array([[np.nan, np.inf, -np.inf, 1e308]]), np.array([[1.0, -np.inf, -np.inf, -1e308]])),
        (np.full((1, 1), np.nan), np.full((1, 1), np.nan)),
        (np.array([[5e-324]]), np.array([[0.0]])),
        (np.ones((1, 1, 2, 2)) / 3, np.ones((1, 1, 2, 2)) / 3 + 1e-16),
        (np.ones((1, 1), bool), np.zeros((1, 1), int)),
        (np.ones((8, 3, 30, 300)), np.zeros((8, 3, 30, 300))),
        (np.ones((40, 40, 3, 3)), np.zeros((40, 40, 3, 3))),
    ],
)
def test_any_array_has_three_pictures_of_a_bounded_size(actual, expected):
    drawn = pictures("dLdx", actual, expected)
    assert [picture.caption for picture in drawn] == ["dLdx should be", "dLdx is", "difference"]
    for picture in drawn:
        assert picture.width <= 300
        assert len(picture.source) < 80_000
        assert len(picture.words) < 2_000


def test_what_cannot_be_compared_has_no_pictures():
    assert pictures("y", np.ones((2, 2)), np.ones((2, 3))) == ()
    assert pictures("y", np.ones((0, 2)), np.ones((0, 2))) == ()


def test_slices_with_wrong_entries_are_shown_before_others():
    expected = np.zeros((5, 4, 2, 2))
    actual = expected.copy()
    actual[4, 3, 1, 1] = 7.0
    (_, drawn, _) = pictures("dLdW", actual, expected)
    svg = base64.b64decode(drawn.source.partition(",")[2]).decode()
    assert svg.count("[0, ") == 4
    assert "[4, 3]" in svg
    assert svg.count(">7<") == 1
    assert f"Shown: {TILES} of 20 slices" in drawn.legend


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-3.0, "-3"), (524288.0, "524288"), (1 / 3, "0.333"), (-1.5e-7, "-1.5e-7"), (1e308, "1e308"),
     (np.nan, "nan"), (-np.inf, "-inf")],
)  # fmt: skip
def test_numbers_in_pictures_are_short(value, text):
    assert short(value).replace("\N{MINUS SIGN}", "-") == text


# In a browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=2000", "--dump-dom",
]  # fmt: skip

HOSTILE = (
    """</title></pre></style><script>document.documentElement.dataset.ran = "script"</script>
"><img src="{url}/img" onerror="document.documentElement.dataset.ran = 'onerror'">
'><svg onload="document.documentElement.dataset.ran = 'onload'"></svg> <a href="javascript:alert(1)">javascript:</a>
<link rel="stylesheet" href="{url}/link"><style>@import "{url}/import"; body {{ background: url("{url}/background") }}</style>
<script src="{url}/script"></script><iframe src="{url}/iframe"></iframe><object data="{url}/object"></object>
&lt;script&gt; --> ]]>"""
    + "W" * 500
)

# Each page in a frame of 400 pixels; what became of it, as JSON, where --dump-dom shows it.
HARNESS = """<!DOCTYPE html><pre id="result"></pre>
<iframe src="/escaped" width="400"></iframe><iframe src="/unescaped" width="400"></iframe>
<iframe src="/unescaped-no-policy" width="400"></iframe><iframe src="/failed" width="400"></iframe>
<script>
addEventListener("load", () => {
  const seen = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument;
    const result = seen[frame.getAttribute("src").slice(1)] = {ran: page.documentElement.dataset.ran || ""};
    for (const details of page.querySelectorAll("details")) details.open = true;
    result.overflow = page.documentElement.scrollWidth - page.documentElement.clientWidth;
    result.outside = [...page.querySelectorAll("[src], [href]")].map(one => one.getAttribute("src") || one.getAttribute("href"))
      .filter(url => !url.startsWith("#") && !url.startsWith("data:"));
    result.pictures = [...page.querySelectorAll("img")].map(one => one.complete && one.naturalWidth > 0);
    const button = page.querySelector(".copy");
    if (!button) continue;
    const clipboard = {writeText: async text => { result.copied = text; }};
    Object.defineProperty(frame.contentWindow.navigator, "clipboard", {value: clipboard});
    button.click();
    setTimeout(() => { result.button = button.textContent; }, 100);
  }
  setTimeout(() => { document.getElementById("result").textContent = JSON.stringify(seen); }, 500);
});
</script>"""


def hostile(url):
    """Return a verdict of which all that a submission may influence, and more, is hostile."""
    text = HOSTILE.format(url=url)
    layer = convolution_not_flipped()
    first, *rest = layer.report.properties
    first = replace(first, message=text)  # a note
    mistake, aside = layer.report.causes
    mistake = replace(
        mistake, message=f"{text}\n  {text}", why=(Why("family", text), Why("family", text)), also=(text,),
        array=text, where=Where((text,), True), compared=(text, *mistake.compared[1:]),
        counterexample=replace(mistake.counterexample, script=text),
    )  # fmt: skip
    causes = (mistake, replace(mistake, why=(), where=None), replace(aside, message=text, property_name=text))
    report = replace(layer.report, properties=(first, *rest), causes=causes)
    layer = replace(layer, class_name=text, report=report, accuracies=dict.fromkeys(TESTS[:3], text))
    missing = replace(pooling(), report=None, problem=text, accuracies=dict.fromkeys(TESTS[3:], text[1:]))
    return FileVerdict(text, "", (text,), (layer, missing), text, text)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a browser made of the pages, and which of the addresses that they name it asked for."""
    if not CHROMIUM:
        pytest.skip("there is no chromium on this machine")
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = pages.get(self.path)
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((body or "").encode())

        def log_message(self, format, *args):  # noqa: A002  its name in the standard library
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        pages = {"/": HARNESS, "/failed": page(failed())}
        for name in ("/escaped", "/unescaped", "/unescaped-no-policy"):
            text = page(hostile(f"http://127.0.0.1:{server.server_port}/asked{name}"))
            text = text if name == "/escaped" else html.unescape(text)
            pages[name] = re.sub(r"<meta http-equiv=[^>]*>", "", text) if name.endswith("no-policy") else text
        threading.Thread(target=server.serve_forever, daemon=True).start()
        profile = tmp_path_factory.mktemp("profile")
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"]
        dom = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300, check=True).stdout
        server.shutdown()
    result = json.loads(html.unescape(dom.partition('<pre id="result">')[2].partition("</pre>")[0]))
    for name, of_page in result.items():
        of_page["asked"] = {path.rpartition("/")[2] for path in asked if path.startswith(f"/asked/{name}/")}
    return result


def test_nothing_that_a_submission_says_runs_or_sends_a_request(seen):
    assert seen["escaped"]["ran"] == ""
    assert seen["escaped"]["asked"] == set()
    assert seen["escaped"]["outside"] == []


def test_the_policy_alone_would_hold_too(seen):
    assert seen["unescaped"]["ran"] == ""
    assert seen["unescaped"]["asked"] == set()


def test_without_either_the_hostile_text_would_run_and_send_requests(seen):
    assert seen["unescaped-no-policy"]["ran"]
    assert seen["unescaped-no-policy"]["asked"] >= {"img", "link", "import", "script", "iframe", "object"}


def test_the_button_copies_the_script(seen):
    assert seen["failed"]["copied"] == SCRIPT
    assert seen["failed"]["button"] == "Copied"


def test_pictures_are_shown_under_the_policy(seen):
    assert len(seen["failed"]["pictures"]) >= 3
    assert all(seen["failed"]["pictures"])


def test_at_400_pixels_nothing_scrolls_sideways(seen):
    assert seen["failed"]["overflow"] == 0
    assert seen["escaped"]["overflow"] == 0
