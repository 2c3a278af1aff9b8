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
[[ $gpus =~ ^([1-9][0-9]*|auto|cpu|gpu)$ ]] || {
    echo "error: expected a number of GPUs (or CPU processes), got $gpus" >&2
    exit 2
}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" # else torchrun says on stderr that it does so
outputs=(--file-url "$out/heatmaps")
[[ ${OVERLAYS:-1} == 0 ]] || outputs+=(--out-filename "$out/overlays")
status=$(mktemp)
trap 'rm -f "$status"' EXIT
MMSAL_STATUS_FILE=$status torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$gpus" \
    "$(dirname "$0")/visualizations/vis_cam.py" "$config" "$checkpoint" "$list" \
    "${outputs[@]}" --launcher pytorch "${@:6}" || [[ -s $status ]]
exit "$(cat "$status")"
