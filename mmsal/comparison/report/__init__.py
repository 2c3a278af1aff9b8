"""The HTML report of a comparison of saliency with gaze; it opens from disk, without a network."""

from mmsal.comparison.report.video_page import VideoPage
from mmsal.comparison.report.write import write_report

__all__ = ['VideoPage', 'write_report']
