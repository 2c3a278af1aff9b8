#!/usr/bin/env bash
# Train on several GPUs of one or more nodes (without GPUs: several CPU processes).
#   tools/dist_train.sh CONFIG GPUS [train.py's options]
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
usage() { sed -n '2,4s/^# //p' "$0"; }
[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
[[ $# -ge 2 ]] || { usage >&2; exit 2; }

config=$1 gpus=$2
tools=$(dirname "$0")
exec "$tools/launch.sh" "$gpus" "$tools/train.py" "$config" --launcher pytorch "${@:3}"
