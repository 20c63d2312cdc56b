-- A requester closes their own ticket.

alter type ticket_resolution add value 'withdrawn';
