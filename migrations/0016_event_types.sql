-- Each type of event is declared once: who reads it, and what a token and a webhook endpoint need to be told of it.

-- Whether only staff may see this event, of a type that others may see as well. Null: as `audience` says, which the
-- release before this one writes.
alter table events add column internal boolean;

-- A process of the release before this one goes by `audience` when it shows a ticket's events. A migration of a later
-- release takes the column and this trigger away.
create function note_audience() returns trigger language plpgsql as $$
begin
    new.audience := 'internal';
    return new;
end;
$$;
create trigger note_audience before insert on events for each row when (new.internal) execute function note_audience();

-- An endpoint that names nothing but what is for staff alone was told of it without `include_internal`, and still is.
with chosen as (
    select w.id from webhook_endpoints w
     where not w.include_internal and w.event_types <> '{}'
       and w.event_types <@ '{user.created,user.updated,token.created,token.revoked,webhook.created,webhook.updated,
                              webhook.deleted,webhook.rotated,webhook.pinged,webhook.redelivered,webhook.failing,
                              webhook.disabled,job.retried,job.cancelled,queue.paused,queue.resumed}'
       for update
), updated as (
    update webhook_endpoints as w set include_internal = true, updated_at = now()
      from chosen where w.id = chosen.id
    returning w
)
insert into events (id, type, data, previous)
select new_job_id(), 'webhook.updated', to_jsonb(r), '{"include_internal": false}'
  from updated cross join lateral webhook_endpoint_resource(updated.w) r;
