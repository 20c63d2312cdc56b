-- Full text: documents of tickets beside them, which a worker keeps. No request that opens or comments writes any.

create extension if not exists unaccent;
create extension if not exists btree_gin;
create extension if not exists pg_trgm;

-- The language that a project's people write in: its words are found in all their forms. `other` is any that we have no
-- rules for; its words are found as they are written.
alter table projects add column language text not null default 'en' constraint language_has_a_code check (language ~ '^[a-z]{2,8}$');

-- A configuration for each language, and `ts_other`. Accents go first.
do $$
declare
    of record;
begin
    for of in
        select * from (values
            ('ar', 'arabic'), ('ca', 'catalan'), ('da', 'danish'), ('de', 'german'), ('el', 'greek'), ('en', 'english'),
            ('es', 'spanish'), ('eu', 'basque'), ('fi', 'finnish'), ('fr', 'french'), ('ga', 'irish'), ('hi', 'hindi'),
            ('hu', 'hungarian'), ('hy', 'armenian'), ('id', 'indonesian'), ('it', 'italian'), ('lt', 'lithuanian'),
            ('nb', 'norwegian'), ('ne', 'nepali'), ('nl', 'dutch'), ('pt', 'portuguese'), ('ro', 'romanian'),
            ('ru', 'russian'), ('sr', 'serbian'), ('sv', 'swedish'), ('ta', 'tamil'), ('tr', 'turkish'),
            ('yi', 'yiddish'), ('other', 'simple')) as names (code, name)
    loop
        execute format('create text search configuration ts_%s (copy = pg_catalog.%s)', of.code, of.name);
        execute format('alter text search configuration ts_%s alter mapping for'
                       ' asciiword, asciihword, hword_asciipart, hword, hword_part, word with unaccent, %s',
                       of.code, case of.name when 'simple' then 'simple' else of.name || '_stem' end);
        execute format('alter text search configuration ts_%s alter mapping for numword, numhword, hword_numpart'
                       ' with unaccent, simple', of.code);
    end loop;
end $$;

-- The words of each ticket's title (A), description (B) and public comments (C). `internal`: it has internal comments,
-- and staff_documents has it with these, so that no statement of anybody else reads a word of them.
create table ticket_documents (
    number     bigint primary key,
    created_at timestamptz(3) not null,
    -- Of 30 days: a search reads the newest first, and stops.
    slice      integer not null,
    internal   boolean not null,
    text       tsvector not null,
    -- The transaction that took text away, until the document is written anew from what it has left.
    erased_by  xid8
);
alter table ticket_documents alter text set storage external;
-- Each slice reads the list of what is pending, so that is short.
create index ticket_documents_text on ticket_documents using gin (slice, text) with (gin_pending_list_limit = 256);

create table staff_documents (
    number     bigint primary key,
    created_at timestamptz(3) not null,
    slice      integer not null,
    text       tsvector not null,
    erased_by  xid8
);
alter table staff_documents alter text set storage external;
create index staff_documents_text on staff_documents using gin (slice, text) with (gin_pending_list_limit = 256);

-- In how many ticket_documents each word is: for what is begun, for parts of words, and for how rare one is.
create table words (
    word      text primary key,
    documents integer not null
) with (fillfactor = 80);
create index words_begun on words (word text_pattern_ops);
create index words_parts on words using gin (word gin_trgm_ops);

-- One row: the place in the event log up to which documents are current. It moves in the transaction that writes them.
create table search_progress (
    single         boolean primary key default true check (single),
    transaction_id xid8 not null,
    position       bigint not null,
    -- Of what form the documents are: a release that forms them in another way writes all of them again.
    form           integer not null
);
-- What is older is written by the rebuild that the first worker begins. Transactions that still run come after it.
insert into search_progress (transaction_id, position, form)
select (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + coalesce((select added from event_log), 0))::text::xid8, 0, 0;

-- Documents to be written again: of all tickets, or of a project's.
create table search_rebuilds (
    id           bigint generated always as identity primary key,
    project      text,
    -- Those up to `done` are written, and `last` was the newest ticket when it began.
    done         bigint not null default 0,
    last         bigint not null,
    written      bigint not null default 0,
    requested_at timestamptz(3) not null default clock_timestamp(),
    finished_at  timestamptz(3)
);
create index search_rebuilds_unfinished on search_rebuilds (id) where finished_at is null;
