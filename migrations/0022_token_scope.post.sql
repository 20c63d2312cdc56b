-- Only the release before compared scopes as words of an enum.

drop operator && (text[], token_scope[]);
drop function scopes_overlap(text[], token_scope[]);
drop type token_scope;
