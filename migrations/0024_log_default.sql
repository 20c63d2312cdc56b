-- Until a log is mended (mend_event_log), it numbers its transactions as the server does, and writing costs nothing more.

do $$
begin
    if (select added = 0 from event_log) then
        alter table events alter column transaction_id set default pg_current_xact_id();
    end if;
end;
$$;
