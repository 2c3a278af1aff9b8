#!/usr/bin/env bash
# Heatmaps of a list of videos, by one process and one model; a second run goes on where the
# first stopped.
#   tools/batch_vis_cam.sh CONFIG CHECKPOINT LIST.txt OUT_DIR [vis_cam.py's options]
# LIST.txt: a video per line; or `VIDEO LABEL`; or `VIDEO frames 1-75, 152-225` (from 1, inclusive).
# OUT_DIR/heatmaps gets the text files and manifest.csv, OUT_DIR/overlays the videos (OVERLAYS=0:
# none).
set -euo pipefail
usage() { sed -n '2,7s/^# //p' "$0"; }
[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
[[ $# -ge 4 ]] || { usage >&2; exit 2; }

config=$1 checkpoint=$2 list=$3 out=$4
outputs=(--file-url "$out/heatmaps")
[[ ${OVERLAYS:-1} == 0 ]] || outputs+=(--out-filename "$out/overlays")
python "$(dirname "$0")/visualizations/vis_cam.py" "$config" "$checkpoint" "$list" \
    "${outputs[@]}" "${@:5}"
