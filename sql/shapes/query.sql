-- What a query looks for in documents. Its texts are read by the same functions as those of tickets (documents.sql).

-- What finds a word in any of its forms, or, of an identifier such as `src/a.py`, its words one after the other.
-- As the languages of projects have it, and a single word also as it is written. Nothing matches what has no words.
create or replace function asked_word(text text) returns tsquery language sql stable
return coalesce(
    (select string_agg(distinct format('(%s)', f.form), ' | ')::tsquery
       from (select asked_row(l.language, asked_word.text) as form from (select distinct p.language from projects p) l
             union all
             select plainto_tsquery('ts_other', search_plain(asked_word.text))
              where numnode(plainto_tsquery('ts_other', search_plain(asked_word.text))) = 1) f
      where numnode(f.form) > 0),
    asked_nothing());

-- What finds these words as they are written, one after the other.
create or replace function asked_phrase(text text) returns tsquery language sql stable
return coalesce(
    (select string_agg(distinct format('(%s)', f.form), ' | ')::tsquery
       from (select asked_row(l.language, asked_phrase.text) as form from (select distinct p.language from projects p) l) f
      where numnode(f.form) > 0)
        && plainto_tsquery('ts_other', search_plain(asked_phrase.text)),
    asked_nothing());

-- What finds words one after the other, as a language has them.
-- One that has no places for them, as all are too common in it to be counted, has them wherever they are.
create or replace function asked_row(language text, text text) returns tsquery language sql stable
return coalesce(nullif(phraseto_tsquery(search_configuration(language), search_plain(text)), ''::tsquery),
                plainto_tsquery('ts_other', search_plain(text)));

-- What finds words that begin so; of an identifier, all words but the last are whole.
-- Of a beginning that is in many documents the 40 commonest words count: for all of them the index would read each of
-- their entries, in each month.
create or replace function asked_beginning(text text) returns tsquery language sql stable
return coalesce(
    (select case when p.whole = '' then e.last
                 else plainto_tsquery('ts_other', p.whole) && e.last end
       from (select w.words[cardinality(w.words)] as last,
                    array_to_string(w.words[:cardinality(w.words) - 1], ' ') as whole
               from (select array_remove(regexp_split_to_array(
                                left(unaccent(search_plain(asked_beginning.text)), 500), '\s+'), '') as words) w
              where cardinality(w.words) > 0) p
      cross join lateral (
            select case when coalesce(sum(b.documents), 0) <= 1000 then format('''%s'':*', p.last)::tsquery
                        else string_agg(format('''%s''', b.word), ' | ')::tsquery end as last
              from (select k.word, k.documents
                      from words k
                     where k.word ~>=~ p.last and k.word ~<~ (p.last || U&'\+10FFFF')
                     order by k.documents desc, k.word
                     limit 40) b) e),
    asked_nothing());

-- What finds any of these words, in any form: where in a text it is.
create or replace function asked_any(text text) returns tsquery language sql stable
return coalesce(
    (select string_agg(distinct format('%s', replace(f.form::text, ' & ', ' | ')), ' | ')::tsquery
       from (select plainto_tsquery(search_configuration(l.language), search_plain(asked_any.text)) as form
               from (select distinct p.language from projects p union select 'other') l) f
      where numnode(f.form) > 0),
    asked_nothing());

-- What is in no document.
create or replace function asked_nothing() returns tsquery language sql immutable
return ''' '''::tsquery;
