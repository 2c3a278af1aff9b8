"""The HTML report of a comparison of saliency with gaze; it opens from disk, without a network."""

from mmsal.comparison.report.video_page import VideoPage
from mmsal.comparison.report.write import check_report_folder, write_report

__all__ = ['VideoPage', 'check_report_folder', 'write_report']
