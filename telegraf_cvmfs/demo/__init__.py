"""A fleet of signed repositories in memory, with known faults, served on loopback.

`DemoFleet` is a small CernVM-FS deployment of the domain `demo.example`. Its keys are made at start, so
every chain of trust in it verifies against the master public key that it hands out.

The servers:

* `stratum0` publishes all six repositories.
* `stratum1-healthy` replicated them minutes ago.
* `stratum1-lagging` is neglected: some replicas are old, and so is its database of places.
* `stratum1-down` refuses connections.

The repositories:

* `software`, `conditions` and `config` are plain.
* `data` uses the content hash SHAKE128.
* `containers` is published under the path `/cvmfs/containers`, an alias.
* `nightlies` is garbage collectable, and is garbage collected.

What a first run should find with the default limits:

* `stratum0` and `stratum1-healthy`: nothing; every replica is ok.
* `stratum1-lagging` itself: `geodb_old`, a warning. Its replicas:

  * `software`: `snapshot_old`, critical (31 h); three revisions behind.
  * `data`: `snapshot_old`, critical (36 h); `lagging`, critical (33 h); two revisions behind.
  * `containers`: `snapshot_old`, a warning (13 h); `lagging`, a warning (12 h); one revision behind.
  * `conditions`: `check_failed`, a warning.
  * `nightlies`: ok; two revisions behind while a snapshot runs.
  * `config`: a pass-through replica, listed and never judged.

* `stratum1-down`: `server_down`, critical. The two replicas that the fleet file names for it are unknown.

With `faults=True` there is a fourth stratum 1, `stratum1-faulty`. It is up and in time, and has every repository with
one fault that is critical, whatever the rest of the fleet says (`demo.faults` makes them):

* `nightlies`: `whitelist`; it expired four days ago (signature `whitelist_expired`).
* `conditions`: `signature`; the manifest is signed with a certificate that the whitelist does not list
  (`certificate_not_listed`).
* `containers`: `root_catalog`; the root catalog is `missing`.
* `config`: `root_catalog`; it is `empty`.
* `data`: `root_catalog`; it is `corrupt`, which only its bytes tell.
* `software`: `diverged`; the revision of the stratum 0 with another root catalog, properly signed.

All that is the state of a fleet that stands still at its moment, as `telegraf-cvmfs --demo` scrapes it. One that is
told to `advance` lives (`demo.life` has when what happens): `telegraf-cvmfs demo` serves it, `demo --history` tells its
past. Then, at every moment and with memory of earlier runs:

* `stratum0` and `stratum1-healthy`: nothing. A publication is on the latter within 15 minutes.
* `stratum1-lagging` itself: `geodb_old`, a warning. Its replicas:

  * `software` and `data`: `lagging`, critical, 1 to 4 days. Each has a snapshot every other day, which takes
    40 hours: `snapshot_old` and `snapshot_stuck` come and go, and one of the two is always `snapshot_old`, critical.
  * `containers`: `snapshot_old` and `lagging`, warnings, come and go.
  * `conditions`: `check_failed`, a warning.
  * `nightlies`: ok, up to seven hours behind.
  * `config`: a pass-through replica, listed and never judged.

* `stratum1-down`: `server_down`, critical.
* `stratum1-faulty`, with `faults=True`: the same faults at all times.
"""

from telegraf_cvmfs.demo.fleet import DemoFleet

__all__ = ["DemoFleet"]
