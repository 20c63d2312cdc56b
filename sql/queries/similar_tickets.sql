-- Similar tickets: those that share the rare words of a draft. They are found by what is public of them.

-- name: list_words_of_draft(project, title, description)
-- returns: DraftWord
-- The words of a draft, each as it was written and as it is searched; in how many tickets' documents it is, whether it is
-- in the title, and the number of the newest ticket. They are read in the project's language, or in that of most
-- projects; of a long description, its beginning. Each word is looked up by itself: while `words` has no statistics, a join
-- reads all of them for each.
-- nullable: project
with form as (
    select search_configuration(coalesce(
               (select p.language from projects p where p.key = :project::text),
               (select p.language from projects p group by p.language order by count(*) desc, p.language limit 1))) as form
), written as (
    select w.word, bool_or(w.titled) as titled
      from (select unnest(string_to_array(translate(search_plain(:title), E'\n\t\r', '   '), ' ')) as word, true as titled
            union all
            select unnest(string_to_array(translate(search_plain(left(:description, 4000)), E'\n\t\r', '   '), ' ')), false) w
     where w.word <> '' and length(w.word) <= 64
     group by w.word
), stems as (
    select s.stem, min(w.word) as word, bool_or(w.titled) as titled
      from written w cross join form cross join lateral unnest(tsvector_to_array(to_tsvector(form.form, w.word))) as s (stem)
     group by s.stem
)
select s.word, s.stem, s.titled,
       coalesce((select greatest(c.documents, 0) from words c where c.word = s.stem), 0) as documents,
       (select max(d.number) from ticket_documents d) as newest
  from stems s
 order by s.stem;

-- name: list_similar_tickets(condition, stems, weights, viewer_id, organizations, staffed, everywhere, project, type, page_size)
-- returns: SimilarTicketRow
-- The tickets that the viewer may see whose public words fulfil a condition, by the weight of these words that they have,
-- newest first among equals; a word that is only in comments counts less. The newest 2,000 are looked at, and 300 of
-- these compared.
-- nullable: viewer_id, organizations, staffed, project, type
with hits as materialized (
    select d.number, d.text from ticket_documents d where d.text @@ :condition::text::tsquery
), newest as materialized (
    select h.number, h.text from hits h order by h.number desc limit 2000
), seen as materialized (
    select h.number, h.text
      from newest h join tickets t on t.number = h.number
     where may_see(t, :viewer_id, :organizations, :staffed, :everywhere, array(table public_projects))
       and (:project::text is null or t.project = :project::text)
       and (:type::ticket_type is null or t.type = :type::ticket_type)
     limit 300
), compared as (
    select s.number, sum(g.weight * case when 'A' = any(w.weights) or 'B' = any(w.weights) then 1 else 0.7 end) as score,
           array_agg(w.lexeme order by g.weight desc, w.lexeme) as stems
      from seen s
     cross join lateral unnest(s.text) as w (lexeme, positions, weights)
      join unnest(:stems::text[], :weights::float8[]) as g (stem, weight) on g.stem = w.lexeme
     group by s.number
     order by 2 desc, 1 desc
     limit :page_size
)
select t.number, t.title, t.type, t.project, t.status, t.resolution, utc(t.created_at) as created_at, c.score::float8 as score,
       c.stems
  from compared c join tickets t on t.number = c.number
 order by c.score desc, t.number desc;
