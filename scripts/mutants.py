"""Remove each authorization check in turn, and see whether a test notices: first the matrix, then the noun's tests.

Usage: python scripts/mutants.py [--only PATTERN] [--list]

Checks are found by their form, so new modules need no entry here. In Python: calls of rules that refuse, refusals that
the caller decides, an actor's role and ownership, how they signed in. In SQL: who sees, who owns, what is closed, which
token is valid, and who may read an event. Each check is removed alone, in a copy of the checkout. A mutant that
survives shows a hole in the tests, unless EQUIVALENT says why it is none.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg import sql

from ticketing.db import embedded

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
COPIED = ("src", "sql", "migrations", "spec", "tests", "scripts", "docs", "pyproject.toml", "README.md")
MATRIX = "tests/api/test_authorization.py"
AT_ONCE = 2
TIMEOUT_SECONDS = 600
PATIENCE_SECONDS = 60
NICENESS = 10
QUICKLY = ("-x", "-q", "-rfE", "--tb=no", "--override-ini=addopts=", "-p", "no:cacheprovider", "-p", "xdist.plugin")

#: Other nouns that a file is about, besides its name.
ALSO = {
    "src/ticketing/access/authentication.py": ("tokens",),
    "src/ticketing/access/policy.py": ("tokens",),
    "src/ticketing/log/places.py": ("feed", "stream"),
    "src/ticketing/rules/comments.py": ("access",),
    "src/ticketing/rules/tickets.py": ("access",),
    "src/ticketing/log/timeline.py": ("event",),
    "src/ticketing/writing/idempotency.py": ("canary", "replays"),
    "sql/shapes/tickets.sql": ("access",),
    "sql/shapes/events.sql": ("event_types", "canary", "event", "feed"),
    "sql/queries/events.sql": ("canary", "changes"),
    "sql/queries/tickets.sql": ("upkeep",),
    "sql/queries/tokens.sql": ("stream", "users"),
}

#: Mutants that change nothing, by name (`--list` prints it), and why not.
EQUIVALENT = {
    "src/ticketing/access/authentication.py authenticate: not well_formed(token, prefix) → False": (
        "It only saves a look-up: what cannot be a token of ours is in no table either."
    ),
    "src/ticketing/reactions/webhooks/endpoints.py create: policy.require_admin(actor) → pass": (
        "check_url, which has to be called before, refuses the same."
    ),
    'src/ticketing/log/places.py Reader.view: self.names.isdisjoint(entry["missed_by"] or ()) → False': (
        "The statement that reads, and the hub that looks its listeners up, choose by the same names before."
    ),
    'src/ticketing/rules/tokens.py create: actor.role → "admin"': (
        "A token gives away only scopes that it holds, and holds none beyond its user's role."
    ),
    "sql/queries/idempotency_keys.sql release_key: user_id = :user_id → (true or user_id = :user_id)": (
        "The event names one key: that of the request which would have written it."
    ),
    "src/ticketing/monitoring/readiness.py obstacle: outages.may_not_write() → True": (
        "It saves writes, and refuses nobody: without it, each probe tries one."
    ),
    "sql/shapes/events.sql event_readers: event_is_internal(e) (3) → (false and event_is_internal(e))": (
        "No internal event takes a ticket or a project from anybody; this is for those to come."
    ),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A check, and what replaces it when it is removed."""

    path: str
    #: Its function or query, so that the mutant's name survives changes elsewhere in the file.
    within: str
    kind: str
    line: int
    #: Its position in the file, in bytes.
    start: int
    end: int
    text: str
    instead: str
    ordinal: int = 1

    @property
    def name(self) -> str:
        again = f" ({self.ordinal})" if self.ordinal > 1 else ""
        return f"{self.path} {self.within}: {self.text}{again} → {self.instead}"

    def applied(self, source: bytes) -> bytes:
        """The file without this check."""
        return source[: self.start] + self.instead.encode() + source[self.end :]


def mutants(root: Path) -> list[Mutant]:
    """Every check below a checkout's src, sql and migrations."""
    found = [mutant for path in sorted(root.glob("src/ticketing/**/*.py")) for mutant in _in_file(root, path)]
    # Old migrations defined functions, too; only the last definition is there to be tested.
    schema: dict[str, list[Mutant]] = {}
    for path in (*sorted(root.glob("migrations/*.sql")), *sorted(root.glob("sql/shapes/*.sql"))):
        defined = re.findall(DEFINITION, path.read_text())
        schema |= {name: [] for name in defined}
        for mutant in _in_file(root, path):
            if mutant.within != "file":
                schema.setdefault(mutant.within, []).append(mutant)
    found += [mutant for each in schema.values() for mutant in each]
    found += [mutant for path in sorted(root.glob("sql/queries/*.sql")) for mutant in _in_file(root, path)]
    return list(_numbered(found))


def _in_file(root: Path, path: Path) -> Iterator[Mutant]:
    find = in_python if path.suffix == ".py" else in_sql
    return find(str(path.relative_to(root)), path.read_text())


def _numbered(found: Iterable[Mutant]) -> Iterator[Mutant]:
    seen: Counter[str] = Counter()
    for mutant in found:
        seen[mutant.name] += 1
        yield replace(mutant, ordinal=seen[mutant.name])


# Python ---------------------------------------------------------------------------------------------------------

RULE = re.compile(r"_?authorize|require_\w+")
PREDICATE = re.compile(r"may_\w+")
REFUSALS = {"Forbidden", "InsufficientScope", "TicketClosed", "Unauthenticated"}
#: Properties of an actor, and their values for the most powerful one.
PRIVILEGED = {"staffs_any": "True", "everywhere": "True", "admin": "True", "role": '"admin"'}
#: Of what the rights of an actor are made, every comparison is a check.
RIGHTS = ["signed_in"]


def in_python(path: str, text: str) -> Iterator[Mutant]:
    """The checks of a module."""
    finder = _Python(path, text)
    finder.visit(ast.parse(text))
    return iter(sorted(finder.found, key=lambda mutant: mutant.start))


class _Python(ast.NodeVisitor):
    def __init__(self, path: str, text: str) -> None:
        self.found: list[Mutant] = []
        self._path = path
        self._source = text.encode()
        lines = self._source.splitlines(keepends=True)
        self._starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
        self._within: list[str] = []
        #: Local names that hold something of the actor, and dictionaries by their name.
        self._actors: set[str] = set()
        self._literals: dict[str, ast.Dict] = {}

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._within.append(node.name)
        self.generic_visit(node)
        self._within.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before = self._actors, self._literals
        self._actors, self._literals = {"actor"}, {}
        self._within.append(node.name)
        self.generic_visit(node)
        self._within.pop()
        self._actors, self._literals = before

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        # What is read from the database on the actor's behalf is not the actor's.
        asked = any(isinstance(each, ast.Await) for each in ast.walk(node.value))
        if not asked and self._mentions_actor(node.value):
            self._actors.update(names)
        if isinstance(node.value, ast.Dict):
            self._literals |= dict.fromkeys(names, node.value)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        awaited = isinstance(node.value, ast.Await)
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call) and (_is_of_policy(call.func) or RULE.fullmatch(_last_name(call.func))):
            self._add("rule", node, "pass")
            self._add_privileges(call)
        elif isinstance(call, ast.Call) and awaited and _last_name(call.func) == "get" and self._mentions_actor(call):
            # Nobody takes what it gives: it is asked only whether the actor may see it.
            self._add("rule", node, "pass")
        self.generic_visit(node)

    def _add_privileges(self, rule: ast.Call) -> None:
        """What a rule refuses is listed: each entry is a check of its own."""
        for name in {each.id for each in ast.walk(rule) if isinstance(each, ast.Name)} & self._literals.keys():
            for key, value in zip(self._literals[name].keys, self._literals[name].values, strict=True):
                if key is not None:
                    self._add("rule", value, "None", f"{name}[{ast.unparse(key)}]")

    def visit_If(self, node: ast.If) -> None:
        if self._within[-1:] == ["authenticate"]:
            self._add_sign_in(node)
        elif (self._refuses(node) or self._limits(node)) and not self._is_check(node.test):
            self._add("refusal", node.test, "False")
        self.generic_visit(node)

    def _add_sign_in(self, node: ast.If) -> None:
        """Of whoever signs in: what refuses them, and what has to hold for another way to accept them."""
        (last,) = node.body[-1:]
        if isinstance(last, ast.Raise) or (isinstance(last, ast.Return) and isinstance(last.value, ast.Constant)):
            self._add("sign-in", node.test, "False")
        for condition in ast.walk(node.test):
            if isinstance(condition, ast.Compare) and isinstance(condition.ops[0], ast.Gt | ast.Lt):
                self._add("sign-in", condition, "True")

    def _refuses(self, node: ast.If) -> bool:
        raised = [each.exc for each in node.body if isinstance(each, ast.Raise) and each.exc is not None]
        return bool(raised) and (
            self._mentions_actor(node.test)
            or any(_last_name(getattr(each, "func", each)) in REFUSALS for each in raised)
        )

    def _limits(self, node: ast.If) -> bool:
        """Whether something is restricted because of who the actor is."""
        return self._mentions_actor(node.test) and all(isinstance(each, ast.Assign) for each in node.body)

    def _is_check(self, test: ast.expr) -> bool:
        """Whether a condition is one of the checks below, and so would be the same mutant again."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self._is_check(test.operand)
        return (
            self._is_privilege(test)
            or (isinstance(test, ast.Call) and bool(PREDICATE.fullmatch(_last_name(test.func))))
            or (isinstance(test, ast.Compare) and (self._is_own(test) or self._is_privilege(test.left)))
        )

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "staffs" and self._is_actor(node.func.value):
            self._add("privilege", node, "True")
        elif PREDICATE.fullmatch(_last_name(node.func)):
            self._add("predicate", node, "True")
        elif _last_name(node.func) == "isdisjoint":
            self._add("predicate", node, "False")
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._is_privilege(node):
            self._add("privilege", node, PRIVILEGED[node.attr])
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if self._within == RIGHTS:
            self._add("rights", node, "True")
        elif self._is_own(node):
            self._add("own", node, str(isinstance(node.ops[0], ast.Eq)))
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if self._within == RIGHTS and isinstance(node.op, ast.BitAnd):
            self._add("rights", node, ast.unparse(node.left))
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Skip message texts: they decide nothing."""

    def _is_privilege(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Attribute) and node.attr in PRIVILEGED and self._is_actor(node.value)

    def _is_own(self, node: ast.Compare) -> bool:
        return isinstance(node.ops[0], ast.Eq | ast.NotEq) and any(
            isinstance(each, ast.Attribute) and each.attr in ("id", "requester_id") and self._is_actor(each.value)
            for each in ast.walk(node)
        )

    def _is_actor(self, node: ast.expr) -> bool:
        return _last_name(node) == "actor" or ("Actor" in self._within and _last_name(node) == "self")

    def _mentions_actor(self, node: ast.expr) -> bool:
        return any(
            (isinstance(each, ast.Name) and each.id in self._actors)
            or (isinstance(each, ast.Attribute) and each.attr == "actor")
            for each in ast.walk(node)
        )

    def _add(self, kind: str, node: ast.stmt | ast.expr, instead: str, text: str | None = None) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[node.end_lineno - 1] + node.end_col_offset
        self.found.append(
            Mutant(
                path=self._path,
                within=".".join(self._within) or "module",
                kind=kind,
                line=node.lineno,
                start=start,
                end=end,
                text=text or _squeezed(self._source[start:end].decode()),
                instead=instead,
            )
        )


def _is_of_policy(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and _last_name(function.value) == "policy"


def _last_name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


# SQL ------------------------------------------------------------------------------------------------------------

DEFINITION = re.compile(r"^create (?:or replace )?(?:function|view) (\w+)", re.MULTILINE)
SCOPE = re.compile(rf"^-- name: (\w+)|{DEFINITION.pattern}", re.MULTILINE)
COLUMN = r"(?<![\w.])(?:\(?\w+(?:\.\w+)?\)?\.)?"
AUDIENCE = rf"{COLUMN}(?:audience|visibility)"
NOT_ELSE = r"(?<!\bor )"
"""What comes after `or` is no check of its own: the whole is true without either."""
CALL = r"\((?:[^()]|\([^()]*\))*\)"
#: Patterns of checks, and their replacements.
CONDITIONS = [
    ("sees", rf"(?<!function )\b(?:may_see|is_theirs|staffs){CALL}", "true"),
    ("sees", r"(?<=matching_tickets\(false, :viewer_id, :organizations, :staffed, ):everywhere\b", "true"),
    ("sees", r":everywhere\b(?= or )", "true"),
    ("sees", rf"{COLUMN}(?:organization|project) = any\((?:organizations|staffed|public)\)", "true"),
    ("sees", r"(?<![\w.:])(?:\w+\.)?everywhere(?= or )|(?<=and )\w+\.sees_tickets\b", "true"),
    ("staff", rf"{COLUMN}role = '(?:agent|admin)'(?! and )|\w+\.project = staff_of\.project", "true"),
    (
        "visible",
        rf"{NOT_ELSE}(?::visibility::\w+|{COLUMN}(?:audience|visibility)|coalesce\([^()]*\)) = 'public'",
        "true",
    ),
    ("visible", rf"{COLUMN}(?:audience|visibility) = 'internal'", "false"),
    ("visible", r"\bevent_is_internal\(\w+\)|\bdeclared\.internal\b", "false"),
    (
        "own",
        rf"{NOT_ELSE}{COLUMN}(?:user|requester|author|owner)_id\s*=\s*(?::user_id|:viewer_id|:actor_id|viewer)\b",
        "true",
    ),
    ("closed", rf"{COLUMN}status <> 'closed'|\bnot {COLUMN}archived\b", "true"),
    ("holds", rf"{COLUMN}revoked_at is null|{COLUMN}expires_at > now\(\)", "true"),
    (
        "holds",
        rf"(?<=\bwhen ){COLUMN}(?:revoked_at is not null|expires_at <= now\(\))|(?<=\bwhen )not {COLUMN}active\b",
        "false",
    ),
    ("holds", rf"(?<=\band ){COLUMN}active\b(?! =)|{COLUMN}role <> 'requester'", "true"),
]
EVENT = re.compile(r"insert into events(?: as \w+)? \(([^)]*)\)\s*select\s", re.DOTALL)


def in_sql(path: str, text: str) -> Iterator[Mutant]:
    """The checks of a file of queries or of a migration."""
    code = re.sub(r"--[^\n]*", lambda comment: " " * len(comment[0]), text)
    spans = [(kind, match.span(), value) for kind, pattern, value in CONDITIONS for match in re.finditer(pattern, code)]
    made = [(kind, span, _without(code[slice(*span)], value)) for kind, span, value in spans]
    made += [("audience", span, "false") for span in _audiences(code)]
    for kind, (start, end), instead in sorted(made, key=lambda each: each[1]):
        scopes = [match[1] or match[2] for match in SCOPE.finditer(text) if match.start() <= start]
        yield Mutant(
            path=path,
            within=scopes[-1] if scopes else "file",
            kind=kind,
            line=code.count("\n", 0, start) + 1,
            start=len(text[:start].encode()),
            end=len(text[:end].encode()),
            text=_squeezed(code[start:end]),
            instead=instead,
        )


def _without(condition: str, value: str) -> str:
    """A condition with a fixed value that still uses its parameters."""
    return f"({value} {'or' if value == 'true' else 'and'} {condition})"


def _audiences(code: str) -> Iterator[tuple[int, int]]:
    """Where a statement says whether the event that it records is for staff alone."""
    for match in EVENT.finditer(code):
        columns = [column.strip() for column in match[1].split(",")]
        if "internal" in columns:
            yield _item(code, match.end(), columns.index("internal"))


def _item(code: str, start: int, index: int) -> tuple[int, int]:
    """The position of an item in a list that begins at `start`."""
    depth = 0
    for place in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[place], 0)
        if code[place] == "," and depth == 0:
            if index == 0:
                found = code[start:place]
                return start + len(found) - len(found.lstrip()), start + len(found.rstrip())
            start, index = place + 1, index - 1
    raise ValueError("the list ends too early")


def _squeezed(text: str) -> str:
    return " ".join(text.split())


# The tests ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tests said of a mutant: `by` is the test that failed, empty if all passed."""

    mutant: Mutant
    by: str

    @property
    def outcome(self) -> str:
        if self.by:
            return "killed by the matrix" if self.by.startswith(MATRIX) else "killed by its noun's tests"
        return "equivalent" if self.mutant.name in EQUIVALENT else "SURVIVED"


class Bench:
    """A PostgreSQL and a folder on which mutants are tested one after another."""

    def __init__(self, started: ExitStack, original: Path) -> None:
        self._original = original
        self._copy = original.with_name(f"{original.name}-{id(self)}")
        self._url = started.enter_context(embedded.postgres())

    def judge(self, mutant: Mutant) -> Verdict:
        """Run the matrix, then the noun's tests, until one of them fails."""
        if mutant.name in EQUIVALENT:
            return Verdict(mutant, "")
        shutil.rmtree(self._copy, ignore_errors=True)
        # With Python's compiled files: compiling takes as long as the tests.
        shutil.copytree(self._original, self._copy)
        file = self._copy / mutant.path
        file.write_bytes(mutant.applied(file.read_bytes()))
        by = ""
        # The rows of their noun notice most mutants, which saves running the others.
        for tests in ([MATRIX, "-k", " or ".join(nouns_of(mutant.path))], [MATRIX], tests_of(mutant.path)):
            by = by or self.failure(self._copy, tests)
        return Verdict(mutant, by)

    def failure(self, copy: Path, tests: list[str]) -> str:
        """The first test that fails, and how; empty if none does."""
        command = [sys.executable, "-m", "pytest", *QUICKLY, *tests]
        environment = os.environ | {
            "PYTHONPATH": str(copy / "src"),
            "TICKETING_TEST_SERVER": self._url,
            # Plugins, of which the tests need none here, take longer to load than the service.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "COLUMNS": "200",
        }
        try:
            run = subprocess.run(
                command,
                cwd=copy,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{tests[0]}: no end after {TIMEOUT_SECONDS} s"
        finally:
            self._clear()
        if run.returncode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return ""
        failed = re.search(r"^(?:FAILED|ERROR) (.*)$", run.stdout, re.MULTILINE)
        if run.returncode != pytest.ExitCode.TESTS_FAILED or failed is None:
            raise RuntimeError(f"pytest could not run at all:\n{run.stdout[-3000:]}")
        return failed[1]

    def _clear(self) -> None:
        """Drop the databases that a run left behind."""
        with psycopg.connect(self._url, autocommit=True) as conn:
            left = conn.execute(
                "select datname from pg_database"
                " where not datistemplate and datname not in ('postgres', current_database())"
            ).fetchall()
            for (name,) in left:
                _drop(conn, sql.Identifier(name))


def _drop(conn: psycopg.Connection[Any], name: sql.Identifier) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            conn.execute(sql.SQL("drop database {} with (force)").format(name))
            return
        except psycopg.errors.InsufficientPrivilege:
            # An autovacuum is in it, which we may not end.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _copied(folder: Path) -> Path:
    """A copy of what the tests need."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("node_modules"))
        else:
            shutil.copy2(ROOT / name, folder / name)
    return folder


def nouns_of(path: str) -> list[str]:
    """The nouns that a file is about, in the singular, as in names of operations and test files."""
    *folders, file = Path(path).parts
    nouns = [*(folder for folder in folders[2:] if folder != "api"), Path(file).stem, *ALSO.get(path, ())]
    return [re.sub("(?:ie)?s$", "", noun) for noun in nouns]


def tests_of(path: str) -> list[str]:
    """The tests of a file's nouns; of all nouns, if it is about all of them."""
    every = [noun for each in sorted(ROOT.glob("sql/queries/*.sql")) for noun in nouns_of(f"sql/queries/{each.name}")]
    return _tests_named(nouns_of(path)) or _tests_named(every)


def _tests_named(nouns: list[str]) -> list[str]:
    tests = ROOT / "tests"
    patterns = [pattern for noun in nouns for pattern in (noun, f"{noun}s", f"test_{noun}*.py")]
    found = {each for pattern in patterns for each in tests.rglob(pattern)} - {ROOT / MATRIX}
    # The shortest first: usually the quickest.
    return [str(each.relative_to(ROOT)) for each in sorted(found, key=lambda each: (each.stat().st_size, each))]


def main(arguments: list[str] | None = None) -> int:
    """Judge every mutant; 1 if one survives that should not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only mutants whose name matches this regular expression")
    parser.add_argument("--list", action="store_true", help="list the mutants, and end")
    chosen = parser.parse_args(arguments)
    found = [mutant for mutant in mutants(ROOT) if re.search(chosen.only, mutant.name)]
    if chosen.list:
        for mutant in found:
            print(f"{mutant.kind:<10} {mutant.name}")
        return 0
    return report(list(verdicts(found)))


def verdicts(found: list[Mutant]) -> Iterator[Verdict]:
    """Judge several at once, each on its own bench, and print the progress."""
    os.nice(NICENESS)
    benches: SimpleQueue[Bench] = SimpleQueue()
    with ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="mutants-")))
        original = _copied(folder / "original")
        for _ in range(AT_ONCE):
            benches.put(Bench(started, original))
        threads = started.enter_context(ThreadPoolExecutor(AT_ONCE))
        # After a failure, nothing new begins.
        started.callback(threads.shutdown, cancel_futures=True)

        def use(work: Callable[[Bench], T]) -> Future[T]:
            def on_a_bench() -> T:
                bench = benches.get()
                try:
                    return work(bench)
                finally:
                    benches.put(bench)

            return threads.submit(on_a_bench)

        if failure := use(lambda bench: bench.failure(original, [MATRIX])).result():
            raise SystemExit(f"Without any mutant, this fails: {failure}")
        began = time.monotonic()
        tasks = [use(partial(Bench.judge, mutant=mutant)) for mutant in found]
        for number, task in enumerate(as_completed(tasks), 1):
            verdict = task.result()
            left = (time.monotonic() - began) / number * (len(found) - number)
            print(f"[{number}/{len(found)}, {left / 60:.0f} min left] {verdict.outcome}: {verdict.mutant.name}")
            print(f"    {verdict.by or EQUIVALENT.get(verdict.mutant.name, 'no test failed')}", flush=True)
            yield verdict


def report(judged: list[Verdict]) -> int:
    """Print how many mutants of each kind were noticed by which tests, and which were not."""
    outcomes = ["killed by the matrix", "killed by its noun's tests", "equivalent", "SURVIVED"]
    kinds = sorted({verdict.mutant.kind for verdict in judged})
    print(f"\n{'kind':<12}" + "".join(f"{outcome:>28}" for outcome in outcomes))
    for kind in [*kinds, "all"]:
        counted = Counter(each.outcome for each in judged if kind in (each.mutant.kind, "all"))
        print(f"{kind:<12}" + "".join(f"{counted[outcome]:>28}" for outcome in outcomes))
    survivors = [verdict.mutant for verdict in judged if verdict.outcome == "SURVIVED"]
    for mutant in survivors:
        print(f"SURVIVED {mutant.path}:{mutant.line} {mutant.name}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
