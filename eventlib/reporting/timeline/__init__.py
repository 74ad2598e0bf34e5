"""The timeline of one history: who did what when, and when we knew; for wide and for narrow screens."""

from eventlib.reporting.timeline.drawing import draw
from eventlib.reporting.timeline.moments import Moment, finding, finding_of_backfill, lane_of, narration
from eventlib.reporting.timeline.narrow import narrow_scene
from eventlib.reporting.timeline.wide import wide_scene

__all__ = ["Moment", "draw", "finding", "finding_of_backfill", "lane_of", "narration", "narrow_scene", "wide_scene"]
