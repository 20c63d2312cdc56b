-- transaction: none
-- For `title` of GET /tickets: the words of titles, apart from the signs between them. `matching_tickets` compares the same.
create index concurrently if not exists tickets_title on tickets
    using gin (to_tsvector('simple', translate(title, '-_./\:;,|()[]{}<>"''!?#@&+=*%~^$`', '                                ')));
