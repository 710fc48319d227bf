"""Templates as people type them with --format."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.cli.gotemplate import render
from builder.cli.gotemplate.parse import InvalidTemplate

IMAGE = {
    "name": "a/b:1",
    "manifest": {"digest": "sha256:1", "manifests": [{"digest": "x", "size": 1}, {"digest": "y", "size": 2}]},
    "image": {
        "linux/arm64": {"rootfs": {"diff_ids": ["d2"]}},
        "linux/amd64": {"rootfs": {"diff_ids": ["d1"]}},
    },
    "sbom": {},
}


def rendered(template: str) -> str:
    return render(template, IMAGE, kind="image")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{.Name}}", "a/b:1"),
        ("<{{ .Manifest.Digest }}>", "<sha256:1>"),
        ("{{json .Name}}", '"a/b:1"'),
        ("{{.Name | json}}", '"a/b:1"'),
        ('{{printf "%s@%s" .Name .Manifest.Digest}}', "a/b:1@sha256:1"),
        ("{{len .Manifest.Manifests}}", "2"),
        ("{{(index .Manifest.Manifests 1).Digest}}", "y"),
        ('{{(index .Image "linux/amd64").RootFS.DiffIDs}}', "[d1]"),
        ("{{range .Manifest.Manifests}}{{.Digest}}={{.Size}} {{end}}", "x=1 y=2 "),
        ("{{range $p, $i := .Image}}{{$p}};{{end}}", "linux/amd64;linux/arm64;"),
        ("{{range $m := .Manifest.Manifests}}{{$m.Digest}}{{$.Name}} {{end}}", "xa/b:1 ya/b:1 "),
        ("{{if .SBOM}}yes{{else}}no{{end}}", "no"),
        ('{{if eq .Name "c"}}1{{else if .Name}}2{{else}}3{{end}}', "2"),
        ("{{with .Manifest}}{{.Digest}}{{end}}", "sha256:1"),
        ("{{$n := .Name}}{{$n}}", "a/b:1"),
        ("a {{- .Name -}} b", "aa/b:1b"),
        ("{{/* said to nobody */}}c", "c"),
        ("{{.Manifest.Nowhere}}", "<no value>"),
        ("{{and .Name true}} {{or .SBOM 3}} {{not .Name}}", "true 3 false"),
    ],
)  # fmt: skip
def test_a_template_makes_what_go_makes_of_it(template: str, expected: str) -> None:
    assert rendered(template) == expected


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{.Nope}}", "can't evaluate field Nope in type image"),
        ("{{nope .Name}}", 'function "nope" not defined'),
        ("{{.Name", "unclosed action"),
        ("{{if .Name}}", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{$x}}", 'undefined variable "$x"'),
        ("{{(.Name}}", "unclosed left paren"),
        ("{{len 3}}", "error calling len"),
        ("{{index .Manifest.Manifests 9}}", "error calling index"),
        ("{{range .Name}}{{end}}", "can't iterate"),
        ("{{.Name.Deeper}}", "can't evaluate field Deeper"),
        ("{{.Name + 1}}", "unexpected"),
        ("{{}}", "missing value"),
    ],
)
def test_a_template_that_is_wrong_is_one_message(template: str, reason: str) -> None:
    with pytest.raises(InvalidTemplate) as caught:
        rendered(template)
    assert reason in caught.value.message


@given(st.text(alphabet='{}.$ |()"-/*abifendrgl:=,\\', max_size=40))
def test_no_template_ends_in_anything_but_text_or_that_message(template: str) -> None:
    with suppress(InvalidTemplate):
        rendered(template)
