-- transaction: none
-- People by a part of the name that is shown of them, or of their address.
create index concurrently if not exists users_name_parts on users using gin (
    (lower(case when name = email then split_part(name, '@', 1) else name end)) gin_trgm_ops, lower(email) gin_trgm_ops);
