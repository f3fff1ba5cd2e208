"""Grafana's alert webhook to Slack, Mattermost, Matrix and e-mail, with damping: `python -m grafana.tools relay`.

```
Grafana ─► server ─► alert ─► damping ─► message ─► outbox ─► receivers ─► chat, mail
            HTTP      JSON     what is    the news    until it  wording
                               worth it               is taken
```

`alert`, `damping`, `message`, `outbox` and `wording` know no socket, clock or file: `now` is an argument, in Unix
seconds. `service` ties them together and keeps them in `store`; `command` reads the clock.
"""

from grafana.relay.command import main

__all__ = ["main"]
