"""What a panel asks, as a value: of which measurement, which fields, by which tags, of what is chosen, over what time.

`influxql` and `promql` write a question in their language. `of` names the variables that choose what is asked about;
each is a tag too. "Now" is what the newest run saw, if that is no older than `$fresh` before the end of the range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Names = Sequence[str]
FLEET = ("fleet",)

FIELD = "{field}"
"""The name of a curve of several fields: the field's. Others name tags: `{server} ({fleet})`."""


@dataclass(frozen=True)
class Where:
    """A condition on a number: `field` `sign` `value`; signs are those that both languages have, but for =."""

    field: str
    sign: str
    value: int


@dataclass(frozen=True)
class Newest:
    """The newest point of each series, as one table of these columns; `only` where any of these holds."""

    measurement: str
    columns: Names
    of: Names = FLEET
    only: tuple[Where, ...] = ()


@dataclass(frozen=True)
class Worst:
    """As `Newest`, but only what is not ok nor under maintenance, and no more than `most` of it: the most serious."""

    measurement: str
    columns: Names
    of: Names = FLEET
    most: int = 500
    severity: str = "severity"


@dataclass(frozen=True)
class Ranked:
    """As `Newest`, but only the rows with the largest ("top") or smallest ("bottom") values of a field."""

    function: str
    measurement: str
    field: str
    columns: Names
    of: Names = FLEET
    most: int = 200


@dataclass(frozen=True)
class Availability:
    """The share of the 30 days before the end of the range in which each of these was available, as a table.

    What was unknown or under maintenance does not count. At most `most` rows, those with the least.
    """

    measurement: str
    columns: Names
    of: Names = FLEET
    most: int = 500


@dataclass(frozen=True)
class LastRuns:
    """The newest run of each fleet within a week before the end of the range, when it was, and these columns."""

    columns: Names


@dataclass(frozen=True)
class NewestRun:
    """When the newest run began, of whatever fleet, within a week before the end of the range."""


@dataclass(frozen=True)
class UnderMaintenance:
    """The servers and the replicas that are under maintenance, as one table of these columns."""

    columns: Names
    of: Names = FLEET


@dataclass(frozen=True)
class Matrix:
    """The most serious newest value of a field for each combination of these tags, as a table; as `MostSerious`."""

    measurement: str
    field: str
    by: Names
    of: Names = FLEET


@dataclass(frozen=True)
class FoundNow:
    """What each server or replica has of these findings, in a column each; only those that have any."""

    slugs: Names
    columns: Names
    of: Names = FLEET


@dataclass(frozen=True)
class MostSerious:
    """The largest severity of all that counts as now; what is under maintenance counts as -1."""

    measurement: str
    field: str
    of: Names


@dataclass(frozen=True)
class OneNumber:
    """One number for all that counts as now, such as the `max` of a field."""

    function: str
    measurement: str
    field: str
    of: Names


@dataclass(frozen=True)
class HowMany:
    """How many servers or replicas have a finding now; 0 where none has it, nothing where nothing was written.

    What could not be judged is not counted.
    """

    slug: str
    of: Names = FLEET


@dataclass(frozen=True)
class TotalNow:
    """The sum over fleets of one of `cvmfs_scrape`'s numbers, in each one's newest run."""

    field: str


@dataclass(frozen=True)
class SilentFleets:
    """How many fleets had a run in the week before, but none that counts as now."""


@dataclass(frozen=True)
class OverTime:
    """One curve for each value of the tags `by`, where `only` holds; where nothing was written there is a gap."""

    function: str
    measurement: str
    field: str
    by: Names
    of: Names = FLEET
    only: Where | None = None


@dataclass(frozen=True)
class TotalsOverTime:
    """The sums over fleets of `cvmfs_scrape`'s numbers, run by run."""

    fields: Names


@dataclass(frozen=True)
class Events:
    """All points in the chosen time range, the newest `most` of them if there is a limit."""

    measurement: str
    columns: Names
    of: Names = FLEET
    most: int = 0


@dataclass(frozen=True)
class ValuesOf:
    """The values of a tag that were written in the chosen range or the week before it, for a variable."""

    tag: str
    measurement: str
    of: Names = ()


@dataclass(frozen=True)
class InItsOwnWords:
    """A question about what only a database of Telegraf's has, in InfluxQL."""

    influxql: str


Question = (
    Newest
    | Availability
    | Worst
    | Ranked
    | LastRuns
    | NewestRun
    | UnderMaintenance
    | Matrix
    | FoundNow
    | MostSerious
    | OneNumber
    | HowMany
    | TotalNow
    | SilentFleets
    | OverTime
    | TotalsOverTime
    | Events
    | ValuesOf
    | InItsOwnWords
)
