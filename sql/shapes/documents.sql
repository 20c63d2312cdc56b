-- Documents: the words by which tickets are found. A query is read by the same functions as the text that it is to find.

-- How texts of a project are read.
create or replace function search_configuration(language text) returns regconfig language sql immutable parallel safe
return case language
       when 'ar' then 'ts_ar'::regconfig
       when 'ca' then 'ts_ca'::regconfig
       when 'da' then 'ts_da'::regconfig
       when 'de' then 'ts_de'::regconfig
       when 'el' then 'ts_el'::regconfig
       when 'en' then 'ts_en'::regconfig
       when 'es' then 'ts_es'::regconfig
       when 'eu' then 'ts_eu'::regconfig
       when 'fi' then 'ts_fi'::regconfig
       when 'fr' then 'ts_fr'::regconfig
       when 'ga' then 'ts_ga'::regconfig
       when 'hi' then 'ts_hi'::regconfig
       when 'hu' then 'ts_hu'::regconfig
       when 'hy' then 'ts_hy'::regconfig
       when 'id' then 'ts_id'::regconfig
       when 'it' then 'ts_it'::regconfig
       when 'lt' then 'ts_lt'::regconfig
       when 'nb' then 'ts_nb'::regconfig
       when 'ne' then 'ts_ne'::regconfig
       when 'nl' then 'ts_nl'::regconfig
       when 'pt' then 'ts_pt'::regconfig
       when 'ro' then 'ts_ro'::regconfig
       when 'ru' then 'ts_ru'::regconfig
       when 'sr' then 'ts_sr'::regconfig
       when 'sv' then 'ts_sv'::regconfig
       when 'ta' then 'ts_ta'::regconfig
       when 'tr' then 'ts_tr'::regconfig
       when 'yi' then 'ts_yi'::regconfig
       else 'ts_other'::regconfig end;

-- A text as words between blanks: lower case, no punctuation.
-- So `src/a.py` and `ERR_CONN_42` are found by their parts, and whole as a phrase. What is written without blanks becomes its pairs of letters: 数据库 is 数据 据库.
create or replace function search_plain(written text) returns text language sql immutable parallel safe
return case when octet_length(written) = length(written)
            then translate(lower(written), '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32))
            else search_letters(written) end;

-- search_plain of a text with more than ASCII. PostgreSQL's parser takes all beyond for letters in some locales.
create or replace function search_letters(written text) returns text language plpgsql immutable parallel safe as $$
declare
    pairs constant text := '\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3005-\u3007\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3\uF900-\uFAFF\U00020000-\U0003FFFF';
    noise constant text := '[\u00A0-\u00A9\u00AB\u00AC\u00AE-\u00B1\u00B4\u00B6-\u00B8\u00BB\u00BF\u00D7\u00F7\u02C2-\u02DF\u0589\u05BE\u060C\u061B\u061F\u066A-\u066D\u06D4\u0964\u0965\u2000-\u206F\u20A0-\u20CF\u2100-\u2BFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3020\u3030\u303D-\u303F\u30FB\uE000-\uF8FF\uFE00-\uFE4F\uFEFF\uFFF0-\uFFFF\U0001F000-\U0001FAFF\U000E0000-\U0010FFFF]';
    plain text := regexp_replace(replace(normalize(lower(written), NFKC), U&'\00AD', ''), noise, ' ', 'g');
begin
    plain := translate(plain, '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32));
    if plain !~ ('[' || pairs || ']') then
        return plain;
    end if;
    -- 数据库 becomes <数 数据 据库 库>, and loses both ends; a letter alone stays. No look behind: PostgreSQL begins that at
    -- the first letter of the text each time.
    plain := regexp_replace(plain, '([' || pairs || ']+)', ' <\1> ', 'g');
    plain := regexp_replace(plain, '([' || pairs || '])', '\1 \1', 'g');
    plain := regexp_replace(plain, '<[' || pairs || '] ', '', 'g');
    plain := regexp_replace(plain, '([' || pairs || ']) [' || pairs || ']>', '\1', 'g');
    return translate(plain, '>', ' ');
end;
$$;

-- Words that search_plain does not make of a text: the parts of `userName`, and single letters of scripts without blanks.
create or replace function search_parts(written text) returns text language plpgsql immutable parallel safe as $$
declare
    letters constant text := '\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3005-\u3007\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3\uF900-\uFAFF\U00020000-\U0003FFFF';
    parts text := '';
begin
    if written ~ '[a-z0-9][A-Z]' then
        parts := search_plain(regexp_replace(written, '([a-z0-9])([A-Z])', '\1 \2', 'g'));
    end if;
    if octet_length(written) > length(written) and written ~ ('[' || letters || ']') then
        parts := parts || ' ' || regexp_replace(regexp_replace(normalize(written, NFKC), '[^' || letters || ']+', ' ', 'g'),
                                                '([' || letters || '])', '\1 ', 'g');
    end if;
    return parts;
end;
$$;

-- The month, of 30 days, that a moment is in.
create or replace function search_slice(moment timestamptz) returns integer language sql stable parallel safe
return floor(extract(epoch from moment) / 2592000)::int;

-- The words of a ticket: their stems with places, and each as it was written, for its beginnings and other languages.
-- PostgreSQL refuses a vector of more than a megabyte, so of long texts the ends are left out.
create or replace function document(language text, title text, description text, comments text) returns tsvector
language plpgsql immutable as $$
declare
    form  constant regconfig := search_configuration(language);
    room  integer := 1048576;
    first text := search_plain(title);
    about text;
    more  text;
begin
    loop
        about := left(description, room);
        more := left(coalesce(comments, ''), room);
        begin
            return setweight(to_tsvector(form, first), 'A')
                || setweight(to_tsvector(form, search_plain(about)), 'B')
                || setweight(to_tsvector(form, search_plain(more)), 'C')
                || strip(to_tsvector('ts_other', concat_ws(' ', first, search_plain(about), search_plain(more),
                                                           search_parts(title), search_parts(about), search_parts(more))));
        exception when program_limit_exceeded then
            room := room / 2;
        end;
    end loop;
end;
$$;

-- What a ticket's documents are to be; no row if there is no such ticket. Of very many comments, the newest count.
create or replace function documents_of(ticket bigint)
returns table (created_at timestamptz, slice integer, internal boolean, text tsvector, staff_text tsvector)
language sql stable rows 1 begin atomic
    select t.created_at, search_slice(t.created_at), c.internal,
           document(p.language, t.title, t.description, c.public),
           case when c.internal then document(p.language, t.title, t.description, c.every) end
      from tickets t
      join projects p on p.key = t.project
     cross join lateral (
        select string_agg(n.body, E'\n' order by n.created_at desc, n.id desc)
                   filter (where n.visibility = 'public' and n.public_bytes <= 1000000) as public,
               string_agg(n.body, E'\n' order by n.created_at desc, n.id desc) filter (where n.bytes <= 1000000) as every,
               coalesce(bool_or(n.visibility = 'internal'), false) as internal
          from (select c.id, c.created_at, c.body, c.visibility, sum(octet_length(c.body)) over newest as bytes,
                       sum(octet_length(c.body)) filter (where c.visibility = 'public') over newest as public_bytes
                  from comments c
                 where c.ticket = documents_of.ticket and c.body is not null
                window newest as (order by c.created_at desc, c.id desc)
                 order by c.created_at desc, c.id desc
                 limit 5000) n
     ) c
     where t.number = documents_of.ticket;
end;

-- Bytes of all texts of a ticket, of which documents_of takes no more than two megabytes.
create or replace function text_bytes(ticket bigint) returns integer language sql stable
return (select octet_length(t.title) + octet_length(t.description)
               + least(2000000, (select coalesce(sum(octet_length(c.body)), 0) from comments c where c.ticket = t.number))::int
          from tickets t where t.number = ticket);

-- Counts words in so many documents more, and gives those that are in none now.
-- They are given in their order, so that no two wait for each other.
create or replace function count_words(given text[], more integer[]) returns text[] language plpgsql as $$
declare
    gone text[];
begin
    with counted as (
        insert into words as w (word, documents)
        select g.word, g.documents from unnest(given, more) as g (word, documents)
            on conflict (word) do update set documents = w.documents + excluded.documents
        returning w.word, w.documents
    )
    select array_agg(c.word) into gone from counted c where c.documents <= 0;
    return gone;
end;
$$;

-- Takes the words of tickets out of all documents at once, until the worker writes what these have left.
-- It leaves a mark, by which a statement that has read the text before writes nothing.
create or replace function erase_documents(given bigint[]) returns void language plpgsql as $$
declare
    had  text[];
    gone text[];
begin
    -- Each is locked in the order of numbers, which is the worker's, whether it was there or not.
    with locked as (
        insert into ticket_documents as d (number, created_at, slice, internal, text, erased_by)
        select g.number, coalesce(t.created_at, now()), search_slice(coalesce(t.created_at, now())), false, '', pg_current_xact_id()
          from unnest(given) as g (number) left join tickets t on t.number = g.number
         order by g.number
            on conflict (number) do update set erased_by = pg_current_xact_id()
        returning d.text
    )
    select array_agg(w.word) into had
      from locked cross join lateral unnest(tsvector_to_array(locked.text)) as w (word) where length(w.word) <= 64;
    update ticket_documents d set text = '' where d.number = any(given) and d.text <> '';
    select count_words(array_agg(c.word order by c.word), array_agg(c.documents order by c.word)) into gone
      from (select h.word, -count(*)::int as documents from unnest(had) as h (word) group by h.word) c;
    delete from words w where w.word = any(gone) and w.documents <= 0;
    insert into staff_documents as d (number, created_at, slice, text, erased_by)
    select g.number, coalesce(t.created_at, now()), search_slice(coalesce(t.created_at, now())), '', pg_current_xact_id()
      from unnest(given) as g (number) left join tickets t on t.number = g.number
     order by g.number
        on conflict (number) do update set text = '', erased_by = pg_current_xact_id();
end;
$$;
