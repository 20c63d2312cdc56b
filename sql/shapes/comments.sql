-- Comments, as the contract shows them.

-- The contract's Comment.
create or replace function comment_entry(c comments)
returns table (id uuid, ticket_number bigint, author jsonb, body text, visibility comment_visibility,
               created_at text, updated_at text, deleted_at text)
language sql stable rows 1 begin atomic
    select c.id, c.ticket, (select user_ref(u) from users u where u.id = c.author_id), c.body, c.visibility,
           utc(c.created_at), utc(c.updated_at), utc(c.deleted_at);
end;
