-- Mails: waiting, sent, failed or captured.

-- name: insert_mail(mail_id, template, locale, to_name, to_email, subject, body, html_body, thread, unsubscribe, pausing, status, error, expires_at, event_id, user_id, queue, max_attempts, group_limit)$
-- Add a mail, and the job that sends it if it is pending; but of one event at most one for each user. A failed one keeps
-- no bodies.
-- nullable: thread, unsubscribe, error, expires_at, event_id, user_id
with inserted as (
    insert into mails as m (id, template, locale, to_name, to_email, subject, body, html_body, thread, unsubscribe,
                            pausing, status, error, expires_at, event_id, user_id, settled_at)
    select :mail_id, :template, :locale, :to_name, :to_email, :subject,
           case when :status::mail_status <> 'failed' then :body end,
           case when :status::mail_status <> 'failed' then :html_body end,
           :thread, :unsubscribe, :pausing, :status::mail_status, :error, :expires_at::timestamptz, :event_id,
           :user_id, case when :status::mail_status <> 'pending' then clock_timestamp() end
    on conflict (event_id, user_id) where event_id is not null do nothing
    returning m.id, m.status
)
select case when i.status = 'pending'
            then enqueue_job('mail.send', jsonb_build_object('mail_id', i.id), queue => :queue,
                             max_attempts => :max_attempts::int, unique_key => i.id::text, group_name => 'mail',
                             group_limit => :group_limit::int, shown => '{mail_id}') end
  from inserted i;

-- name: get_mail_to_send(mail_id)^
-- returns: MailToSend
-- A pending mail, and whether it is still of use.
select m.id, m.to_name, m.to_email, m.subject, m.body, m.html_body, m.thread, m.unsubscribe, m.created_at,
       m.expires_at <= clock_timestamp() is true as expired
  from mails m
 where m.id = :mail_id and m.status = 'pending';

-- name: settle_mail(mail_id, status, error, tries)!
-- Note how a pending mail ended, after so many more tries. Only a captured one keeps its bodies.
-- nullable: error
update mails
   set status = :status::mail_status, error = :error, attempt_count = attempt_count + :tries::int,
       settled_at = clock_timestamp(),
       body = case when :status::mail_status = 'captured' then body end,
       html_body = case when :status::mail_status = 'captured' then html_body end
 where id = :mail_id and status = 'pending';

-- name: note_mail_attempt(mail_id, error)!
-- Note an attempt that failed and is followed by another one.
update mails set attempt_count = attempt_count + 1, error = :error where id = :mail_id and status = 'pending';

-- name: list_mails(status, to, template, after, page_size)
-- returns: Mail
-- A page of mails, newest first, from after a given one on. Of one status or template it is an equality, by which an
-- index can both find and sort.
select r.*
  from mails m cross join lateral mail_resource(m) r
 where (:status::mail_status[] is null
        or case when cardinality(:status::mail_status[]) = 1 then m.status = (:status::mail_status[])[1]
                else m.status = any(:status::mail_status[]) end)
   and (:to::text is null or lower(m.to_email) = lower(:to::text))
   and (:template::text[] is null
        or case when cardinality(:template::text[]) = 1 then m.template = (:template::text[])[1]
                else m.template = any(:template::text[]) end)
   and (:after::uuid is null or m.id < :after::uuid)
 order by m.id desc
 limit :page_size;

-- name: get_mail(mail_id)^
-- returns: MailDetail
-- A mail; one that was captured with its bodies.
select r.*, case when m.status = 'captured' then m.body end as text,
       case when m.status = 'captured' then m.html_body end as html
  from mails m cross join lateral mail_resource(m) r
 where m.id = :mail_id;

-- name: fail_stray_mails(error, minutes, batch)!
-- Give up a batch of old pending mails that no job will send: an operator has cancelled it, or its tries are used up.
update mails m
   set status = 'failed', error = coalesce(m.error, :error), settled_at = clock_timestamp(), body = null, html_body = null
 where m.id = any(array(
    select p.id
      from mails p
     where p.status = 'pending' and p.created_at < now() - make_interval(mins => :minutes::int)
       and not exists (select from jobs j
                        where j.kind = 'mail.send' and j.unique_key = p.id::text and j.state in ('available', 'running'))
     order by p.id
     limit :batch
       for update skip locked));

-- name: delete_old_mails(days, batch)!
-- Forget a batch of mails that were settled long ago.
delete from mails
 where id = any(array(
    select m.id
      from mails m
     where m.created_at < now() - make_interval(days => :days::int) and m.status <> 'pending'
     order by m.created_at
     limit :batch
       for update skip locked));

-- name: delete_captured_mails(most, batch)!
-- Forget a batch of the captured mails that are older than so many newer ones.
delete from mails
 where id = any(array(
    select m.id
      from mails m
     where m.status = 'captured'
       and m.id <= (select newest.id from mails newest where newest.status = 'captured'
                     order by newest.id desc offset :most limit 1)
     order by m.id
     limit :batch
       for update skip locked));
