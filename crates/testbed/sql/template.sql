-- A database that is copied must have nobody in it: its engine is told to leave before it comes.
begin;
set local client_min_messages = error;
create extension pg_frontdesk cascade;
select frontdesk.stop();
commit;
