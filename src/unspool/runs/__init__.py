"""A source pumped into a log, watched or not."""

from unspool.runs.followers import Follower, Followers
from unspool.runs.ids import new_run_id
from unspool.runs.options import RunOptions
from unspool.runs.reading import read_all
from unspool.runs.request import RunRequest
from unspool.runs.runner import Mount, Runner

__all__ = ["Follower", "Followers", "Mount", "RunOptions", "RunRequest", "Runner", "new_run_id", "read_all"]
