#!/usr/bin/env bash
# Test through Slurm.
#   tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [test.py's options]
# Set GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5) and SRUN_ARGS to change what is asked for.
set -euo pipefail
usage() { sed -n '2,4s/^# //p' "$0"; }
[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
[[ $# -ge 4 ]] || { usage >&2; exit 2; }

partition=$1 job_name=$2 config=$3 checkpoint=$4
# shellcheck disable=SC2086  # SRUN_ARGS holds several words
srun -p "$partition" --job-name="$job_name" --gres=gpu:"${GPUS_PER_NODE:-8}" \
    --ntasks="${GPUS:-8}" --ntasks-per-node="${GPUS_PER_NODE:-8}" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    python -u "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher slurm "${@:5}"
