-- Only the release before looked for finished jobs whatever their state.

drop index jobs_finished;
