"""Webhooks: endpoints are told of events, by Standard Webhooks 1.0 (https://www.standardwebhooks.com).

From an event to its receiver:

1. `fan_out` reads the event log and makes a delivery for each endpoint that wants the event, and the job that sends it,
   in the same transaction that moves the place in the log. So each delivery is made exactly once. What admins ask for -
   a ping, a redelivery, an end of a pause - is an event as well and starts here.
2. `messages` are what is told, written once for each event and format; by the fan-out as a rule, which reads the log by
   bytes as well as by events. An event of which none can be written holds nobody up: its deliveries fail, and say why.
3. `delivering` is the job: sign, send, and write down what came of it. A delivery is sent at least once, always with
   the same `webhook-id`, until it is accepted or the tries of `schedule` are used up.
4. `endpoints` and `deliveries` are the rules behind the API; `redelivering` and `upkeep` are jobs of many deliveries.
"""
