-- transaction: none
-- The tickets of an organization, and those that are public, in the order of a list. Most tickets are neither.
create index concurrently if not exists tickets_organization on tickets (organization, created_at, number) where organization is not null;
create index concurrently if not exists tickets_public on tickets (created_at, number) where visibility = 'public';
