-- New words go into the index of their parts at once. PostgreSQL 15 may look a word up by that index, and read all
-- that is pending in it each time: a draft of 800 words took five seconds.

alter index words_parts set (fastupdate = off);
select gin_clean_pending_list('words_parts');
