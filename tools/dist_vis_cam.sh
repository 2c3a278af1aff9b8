#!/usr/bin/env bash
# Heatmaps of a list of videos by several GPUs of one or more nodes (without GPUs: several CPU
# processes); each video is done once, and a second run goes on where the first stopped.
#   tools/dist_vis_cam.sh CONFIG CHECKPOINT LIST.txt OUT_DIR GPUS [vis_cam.py's options]
# OUT_DIR/heatmaps gets the heatmap files and manifest.csv, OUT_DIR/overlays the videos (OVERLAYS=0:
# none). Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
usage() { sed -n '2,6s/^# //p' "$0"; }
[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
[[ $# -ge 5 ]] || { usage >&2; exit 2; }

config=$1 checkpoint=$2 list=$3 out=$4 gpus=$5
tools=$(dirname "$0")
outputs=(--file-url "$out/heatmaps")
[[ ${OVERLAYS:-1} == 0 ]] || outputs+=(--out-filename "$out/overlays")
status=$(mktemp)
trap 'rm -f "$status"' EXIT
code=0
MMSAL_STATUS_FILE=$status "$tools/launch.sh" "$gpus" "$tools/visualizations/vis_cam.py" \
    "$config" "$checkpoint" "$list" "${outputs[@]}" --launcher pytorch "${@:6}" || code=$?
[[ ! -s $status ]] || code=$(cat "$status") # torchrun makes a 1 of every code
exit "$code"
