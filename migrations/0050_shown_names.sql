-- transaction: none
-- For people in queries of GET /tickets: by the name that everybody sees. `list_people_named` compares the same.
create index concurrently if not exists users_shown_name on users
    (lower(case when name = email then split_part(name, '@', 1) else name end));
