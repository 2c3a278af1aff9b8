#!/usr/bin/env bash
# Heatmaps of a list of videos through Slurm; each video is done once, and a second run goes on
# where the first stopped.
#   tools/slurm_vis_cam.sh PARTITION JOB_NAME CONFIG CHECKPOINT LIST.txt OUT_DIR [vis_cam.py's options]
# OUT_DIR/heatmaps gets the heatmap files and manifest.csv, OUT_DIR/overlays the videos (OVERLAYS=0:
# none). Set GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5) and SRUN_ARGS to change what is asked for.
set -euo pipefail
usage() { sed -n '2,6s/^# //p' "$0"; }
[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
[[ $# -ge 6 ]] || { usage >&2; exit 2; }

partition=$1 job_name=$2 config=$3 checkpoint=$4 list=$5 out=$6
outputs=(--file-url "$out/heatmaps")
[[ ${OVERLAYS:-1} == 0 ]] || outputs+=(--out-filename "$out/overlays")
# shellcheck disable=SC2086  # SRUN_ARGS holds several words
srun -p "$partition" --job-name="$job_name" --gres=gpu:"${GPUS_PER_NODE:-8}" \
    --ntasks="${GPUS:-8}" --ntasks-per-node="${GPUS_PER_NODE:-8}" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" ${SRUN_ARGS:-} \
    python -u "$(dirname "$0")/visualizations/vis_cam.py" "$config" "$checkpoint" "$list" \
    "${outputs[@]}" --launcher slurm "${@:7}"
