"""The stack without Docker: Telegraf, InfluxDB 1 and, where there is one, Grafana, as processes of this user.

`python -m deploy.native` is the command. `executables` finds the programs, `programs` fetches those that are missing;
`influxdb`, `telegraf` and `grafana` know what each is told; `process` starts and stops; `started` and `folder` keep
what must outlast the command; `parts` brings each part up by `launcher`, and `stack` all of them.
"""
