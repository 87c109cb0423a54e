"""What is there to do for people: for whom, by when, how, what is it about, and who has it?

A piece of work stands as long as its reason does. It comes and goes with the facts; people claim and
finish it in a stream of its own, which is only read here.
"""

from projections.work.kinds import KINDS, Next, Step, WorkKind
from projections.work.lists import Work, WorkCount, WorkFilter, count_work, find_work, list_work
from projections.work.projection import WORK
from projections.work.rows import Owner

__all__ = [
    "KINDS",
    "WORK",
    "Next",
    "Owner",
    "Step",
    "Work",
    "WorkCount",
    "WorkFilter",
    "WorkKind",
    "count_work",
    "find_work",
    "list_work",
]
