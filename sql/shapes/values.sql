-- Values: how moments are written, and how large a value is.

-- The one text form of a moment: RFC 3339, UTC, milliseconds. Columns are timestamptz(3), so nothing is cut off.
create or replace function utc(moment timestamptz) returns text language sql stable parallel safe
return to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- Bytes of a value before compression. Only a compressed value has to be unpacked for that.
create or replace function plain_size(value jsonb) returns integer language sql stable
return case when pg_column_compression(value) is null then pg_column_size(value) else octet_length(value::text) end;
