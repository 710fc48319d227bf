"""The two readers of words agree: what the quick one reads, the grammar reads the same."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from frontend.dockerfile import words

ALPHABET = st.sampled_from([*"aB1${}:-+?#%/", "'", '"', "\\", "`", " ", "é", "${a", "${b:-", "${c#", "$d"])


@settings(deadline=None, max_examples=400)
@given(st.lists(ALPHABET, max_size=14).map("".join), st.sampled_from(["\\", "`"]))
@example('${a:-b}x$c"${d%%.*}"${e:+${f}}', "\\")
@example("${?-}${#:-a}${1##x}", "`")
def test_what_the_quick_reader_reads_the_grammar_reads_the_same(text: str, escape: str) -> None:
    quick = words._read_plain(text, escape)
    if quick is not None:
        assert quick == words._read_any(text, escape)


@pytest.mark.parametrize("word", ["${a:-b}", "x${a:+$b}y", '"${a-${b}}"', "${a%.*}", "${a##*/}", "${a?gone}"])
def test_usual_forms_need_no_grammar(word: str) -> None:
    assert words._read_plain(word, "\\") is not None


def test_a_file_of_usual_instructions_loads_no_grammar() -> None:
    lines = "".join(
        f'ARG A{n}=${{B:-{n}}}\nENV C{n}="${{A{n}:-x}} y"\nRUN --mount=type=cache,target=/c{n} x\n'
        for n in range(16)
    )
    program = (
        "import sys; sys.path.insert(0, 'tests/unit/frontend'); from dockerfiles import read; "
        f"read('FROM busybox' + chr(10) + {lines!r}); sys.exit('lark' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
