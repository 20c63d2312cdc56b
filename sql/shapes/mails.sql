-- Mails: how they are shown to operators.

-- The document's Mail.
create or replace function mail_resource(m mails)
returns table (id uuid, template text, locale text, "to" jsonb, subject text, status mail_status, attempt_count integer,
               error text, created_at text, settled_at text)
language sql stable rows 1 begin atomic
    select m.id, m.template, m.locale, jsonb_build_object('name', m.to_name, 'email', m.to_email), m.subject, m.status,
           m.attempt_count, m.error, utc(m.created_at), utc(m.settled_at);
end;
