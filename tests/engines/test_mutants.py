"""The finder of `make mutants`: what it takes for a check, and that it still finds every kind of them here."""

from __future__ import annotations

from textwrap import dedent

import pytest

import mutants


@pytest.mark.parametrize(
    ("source", "kind", "text", "instead"),
    [
        ("policy.require_admin(actor)", "rule", "policy.require_admin(actor)", "pass"),
        ("self._authorize(exchange.actor, scopes)", "rule", "self._authorize(exchange.actor, scopes)", "pass"),
        ("await projects.get(conn, actor, key)", "rule", "await projects.get(conn, actor, key)", "pass"),
        ("return staff or policy.may_edit(actor, comment)", "predicate", "policy.may_edit(actor, comment)", "True"),
        ("return not names.isdisjoint(readers)", "predicate", "names.isdisjoint(readers)", "False"),
        ("return await sql.get(conn, staff=actor.staffs_any)", "privilege", "actor.staffs_any", "True"),
        ("return actor.staffs(project)", "privilege", "actor.staffs(project)", "True"),
        ("return self.actor.role == 'agent'", "privilege", "self.actor.role", '"admin"'),
        ("return user if user_id == actor.id else None", "own", "user_id == actor.id", "True"),
        ("if gone:\n    raise Forbidden('No.')", "refusal", "gone", "False"),
        ("ours = actor.end\nif ours:\n    raise Invalid('No.')", "refusal", "ours", "False"),
        ("if actor.end:\n    until = actor.end", "refusal", "actor.end", "False"),
    ],
)
def test_checks_in_python(source: str, kind: str, text: str, instead: str) -> None:
    module = "async def rule(conn, actor):\n" + "".join(f"    {line}\n" for line in source.splitlines())
    (mutant,) = mutants.in_python("rules.py", module)
    assert (mutant.kind, mutant.within, mutant.text, mutant.instead) == (kind, "rule", text, instead)
    assert mutant.applied(module.encode()).decode() == module[: mutant.start] + instead + module[mutant.end :]


def test_signing_in_and_what_a_rule_lists() -> None:
    module = dedent(
        """
        async def authenticate(token):
            if remembered and remembered[0] > now:
                return remembered[1]
            if row is None:
                return None

        async def create(actor, priority):
            given = {"priority": priority}
            policy.require_staff_for(actor, given)
        """
    )
    assert [(mutant.kind, mutant.text, mutant.instead) for mutant in mutants.in_python("rules.py", module)] == [
        ("sign-in", "remembered[0] > now", "True"),
        ("sign-in", "row is None", "False"),
        ("rule", "given['priority']", "None"),
        ("rule", "policy.require_staff_for(actor, given)", "pass"),
    ]


@pytest.mark.parametrize(
    ("statement", "kind", "text"),
    [
        ("select from tickets t where may_see(t, :id, array(table k))", "sees", "may_see(t, :id, array(table k))"),
        ("select from tickets t where staffs(t.project, :staffed)", "sees", "staffs(t.project, :staffed)"),
        ("select where project = any(staffed)", "sees", "project = any(staffed)"),
        ("select from members m where m.id = :id and m.sees_tickets", "sees", "m.sees_tickets"),
        ("select from users u where u.role = 'admin'", "staff", "u.role = 'admin'"),
        ("select from comments c where c.visibility = 'public'", "visible", "c.visibility = 'public'"),
        ("select case when event_is_internal(e) then 1 end", "visible", "event_is_internal(e)"),
        ("select from tokens t where t.user_id = :user_id", "own", "t.user_id = :user_id"),
        ("select from tickets where status <> 'closed'", "closed", "status <> 'closed'"),
        ("select from projects p where key = :key and not p.archived", "closed", "not p.archived"),
        ("select from tokens where revoked_at is null", "holds", "revoked_at is null"),
        ("select from tokens t where t.expires_at is null or t.expires_at > now()", "holds", "t.expires_at > now()"),
        ("select from users u where id = :id and u.active", "holds", "u.active"),
        (
            "insert into events (id, type, internal, data) select :id, f(1, 2), hidden, data from resource",
            "audience",
            "hidden",
        ),
    ],
)
def test_checks_in_sql(statement: str, kind: str, text: str) -> None:
    query = f"-- name: query(staffed)^\n-- Only staffs(:staffed) may, and visibility = 'public'.\n{statement};\n"
    (mutant,) = mutants.in_sql("sql/nouns.sql", query)
    assert (mutant.kind, mutant.within, mutant.text) == (kind, "query", text)
    assert mutant.instead in mutant.applied(query.encode()).decode()


@pytest.mark.slow
def test_every_kind_is_found_here_and_every_equivalent() -> None:
    found = mutants.mutants(mutants.ROOT)
    names = [mutant.name for mutant in found]
    assert {mutant.kind for mutant in found} >= {
        *("rule", "refusal", "predicate", "privilege", "own", "sign-in"),
        *("sees", "staff", "visible", "closed", "holds", "audience", "rights"),
    }
    assert len(set(names)) == len(names)
    assert mutants.EQUIVALENT.keys() <= set(names)


@pytest.mark.slow
def test_each_file_has_tests() -> None:
    for mutant in mutants.mutants(mutants.ROOT):
        assert mutants.tests_of(mutant.path)
