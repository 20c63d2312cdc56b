"""Documents: the words by which tickets are found, what changes them, and that nothing internal is in them."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uuid_utils.compat as uuids
from psycopg import sql as composing
from test_comments import comment, edit
from test_import_again import ran
from test_import_github import comment as issue_comment
from test_import_github import imported, issue, written
from test_tickets import New, patch

from conftest import Person, Secluded, await_, configured, logged
from ticketing.contract import yaml12
from ticketing.db import pool, sql
from ticketing.ground import paths
from ticketing.ground.config import settings
from ticketing.search import documents
from working import SETTLED, index

Db = psycopg.Connection[dict[str, Any]]
FINDS = "select exists (select from {} where number = %s and text @@ phraseto_tsquery({}, search_plain(%s))) as found"


def finds(db: Db, number: int, words: str, *, table: str = "ticket_documents", form: str = "ts_en") -> bool:
    """Whether a ticket is found by these words, one after the other, as they are stemmed."""
    statement = composing.SQL(FINDS).format(composing.Identifier(table), composing.Literal(form))
    row = db.execute(statement, (number, words)).fetchone()
    assert row
    return bool(row["found"])


def counted(db: Db, word: str) -> int:
    """In how many documents a word is said to be."""
    row = db.execute("select documents from words where word = %s", (word,)).fetchone()
    return row["documents"] if row else 0


def assert_current(db: Db, numbers: list[int]) -> None:
    """The documents of these tickets are what a rebuild would write, and words are counted as often as they stand."""
    wrong = db.execute(
        """
        select g.number
          from unnest(%s::bigint[]) as g (number)
          left join lateral documents_of(g.number) o on true
          left join ticket_documents d on d.number = g.number
          left join staff_documents s on s.number = g.number
         where (d.created_at, d.slice, d.internal, d.text, s.text) is distinct from
               (o.created_at, o.slice, o.internal, o.text, o.staff_text)
        """,
        (numbers,),
    ).fetchall()
    assert wrong == []
    assert (
        db.execute(
            """
            select word, w.documents, c.documents as counted
              from words w
              full join (select word, count(*) as documents
                           from ticket_documents cross join lateral unnest(tsvector_to_array(text)) as u (word)
                          where length(word) <= 64 group by word) c using (word)
             where w.documents is distinct from c.documents
            """
        ).fetchall()
        == []
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The server crashes at 10:00.", "server crash"),
        ("The server crashes at 10:00.", "CRASHED"),
        ("ERR_CONN_42 at start", "ERR_CONN_42"),
        ("ERR_CONN_42 at start", "conn"),
        ("libfoo.so.1 is missing", "libfoo.so.1"),
        ("libfoo.so.1 is missing", "libfoo"),
        ("see src/core/lexer.py", "src/core/lexer.py"),
        ("see src/core/lexer.py", "lexer.py"),
        ("<code>List<Track></code>", "List<Track>"),
        ("ticket ABC-4711, again", "4711"),
        ("at com.example.Player.seek(Player.java:42)", "Player.java:42"),
        ("https://example.org/a/b?token=c#part", "example.org"),
        ("https://example.org/a/b?token=c#part", "https://example.org/a/b?token=c#part"),
        ("Ärger mit dem Café", "arger"),
        ("Arger mit dem Cafe", "café"),
        ("СЕРВЕР УПАЛ", "сервер упал"),
        ("数据库连接失败", "数据库"),
        ("数据库连接失败", "连接失败"),
        ("テスト環境でエラー", "環境"),
        ("เซิร์ฟเวอร์ล่ม", "ล่ม"),
        ("서버가 죽었다", "서버"),
        ("用Python写的", "python"),
        ("“Crash” 🔥boom🔥…", "crash boom"),
        ("ＦＵＬＬ ｗｉｄｔｈ", "full width"),
        ("**bold** and `code`", "bold and code"),
    ],
)
def test_words_are_found(text: str, words: str, requester: Person, new_ticket: New, db: Db) -> None:
    of_title, of_text = new_ticket(title=text), new_ticket(description=text)
    said = new_ticket()
    comment(requester, said["number"], text)
    index()
    assert [finds(db, each["number"], words) for each in (of_title, of_text, said)] == [True] * 3


def test_words_are_stemmed_by_the_language_of_their_project(
    admin: Person, project: str, new_ticket: New, db: Db
) -> None:
    number = new_ticket(description="Alle Häuser und Gärten")["number"]
    index()
    assert not finds(db, number, "Haus", form="ts_de")
    assert admin.patch(f"/projects/{project}", json={"language": "de"}).status_code == 200
    index()
    assert finds(db, number, "Haus", form="ts_de")
    assert finds(db, number, "häuser", form="ts_other")
    assert_current(db, [number])


def test_every_language_of_the_contract_has_its_words(db: Db) -> None:
    schema: Any = yaml12.read(paths.SPEC / "schemas" / "ProjectLanguage.yaml")
    languages = schema["enum"]
    rows = db.execute("select c, search_configuration(c)::text as read_as from unnest(%s::text[]) c", (languages,))
    assert {row["c"]: row["read_as"] for row in rows.fetchall()} == {code: f"ts_{code}" for code in languages}


def test_parts_of_names_and_single_letters_are_found_as_they_are_written(new_ticket: New, db: Db) -> None:
    ticket = new_ticket(title="getUserName 数据库")
    index()
    for part in ("user", "name", "getusername", "据"):
        assert finds(db, ticket["number"], part, form="ts_other")
    assert not finds(db, ticket["number"], "库数")


@pytest.mark.parametrize(
    "text", ["", " ", "?!", "\u200b", "🔥", "x", "é" * 3000, "数" * 3000, "x" * 3000, "a b " * 9000]
)
def test_odd_texts_do_no_harm(text: str, new_ticket: New, db: Db) -> None:
    ticket = new_ticket(description=f"zebra {text} gnu")
    index()
    assert finds(db, ticket["number"], "zebra")
    assert finds(db, ticket["number"], "gnu")


def test_a_document_follows_every_change_of_a_text(requester: Person, agent: Person, new_ticket: New, db: Db) -> None:
    ticket = new_ticket(title="Aardvark")
    number = ticket["number"]
    path = comment(requester, number, "walrus").headers["location"].removeprefix("/api/v1")
    index()
    assert finds(db, number, "aardvark walrus") is False
    assert finds(db, number, "aardvark")
    assert finds(db, number, "walrus")
    patch(requester, number, title="Beaver")
    edit(requester, path, "seal")
    index()
    assert [finds(db, number, word) for word in ("aardvark", "walrus", "beaver", "seal")] == [False, False, True, True]
    assert_current(db, [number])


def test_a_word_that_is_only_in_an_internal_comment_is_in_nothing_that_others_read(
    requester: Person, agent: Person, new_ticket: New, db: Db
) -> None:
    number = new_ticket()["number"]
    comment(agent, number, "xylotomous", visibility="internal")
    comment(agent, number, "quillback")
    index()
    assert finds(db, number, "xylotomous", table="staff_documents")
    assert finds(db, number, "quillback", table="staff_documents")
    assert finds(db, number, "quillback")
    assert not finds(db, number, "xylotomous")
    assert not finds(db, number, "xylotomous", form="ts_other")
    assert (counted(db, "xylotom"), counted(db, "xylotomous"), counted(db, "quillback")) == (0, 0, 1)
    row = db.execute("select internal from ticket_documents where number = %s", (number,)).fetchone()
    assert row == {"internal": True}


def test_the_words_of_a_deleted_comment_are_gone_at_once(
    requester: Person, agent: Person, new_ticket: New, db: Db
) -> None:
    number = new_ticket(title="Okapi")["number"]
    paths = [comment(by, number, word, **more).headers["location"].removeprefix("/api/v1") for by, word, more in (
        (requester, "ibexes", {}),
        (agent, "kudus", {"visibility": "internal"}),
    )]  # fmt: skip
    index()
    assert finds(db, number, "ibexes")
    assert finds(db, number, "kudus", table="staff_documents")
    assert counted(db, "ibexes") == 1
    for by, path in zip((requester, agent), paths, strict=True):
        assert by.request("DELETE", path).status_code == 204
    for table in ("ticket_documents", "staff_documents"):
        assert not finds(db, number, "ibexes", table=table)
        assert not finds(db, number, "kudus", table=table)
    assert counted(db, "ibexes") == 0
    index()
    assert finds(db, number, "okapi")
    assert_current(db, [number])


def test_who_has_read_a_comment_before_its_deletion_writes_none_of_it(
    requester: Person, new_ticket: New, db: Db, database_url: str
) -> None:
    number = new_ticket(title="Tapir")["number"]
    made = comment(requester, number, "quokka").json()

    async def write() -> None:
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
            await sql.documents.write_documents(conn, tickets=[number])

    for begun in (False, True):  # Whether there was a document before.
        with psycopg.connect(database_url) as deleting:
            deleting.execute("update comments set body = null, deleted_at = now() where id = %s", (made["id"],))
            deleting.execute("select erase_documents(%s)", ([number],))
            writing = threading.Thread(target=lambda: asyncio.run(write()))
            writing.start()
            await_(lambda: bool(db.execute("select from pg_locks where not granted").fetchall()))
        writing.join()
        assert not finds(db, number, "quokka")
        assert not finds(db, number, "tapir")
        asyncio.run(write())
        assert finds(db, number, "tapir")
        assert_current(db, [number])
        if not begun:
            db.execute("update comments set body = 'quokka', deleted_at = null where id = %s", (made["id"],))
            asyncio.run(write())
            assert finds(db, number, "quokka")


def test_who_takes_tickets_away_waits_for_the_worker_whichever_have_a_document(apart: Db) -> None:
    """As when an import is reverted while its tickets are read: both lock documents in the order of their numbers."""
    second = add(apart, "ibis", number=2)
    index()
    first = add(apart, "heron", number=1)
    both = [first, second]
    lost: list[psycopg.Error] = []

    async def run(statement: Callable[..., Awaitable[Any]], given: dict[str, Any]) -> None:
        async with await psycopg.AsyncConnection.connect(settings().database_url, autocommit=True) as conn:
            try:
                await statement(conn, tickets=both, **given)
            except psycopg.Error as error:
                lost.append(error)

    statements: list[tuple[Callable[..., Awaitable[Any]], dict[str, Any]]] = [
        (sql.imports.delete_tickets, {"event_ids": [uuids.uuid7() for _ in both]}),
        (sql.documents.write_documents, {}),
    ]
    threads = []
    with psycopg.connect(settings().database_url) as holding:
        holding.execute("select from ticket_documents where number = %s for update", (second,))
        for statement, given in statements:
            threads.append(
                thread := threading.Thread(target=lambda *each: asyncio.run(run(*each)), args=(statement, given))
            )
            thread.start()
            await_(lambda: len(apart.execute("select from pg_locks where not granted").fetchall()) >= len(threads))
    for thread in threads:
        thread.join()
    assert lost == []
    index()
    assert_current(apart, both)


def test_who_takes_text_away_does_not_wait_for_tickets_that_are_read_one_by_one(apart: Db) -> None:
    """A worker that has counted the words of one ticket locks no document of another."""
    numbers = [add(apart, "heron"), add(apart, "ibis"), add(apart, "heron stork")]
    index()
    for number in numbers:
        apart.execute("update tickets set title = 'egret' where number = %s", (number,))
        tell(apart, number, "ticket.updated", previous='{"title": "it"}')
    apart.execute(
        "create function fail() returns trigger language plpgsql as"
        " $$begin if new.number = 2 then raise exception 'It fails.'; end if; return new; end$$;"
        "create trigger failing before insert on ticket_documents for each row execute function fail()"
    )
    with psycopg.connect(settings().database_url) as holding:
        holding.execute("select from ticket_documents where number = %s for update", (numbers[2],))
        following = threading.Thread(target=follow)
        following.start()
        await_(lambda: bool(apart.execute("select from pg_locks where not granted").fetchall()))
        holding.execute("select from words where word = 'heron' for update nowait")
    following.join()
    index()
    assert_current(apart, [numbers[0], numbers[2]])


def test_to_read_an_event_again_changes_nothing(requester: Person, new_ticket: New, db: Db) -> None:
    number = new_ticket()["number"]
    comment(requester, number)
    index()
    state = "select xmin::text, ctid::text from ticket_documents where number = %s"
    before = db.execute(state, (number,)).fetchone()
    db.execute("update search_progress set transaction_id = '0', position = 0")
    index()
    assert db.execute(state, (number,)).fetchone() == before
    assert_current(db, [number])


@pytest.mark.slow
def test_whatever_happens_in_which_order_documents_are_what_a_rebuild_writes(
    secluded: Secluded, tmp_path: Path
) -> None:
    """Whatever writes text, with two workers at once that stop and go on: changes, imports, what is taken back."""
    chance = random.Random(12)  # noqa: S311 (nothing secret)
    words = ["alpha", "Bêta", "gamma_delta", "数据库", "runs", "running", "λ", "42", "x.y", "epsilonZeta", "#1", "#2"]
    db = secluded.db
    requester, agent, admin = (secluded.sign_in(role) for role in ("requester", "agent", "admin"))
    of_all = {"key": "here", "name": "Here", "visibility": "public"}
    assert admin.post("/projects", json=of_all).status_code == 201
    issues: dict[int, dict[str, Any]] = {}
    runs: list[int] = []

    def text() -> str:
        return " ".join(chance.choices(words, k=chance.randint(1, 9)))

    def ticket() -> int:
        numbers = [row["number"] for row in db.execute("select number from tickets order by number").fetchall()]
        return int(chance.choice(numbers))

    def said() -> list[tuple[Person, str]]:
        rows = db.execute("select id, ticket, author_id from comments where deleted_at is null order by created_at, id")
        authors = {requester.id: requester, agent.id: agent}
        return [
            (authors[row["author_id"]], f"/tickets/{row['ticket']}/comments/{row['id']}")
            for row in rows.fetchall()
            if row["author_id"] in authors
        ]

    def take_over() -> None:
        for number in chance.sample(range(1, 8), 3):
            edited = issues.setdefault(number, issue(number))
            edited |= {"title": text(), "body": text(), "updatedAt": f"2024-05-01T09:00:{len(runs):02}Z"}
            for name in chance.sample("abcd", 2):
                others = [each for each in edited["comments"] if each["id"] != f"{number}{name}"]
                edited["comments"] = [*others, issue_comment(f"{number}{name}", text())]
        file = written(tmp_path, [*issues.values()])
        report = imported(settings().database_url, file, "here", "--repository", "lumen/apps", "--update")
        if report["run"]:
            runs.append(report["run"])

    def take_back() -> None:
        run = runs.pop(chance.randrange(len(runs)))
        if json.loads(ran(settings().database_url, "revert", str(run), "--json"))["kept"]:
            runs.append(run)

    def change(step: int) -> None:
        match step:
            case 0:
                body = {"type": "bug", "project": "here", "title": text(), "description": text()}
                assert requester.post("/tickets", json=body).status_code == 201
            case 1:
                changed = patch(agent, ticket(), **{chance.choice(["title", "description"]): text()})
                assert changed.status_code == 200, changed.text
            case 2 | 3 | 4:
                by, number = chance.choice([requester, agent]), ticket()
                given = {"visibility": "internal"} if by is agent and chance.random() < 0.5 else {}
                # Of imported tickets, this requester sees none.
                assert comment(by, number, text(), **given).status_code == 201 or by is requester
            case 5 if of := said():
                by, path = chance.choice(of)
                assert edit(by, path, text()).status_code == 200
            case 6 if of := said():
                by, path = chance.choice(of)
                assert by.request("DELETE", path).status_code == 204
            case 7 | 8:
                language = chance.choice(["en", "de", "other"])
                assert admin.patch("/projects/here", json={"language": language}).status_code == 200
            case 9 | 10:
                take_over()
            case 11 | 12 if runs:
                take_back()
            case 13:
                db.execute("insert into search_rebuilds (last) select max(number) from tickets")
            case 14:
                expire()

    change(0)
    with following(2) as going:
        for _ in range(250):
            (going.set if chance.random() < 0.5 else going.clear)()
            change(chance.randrange(16))
        going.set()
    index()
    every = " union ".join(
        f"select number from {table}" for table in ("tickets", "ticket_documents", "staff_documents")
    )
    assert_current(db, [row["number"] for row in db.execute(every.encode()).fetchall()])
    assert db.execute("select from staff_documents").fetchall() != []
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    assert db.execute(deadlocks).fetchone() == {"deadlocks": 0}
    columns = "number, created_at, slice, text"
    everything = f"select {columns} from ticket_documents union all select {columns} from staff_documents order by 1, 4"
    before = db.execute(everything.encode()).fetchall()
    db.execute("truncate ticket_documents, staff_documents, words")
    db.execute("insert into search_rebuilds (last) select max(number) from tickets")
    index()
    assert db.execute(everything.encode()).fetchall() == before


@contextmanager
def following(workers: int) -> Iterator[threading.Event]:
    """So many workers that write documents whenever the event is set, until the block ends."""
    going, ended = threading.Event(), threading.Event()

    async def work() -> None:
        async with pool.connected(settings().database_url, 2):
            while not ended.is_set():
                if not (going.is_set() and await documents.follow()):
                    await asyncio.sleep(0.005)

    with ThreadPoolExecutor(workers) as threads:
        working = [threads.submit(asyncio.run, work()) for _ in range(workers)]
        try:
            yield going
        finally:
            ended.set()
        for each in working:
            each.result()


def expire() -> None:
    """Take all that is settled out of the log, whoever has yet to read it."""

    async def within() -> None:
        async with await psycopg.AsyncConnection.connect(settings().database_url, autocommit=True) as conn:
            await sql.events.expire_events(conn, recorded_before="infinity", batch=1000)

    asyncio.run(within())


@pytest.fixture
def apart(new_database: Callable[..., str]) -> Iterator[Db]:
    """A database in which nothing happens by itself."""
    url = new_database()
    with (
        configured(database_url=url),
        psycopg.connect(url, autocommit=True, row_factory=psycopg.rows.dict_row) as conn,
    ):
        conn.execute(
            "insert into users (id, name, email, role) values (%s, 'Ada', 'ada@a.example', 'requester')", (ADA,)
        )
        conn.execute("insert into projects (key, name, ticket_types) values ('here', 'Here', '{bug}')")
        yield conn


ADA = uuids.uuid7()


def add(conn: Db, title: str, *, number: int | None = None, event: bool = True) -> int:
    """Open a ticket, with or without an event."""
    row = conn.execute(
        "insert into tickets (number, type, project, title, description, severity, channel, requester_id)"
        " values (coalesce(%s, nextval(pg_get_serial_sequence('tickets', 'number'))),"
        " 'bug', 'here', %s, '', 'low', 'api', %s) returning number",
        (number, title, ADA),
    ).fetchone()
    assert row
    if event:
        tell(conn, row["number"], "ticket.created")
    return int(row["number"])


def tell(conn: Db, number: int, type_: str, *, previous: str = "{}") -> None:
    """Record an event of a ticket."""
    conn.execute(
        "insert into events (id, type, ticket, project, data, previous) values (%s, %s, %s, 'here', '{}', %s)",
        (uuids.uuid7(), type_, number, previous),
    )


def follow(times: int = 1) -> list[bool | BaseException]:
    """Have so many workers look at the log at once."""

    async def within() -> list[bool | BaseException]:
        async with pool.connected(settings().database_url, 8), asyncio.timeout(60):
            async with pool.connection() as conn:
                while not await (await conn.execute(SETTLED)).fetchone():
                    await asyncio.sleep(0.02)
            return await asyncio.gather(*(documents.follow() for _ in range(times)), return_exceptions=True)

    return asyncio.run(within())


def places(conn: Db) -> Any:
    return conn.execute("select transaction_id, position from search_progress").fetchone()


def test_workers_share_the_log(apart: Db) -> None:
    numbers = [add(apart, f"word{each}") for each in range(450)]
    while any(follow(4)):
        pass
    assert_current(apart, numbers)


def test_a_worker_that_is_killed_leaves_its_place(apart: Db) -> None:
    number = add(apart, "heron")
    before = places(apart)
    with psycopg.connect(settings().database_url) as holding:
        holding.execute("lock table words in exclusive mode")
        following = threading.Thread(target=follow)
        following.start()
        waiting = "select l.pid from pg_locks l where not l.granted and l.relation = 'words'::regclass"
        await_(lambda: bool(apart.execute(waiting).fetchall()))
        apart.execute(f"select pg_terminate_backend(pid) from ({waiting}) w")
        following.join()
    assert places(apart) == before
    assert not finds(apart, number, "heron")
    index()
    assert finds(apart, number, "heron")
    assert places(apart) != before


def test_a_ticket_that_cannot_be_read_holds_up_no_others(apart: Db) -> None:
    numbers = [add(apart, word) for word in ("lynx", "puma", "serval")]
    apart.execute(
        "create function fail() returns trigger language plpgsql as"
        " $$begin if new.number = 2 then raise exception 'It fails.'; end if; return new; end$$;"
        "create trigger failing before insert on ticket_documents for each row execute function fail()"
    )
    with logged(documents) as lines:
        index()
    assert {line["ticket"] for line in lines if "ticket" in line} == {numbers[1]}
    assert [finds(apart, *each) for each in zip(numbers, ("lynx", "puma", "serval"), strict=True)] == [
        True,
        False,
        True,
    ]


def test_a_ticket_that_takes_longer_than_statements_may_has_a_document(
    apart: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pool.LIMITS, "statement_timeout", "2s")
    numbers = [add(apart, word) for word in ("lynx", "puma")]
    apart.execute(
        "create function rest() returns trigger language plpgsql as"
        " $$begin if new.number = 2 then perform pg_sleep(3); end if; return new; end$$;"
        "create trigger resting before insert on ticket_documents for each row execute function rest()"
    )
    index()
    assert [finds(apart, *each) for each in zip(numbers, ("lynx", "puma"), strict=True)] == [True, True]


def test_very_long_conversations_have_a_document(apart: Db) -> None:
    number = add(apart, "Endless")
    apart.execute(
        "insert into comments (id, ticket, author_id, body, created_at)"
        " select gen_random_uuid(), %s, %s, (select string_agg(md5(random()::text || i || j), ' ')"
        " from generate_series(1, 1500) j) || ' word' || i, now() - make_interval(secs => i)"
        "  from generate_series(1, 40) i",
        (number, ADA),
    )
    index()
    assert finds(apart, number, "endless")
    assert finds(apart, number, "word1")
    assert_current(apart, [number])


def test_the_first_worker_reads_tickets_from_before_there_were_documents(apart: Db) -> None:
    numbers = [add(apart, f"old{each}", event=False) for each in range(250)]
    index()
    assert_current(apart, numbers)
    row = apart.execute("select written, finished_at is not null as finished from search_rebuilds").fetchone()
    assert row == {"written": 250, "finished": True}


def test_what_the_log_has_lost_before_it_was_read_is_read_again(apart: Db) -> None:
    """As where no worker ran for longer than events are kept."""
    numbers = [add(apart, "heron")]
    index()
    numbers.append(add(apart, "egret"))
    expire()
    assert apart.execute("select from events").fetchall() == []
    index()
    assert finds(apart, numbers[1], "egret")
    assert_current(apart, numbers)
    assert follow() == [False]
    numbers.append(add(apart, "stork"))
    index()
    assert finds(apart, numbers[2], "stork")
    assert len(apart.execute("select from search_rebuilds").fetchall()) == 2


def test_a_rebuild_mends_what_is_wrong(apart: Db) -> None:
    numbers = [add(apart, f"bird{each}") for each in range(150)]
    index()
    apart.execute("update ticket_documents set text = '' where number <= 100")
    apart.execute("delete from ticket_documents where number = 120")
    apart.execute("insert into ticket_documents values (149000, now(), 1, false, '''stray''')")
    apart.execute("update words w set documents = 0")
    apart.execute("insert into search_rebuilds (last) values (200000)")
    index()
    wrong = "select from ticket_documents d left join lateral documents_of(d.number) o on true"
    assert apart.execute(f"{wrong} where d.text is distinct from o.text").fetchall() == []
    assert len(apart.execute("select from ticket_documents").fetchall()) == len(numbers)
