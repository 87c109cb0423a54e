"""What is there to do for people: for whom, by when, what is it about, and who has it?

A piece of work stands as long as its reason does. It comes and goes with the facts; people claim and
finish it in a stream of its own, which is only read here.
"""

from projections.work.lists import Work, exists, list_work
from projections.work.projection import WORK
from projections.work.rows import Owner, WorkKind

__all__ = ["WORK", "Owner", "Work", "WorkKind", "exists", "list_work"]
