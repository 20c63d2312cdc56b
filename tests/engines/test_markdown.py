"""Texts as HTML: what Markdown becomes, that nothing else comes out, and that no text takes long."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import xss
from conftest import configured
from ticketing import markdown
from ticketing.contract import Origins
from ticketing.markdown import rendering
from ticketing.markdown.parsing import TooIntricate, unsafe_html
from ticketing.markdown.sanitising import sanitised

HERE = "https://tickets.lumen.example"
IMAGES = Origins("https://img.example")
NOWHERE = "postgresql://"
MOST = 65_536
ALLOWED: dict[str, AbstractSet[str]] = {
    "a": {"href", "title", "class", "rel", "target"},
    "code": {"class"},
    "img": {"src", "alt", "title", "loading", "referrerpolicy"},
    "li": {"class"},
    "ol": {"start"},
    "td": {"align"},
    "th": {"align"},
} | dict.fromkeys(
    {"blockquote", "br", "em", "h3", "h4", "h5", "h6", "hr", "p", "pre", "s", "strong"}
    | {"table", "tbody", "thead", "tr", "ul"},
    frozenset(),
)
ADDRESS = re.compile(r"https?://[^/\\]|mailto:[^/]|/(?![/\\])", re.IGNORECASE)


def html(text: str, here: str = HERE) -> str:
    """As `render=html` gives it, with images from one origin."""
    return htmls([text], here)[0]


def htmls(texts: list[str], here: str = HERE) -> list[str]:
    with configured(database_url=NOWHERE, public_url=here, image_sources=IMAGES):
        return asyncio.run(all_of(texts))


async def all_of(texts: list[str]) -> list[str]:
    return [await markdown.html(text) for text in texts]


class Elements(HTMLParser):
    """The elements of some HTML, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def check_safe(made: str) -> None:
    for tag, attributes in Elements(made).found:
        assert tag in ALLOWED, made
        assert attributes.keys() <= ALLOWED[tag], made
        for name in ("href", "src"):
            assert ADDRESS.match(attributes.get(name) or "/"), made
        assert tag != "img" or (attributes["src"] or "").startswith("https://img.example/"), made


def test_there_are_enough_attacks() -> None:
    assert len(xss.STRINGS) >= 900


def test_no_attack_leaves_anything_that_could_run() -> None:
    for made in htmls(xss.STRINGS):
        check_safe(made)


def test_no_attack_gets_past_the_sanitiser_alone() -> None:
    """It holds even if the parser let raw HTML through."""
    for text in xss.STRINGS:
        for tag, attributes in Elements(sanitised(text)).found:
            assert attributes.keys() <= ALLOWED[tag]
            for address in (attributes.get("href"), attributes.get("src")):
                assert re.match(r"(https?|mailto):|[^:]*$", address or "", re.IGNORECASE), text


@given(st.text(alphabet="<>[]()!*_`~|-:#@&/\\\"'= \n\tx1\x00h\u202e", max_size=200))
def test_no_text_leaves_anything_that_could_run(text: str) -> None:
    check_safe(html(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*a* **b** ~~c~~ `d`", "<p><em>a</em> <strong>b</strong> <s>c</s> <code>d</code></p>\n"),
        ("one\ntwo", "<p>one<br>\ntwo</p>\n"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("# a\n\n###### b", "<h3>a</h3>\n<h6>b</h6>\n"),
        ("a\n===", "<h3>a</h3>\n"),
        ("- [ ] a\n- [x] b", '<ul>\n<li class="task">☐ a</li>\n<li class="task">☑ b</li>\n</ul>\n'),
        ("- a\n\n  [ ] b", "<ul>\n<li>\n<p>a</p>\n<p>[ ] b</p>\n</li>\n</ul>\n"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>\n'),
        ("```python x\n#1\n```", '<pre><code class="language-python">#1\n</code></pre>\n'),
        ("``` <x>\na\n```", "<pre><code>a\n</code></pre>\n"),
        (
            "|a|b|\n|-:|--|\n|c|d|",
            (
                '<table>\n<thead>\n<tr>\n<th align="right">a</th>\n<th>b</th>\n</tr>\n</thead>\n'
                '<tbody>\n<tr>\n<td align="right">c</td>\n<td>d</td>\n</tr>\n</tbody>\n</table>\n'
            ),
        ),
    ],
)
def test_what_markdown_becomes(text: str, expected: str) -> None:
    assert html(text) == expected


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("#1042", ["1042"]),
        ("see #1, (#2) and #3.", ["1", "2", "3"]),
        ("**#4** and ~~#5~~", ["4", "5"]),
        ("`#1` and a#1 and &#35;1 and \\#1 and #0 and #1a and x/#1 and ##1", []),
        ("```\n#1\n```\n\n    #1", []),
        ("[#1](https://x.example) https://x.example/#1", []),
    ],
)
def test_numbers_lead_to_tickets_but_not_in_code(text: str, numbers: list[str]) -> None:
    links = [attributes for tag, attributes in Elements(html(text)).found if attributes.get("class") == "ticket"]
    assert links == [{"href": f"/support/tickets/{number}", "class": "ticket"} for number in numbers]


def test_tickets_are_below_the_path_of_the_installation() -> None:
    assert 'href="/help/support/tickets/7"' in html("#7", f"{HERE}/help/")


@pytest.mark.parametrize("address", ["https://x.example/a?b=c&d", f"{HERE}.evil.example", "http://x.example"])
@pytest.mark.parametrize("text", ["[a]({0})", "<{0}>", "{0}", "[a][b]\n\n[b]: {0}"])
def test_links_to_elsewhere_are_marked_and_safe(text: str, address: str) -> None:
    ((_, attributes),) = [each for each in Elements(html(text.format(address))).found if each[0] == "a"]
    assert attributes == {
        "href": address,
        "rel": "nofollow noopener noreferrer",
        "target": "_blank",
        "class": "external",
    }


@pytest.mark.parametrize(
    "address",
    [
        f"{HERE}/support/tickets/1",
        "/support/tickets/1",
        "/desk/tickets/1?x=y#comment-7",
        "mailto:ada@lumen.example",
    ],
)
def test_links_to_tickets_are_not_marked(address: str) -> None:
    assert html(f"[a]({address})") == f'<p><a href="{address}">a</a></p>\n'


def test_links_to_tickets_are_below_the_path_of_the_installation() -> None:
    for text in ("/help/support/tickets/7", f"{HERE}/help/support/tickets/7"):
        assert html(f"[a]({text})", f"{HERE}/help") == f'<p><a href="{text}">a</a></p>\n'
    assert html("[a](/support/tickets/7)", f"{HERE}/help") == "<p>a</p>\n"


@pytest.mark.parametrize("address", [HERE, f"{HERE}/sign-in?id=1&code=2", f"{HERE}/support/tickets/1/../../sign-in"])
def test_links_to_other_pages_of_ours_are_marked_as_those_to_elsewhere(address: str) -> None:
    ((_, attributes),) = [each for each in Elements(html(f"[a]({address})")).found if each[0] == "a"]
    assert attributes["class"] == "external"
    assert attributes["target"] == "_blank"


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/support",
        "/sign-in?id=1&code=2",
        "/api/v1/session",
        "/support/tickets/1/../../x",
        "/support/tickets/01",
    ],
)
def test_other_relative_links_are_text(address: str) -> None:
    assert html(f"[a]({address})") == "<p>a</p>\n"


@pytest.mark.parametrize("address", ["//x.example", "#top", "readme.md", "ftp://x.example", "http:x", "/\\x", "tel:1"])
def test_what_leads_nowhere_is_text(address: str) -> None:
    made = html(f"[a]({address})")
    assert "href" not in made


def test_files_are_no_addresses() -> None:
    assert html("main.rs, readme.md, //x.example, ftp://x.example") == (
        "<p>main.rs, readme.md, //x.example, ftp://x.example</p>\n"
    )
    assert 'href="mailto:ada@lumen.org"' in html("ada@lumen.org")


def test_images_come_from_allowed_sources_only() -> None:
    allowed = html('![a **b**](https://img.example/c.png "d")')
    assert Elements(allowed).found == [
        ("p", {}),
        (
            "img",
            {
                "src": "https://img.example/c.png",
                "alt": "a b",
                "title": "d",
                "loading": "lazy",
                "referrerpolicy": "no-referrer",
            },
        ),
    ]
    for source in ("https://x.example/c.png", "https://img.example@x.example/c", "https://img.example:8443/c"):
        made = html(f"![a **b**]({source})")
        assert [tag for tag, _ in Elements(made).found] == ["p", "a"]
        assert Elements(made).found[1][1]["href"] == source
        assert Elements(made).text == "a b\n"
    assert Elements(html("![](https://x.example/c.png)")).text == "https://x.example/c.png\n"
    assert html("[![a](https://x.example/c.png)](/desk/tickets/1)") == '<p><a href="/desk/tickets/1">a</a></p>\n'
    assert html("![a](c.png)") == "<p>a</p>\n"


HOSTILE = {
    "quotes": ">" * MOST,
    "brackets": "[" * 10_000 + "]" * 10_000,
    "open brackets": "[" * MOST,
    "images": "![" * (MOST // 2),
    "images, few": "![a" * 4_900,
    "emphasis": "*a_ " * (MOST // 4),
    "strikes": "~~a" * (MOST // 3),
    "links": "[a](" * (MOST // 4),
    "addresses": "http://a.b " * (MOST // 11),
    "mail addresses": "a@b.co " * (MOST // 7),
    "tickets": "#1 " * (MOST // 3),
    "entities": "&amp;" * (MOST // 5),
    "items": "* a\n" * (MOST // 4),
    "items, few": "* a\n" * 1_990,
    "items in items": ("- " * 90 + "\n") * 350,
    "quotes and items": ("> - " * 4 + "a\n") * 3_900,
    "a wide table": "|a" * 4_000 + "|\n" + "|-" * 4_000 + "|\n" + "a\n" * 20_000,
    "a long table": "a|b\n-|-\n" + "x|y\n" * 15_000,
    "empty cells": "|a" * 63 + "|\n" + "|-" * 63 + "|\n" + "|\n" * 1_040,
    "one address, used often": "[a]: http://" + "x" * 30_000 + "\n\n" + "[a]" * 10_000,
    "definitions": "".join(f"[a{i}]: x\n" for i in range(5_000)),
    "dashes": "-" * MOST,
    "delimiters": "-|" * (MOST // 2),
    "backticks": "".join("`" * i + " " for i in range(1, 361)),
    "one word": "a" * MOST,
    "addresses of nothing": "a " * 20_000 + "<http://" * 1_660,
    "tickets, few": "#1001 " * 4_990,
    "tickets, fewer": "#1001 " * 2_400,
    "a table of few characters": "a|" * 300 + "\n" + "-|" * 300 + "\n" + "a\n" * 60,
    "line ends": "\n" * MOST,
    "ampersands": "&" * MOST,
    "a paragraph": "a\n" * (MOST // 2) + "===",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_long_or_becomes_large(name: str) -> None:
    """Measured in the time of the processor, as other tests run beside this one."""
    text = HOSTILE[name][:MOST]
    began = time.thread_time()
    made = rendering._rendered(text, HERE, IMAGES)
    assert time.thread_time() - began < 2
    # Only escaping may make more of it; then it is one element, or has a few line breaks.
    assert len(made) <= 128 * 1024 or made.count("<") <= 2 * 2_000
    assert len(made) < 6 * MOST and made.count("<") < 20_000
    check_safe(made)


@pytest.mark.parametrize(
    ("number", "tags"), [(2_200, {"p", "a"}), (2_400, {"p"})], ids=["as much as it may be", "too much"]
)
def test_what_a_text_becomes_is_bounded(number: int, tags: set[str]) -> None:
    made = html("#1001 " * number)
    assert {tag for tag, _ in Elements(made).found} == tags
    assert Elements(made).text.strip() == ("#1001 " * number).strip()


def test_an_address_is_found_whatever_is_before_it() -> None:
    for before in ("", "a ", "a" * 30 + " ", "(", "é", "x:"):
        assert html(f"{before}https://x.example/a_b_c*")[3:].startswith(f'{before}<a href="https://x.example/a_b_c"')
    assert "<a" not in html("xhttps://x.example ahttp://x.example")


def test_an_intricate_text_of_many_lines_is_one_block() -> None:
    text = "[<b>\n" * 2_100
    assert html(text) == "<pre><code>" + "[&lt;b&gt;\n" * 2_100 + "</code></pre>\n"


def test_an_intricate_text_is_shown_as_it_is_written() -> None:
    text = "[<b>\n" * 1_000 + "[" * 10_000
    with pytest.raises(TooIntricate):
        unsafe_html(text, HERE, IMAGES)
    made = html(text)
    assert Elements(made).text.strip() == text.replace("\n", "")
    assert {tag for tag, _ in Elements(made).found} == {"p", "br"}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are rendered, not found."""
    made: list[str] = []
    render = rendering._rendered

    def rendered(text: str, *rest: Any) -> str:
        made.append(text)
        return render(text, *rest)

    monkeypatch.setattr(rendering, "_rendered", rendered)
    return made


@pytest.fixture
def settled() -> Iterator[None]:
    with configured(database_url=NOWHERE):
        yield


@pytest.mark.usefixtures("settled")
def test_a_text_is_rendered_once_while_it_is_kept(counted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> None:
        one = await asyncio.gather(*(all_of(["a", "b", "a"]) for _ in range(5)))
        assert one == [["<p>a</p>\n", "<p>b</p>\n", "<p>a</p>\n"]] * 5
        assert sorted(counted) == ["a", "b"]
        monkeypatch.setattr(rendering, "MOST_BYTES", 500)
        await all_of(["b", "c", "b", "a"])
        assert sorted(counted) == ["a", "a", "b", "c"]
        with configured(database_url=NOWHERE, image_sources=IMAGES):
            await markdown.html("b")
        assert sorted(counted) == ["a", "a", "b", "b", "c"]

    asyncio.run(ask())


@pytest.mark.usefixtures("settled")
def test_others_are_answered_while_a_long_text_is_rendered() -> None:
    async def ask() -> tuple[int, str]:
        turns = 0
        long = asyncio.create_task(markdown.html(HOSTILE["items, few"] + "x"))
        while not long.done():
            await asyncio.sleep(0)
            turns += 1
        return turns, await long

    turns, made = asyncio.run(ask())
    assert turns > 5 and made.startswith("<ul>")
