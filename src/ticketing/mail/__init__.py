"""Mail: what people are sent, as rows and jobs.

    await mail.send(conn, template="invitation", to=Address(name, email), locale="de", values={…})

writes the mail in the caller's transaction, and with it the job that sends it. So a mail exists if what it tells of is
committed, and no request waits for a mail server. Where no server is set up (`TICKETING_SMTP_URL`), mails are captured:
they stay in the table, where operators read them.

addresses   whom a mail goes to, and whom it comes from
wording     templates: from values to a subject, a text and HTML, in the reader's language
outbox      `send`: the row and the job
message     a mail as the bytes of RFC 5322
smtp        the mail server: how it is reached, and what it says
sending     the job: at least once, always with the same Message-ID
upkeep      mails are forgotten after a while
"""

from ticketing.mail.addresses import Address
from ticketing.mail.outbox import check_settings, send, withheld
from ticketing.mail.wording import LOCALES, TEMPLATES

__all__ = ["LOCALES", "TEMPLATES", "Address", "check_settings", "send", "withheld"]
