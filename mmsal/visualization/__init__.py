"""Pictures and videos of heatmaps."""

from mmsal.visualization.contact_sheet import Row, evenly_spaced, write_contact_sheet
from mmsal.visualization.overlay import overlay
from mmsal.visualization.video_file import write_video

__all__ = ['Row', 'evenly_spaced', 'overlay', 'write_contact_sheet', 'write_video']
