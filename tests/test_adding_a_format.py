"""The example of docs/adding-a-format.md, installed as its page says, reads a file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nettally import cli, read, tally
from nettally.errors import NettallyError
from nettally.formats import ncnn

PAGE = Path(__file__).resolve().parents[1] / "docs/adding-a-format.md"


def block(file: str) -> str:
    """The block of the page that gives ``file``."""
    _, fence, rest = PAGE.read_text("utf-8").partition(f" {file}\n")
    assert fence, f"the page has no {file}"
    return rest.partition("```")[0]


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a package that brings the reader, found as installed ones are."""
    packages = tmp_path / "packages"
    about = packages / "nettally_chain-1.0.dist-info"
    about.mkdir(parents=True)
    (packages / "chain.py").write_text(block("chain.py"), "utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nettally-chain\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[nettally.formats]\nchain = chain\n")
    monkeypatch.syspath_prepend(packages)
    monkeypatch.delitem(sys.modules, "chain", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("small.chain").write_text(block("small.chain"), "utf-8")
    yield tmp_path
    sys.modules.pop("chain", None)


def test_the_example_is_the_reader_of_ncnn() -> None:
    """Each block of Python without a file's name stands in ncnn.py as it is shown."""
    source = Path(ncnn.__file__).read_text("utf-8")
    blocks = PAGE.read_text("utf-8").split("```python\n")[1:]
    assert len(blocks) >= 6
    for each in blocks:
        assert each.partition("```")[0] in source


def test_the_example_is_read(chain: Path) -> None:
    Path("small.param").write_text(block("small.param"), "utf-8")
    counted = tally(read("small.param"))
    assert counted.complete
    assert counted["fc"].shape == (1, 10)
    # 16 filters of 5x5x3 with a bias each, and 10 outputs that see 8 maps of 14x14
    assert counted.parameters == 16 * (5 * 5 * 3 + 1) + 10 * (8 * 14 * 14 + 1)


def test_the_page_says_how_to_install_it() -> None:
    assert '[project.entry-points."nettally.formats"]\nchain = "chain"\n' in PAGE.read_text("utf-8")


def test_it_is_read(chain: Path) -> None:
    network = read("small.chain")
    counted = tally(network)
    assert [node.layer.kind for node in network.nodes] == ["conv", "relu", "max_pool", "linear"]
    assert counted["conv3"].shape == (1, 16, 28, 28)
    # 16 filters of 5x5x3 with a bias each, and 10 outputs that see 16 maps of 14x14
    assert counted.parameters == 16 * (5 * 5 * 3 + 1) + 10 * (16 * 14 * 14 + 1)
    assert str(network["pool5"].source) == "small.chain:5"


def test_the_former_group_is_read_with_a_warning(chain: Path) -> None:
    about = chain / "packages/nettally_chain-1.0.dist-info/entry_points.txt"
    about.write_text("[nettally.readers]\nchain = chain\n")
    with pytest.warns(FutureWarning, match=r"readers is now nettally\.formats.*chain"):
        assert len(read("small.chain").nodes) == 4


def test_sizes_from_the_user_come_first(chain: Path) -> None:
    assert tally(read("small.chain", inputs=(3, 33, 33)))["pool5"].shape == (1, 16, 15, 15)
    assert tally(read("small.chain", inputs=(2, 3, 33, 33)))["linear6"].shape == (2, 10)


def test_commands_take_it(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["tally", "small.chain"]) == 0
    assert "16x28x28" in capsys.readouterr().out


def test_the_table_of_formats_has_it(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["formats"]) == 0
    assert "chains of layers" in capsys.readouterr().out


def test_it_is_named_where_nothing_fits(chain: Path) -> None:
    Path("other").write_text("something else\n")
    with pytest.raises(NettallyError, match=r"the formats: .*native.*chain"):
        read("other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("input 3 32 32\ncomv 16 5\n", "bad.chain:3: no layer is called 'comv'.*mean 'conv'"),
        ("input 3 32 32\nconv 16\n", "bad.chain:3: conv takes 2 numbers.*conv filters kernel"),
        ("input 3 32 32\nconv 16 -5\n", "bad.chain:3: not a valid size.*-5"),
        ("input 3 32 32\nconv 16 ٥\n", "bad.chain:3: not a valid size"),
        ("input 3 32 32\nconv 16 1" + "0" * 30 + "\n", "bad.chain:3: not a valid size"),
        ("conv 16 5\n", "bad.chain:2: it reads '', which no layer before it makes"),
        ("input 3 32 32\n", "bad.chain: the file has no layer"),
        ("input\nrelu\n", "bad.chain: the file does not say the size of its input"),
        ("input 3\nconv 16 5\n", "bad.chain:3: .*axes of space"),
        ("input 3 8 8\nconv 16 9\n", "bad.chain:3: .*larger than its input"),
    ],
)
def test_what_is_wrong_is_said(chain: Path, text: str, message: str) -> None:
    Path("bad.chain").write_text("chain 1\n" + text, "utf-8")
    with pytest.raises(NettallyError, match=f"(?s){message}"):
        tally(read("bad.chain"))


def test_a_long_chain_is_no_trouble(chain: Path) -> None:
    Path("long.chain").write_text("chain 1\ninput 3 32 32\n" + "relu\n" * 20_000)
    assert len(read("long.chain").nodes) == 20_000
