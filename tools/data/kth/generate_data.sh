#!/usr/bin/env bash
# From KTH's videos to cut videos, extracted frames and annotations. See --help.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHON:-python}
RAW_DIR=data/raw_dataset/kth_data
TRIMMED_DIR=data/kth_trimmed
OUT_DIR=data/kth
ACTIONS=(walking running)
TRIM=()
EXTRACT=()
SPLIT=()

usage() {
    cat <<EOF
Usage: generate_data.sh [options]

  RAW_DIR/*.avi -> TRIMMED_DIR/*.avi -> OUT_DIR/image_data/CLIP/image_00001.jpg, ...
                                     -> OUT_DIR/annotations/*.json
Run it again after an interruption: what is complete is skipped.

  --raw-dir DIR          KTH's videos, see download_kth.sh (default: $RAW_DIR)
  --trimmed-dir DIR      cut videos (default: $TRIMMED_DIR)
  --out-dir DIR          frames and annotations (default: $OUT_DIR)
  --actions A [A ...]    classes, in the order of their labels (default: ${ACTIONS[*]})
Cutting (trim_videos.py):
  --num-frames N         frames per file (default: 30)
  --start ACTION=N       first frame, zero-based; may be repeated (default: walking=10, others 0)
  --sequences            cut all sub-sequences of RAW_DIR/00sequences.txt instead
  --size W H             pixels, 0 0 to keep the size (default: 120 120)
  --keep-colour          do not turn the frames grey
  --video-quality Q      quantiser of MPEG-4, from 1 (best) to 31 (default: 1)
Frames (extract_frames.py):
  --image-quality Q      quality of JPEG, from 1 to 100 (default: 95)
Annotations (build_annotations.py):
  --split person|random  the official split by person, or a seeded one (default: person)
  --seed N               seed of the random split (default: 0)
  --ratios TRAIN VAL TEST  shares in the random split (default: 0.6 0.2 0.2)
  --group person|file|sequence  what the random split keeps together (default: person)
  --help                 show this text

Uses PYTHON=$PYTHON. Exit code: 2 for bad usage or input, 3 if some files failed and the rest
is done.
EOF
}

stop() {
    echo "generate_data.sh: error: $1 (see --help)" >&2
    exit 2
}

while [[ $# -gt 0 ]]; do
    option=$1
    shift
    case $option in
        --help | -h) usage; exit 0 ;;
        --sequences | --keep-colour) TRIM+=("$option"); continue ;;
        --actions)
            ACTIONS=()
            while [[ $# -gt 0 && $1 != --* ]]; do ACTIONS+=("$1"); shift; done
            [[ ${#ACTIONS[@]} -gt 0 ]] || stop '--actions needs at least one action'
            continue
            ;;
        --size) count=2 ;;
        --ratios) count=3 ;;
        --raw-dir | --trimmed-dir | --out-dir | --num-frames | --start | --video-quality) count=1 ;;
        --image-quality | --split | --seed | --group) count=1 ;;
        *) stop "unknown option $option" ;;
    esac
    [[ $# -ge $count ]] || stop "$option needs $count value(s)"
    case $option in
        --raw-dir) RAW_DIR=$1 ;;
        --trimmed-dir) TRIMMED_DIR=$1 ;;
        --out-dir) OUT_DIR=$1 ;;
        --num-frames | --start | --size) TRIM+=("$option" "${@:1:count}") ;;
        --video-quality) TRIM+=(--quality "$1") ;;
        --image-quality) EXTRACT+=(--quality "$1") ;;
        *) SPLIT+=("$option" "${@:1:count}") ;;
    esac
    shift "$count"
done

# step SCRIPT ARGUMENTS: run a script; go on if it did part of its work (3), stop otherwise.
failed=0
step() {
    local code=0
    "$PYTHON" "$HERE/$1" "${@:2}" || code=$?
    case $code in
        0) ;;
        3) failed=3 ;;
        *) exit "$code" ;;
    esac
}

step trim_videos.py --raw-dir "$RAW_DIR" --out-dir "$TRIMMED_DIR" --actions "${ACTIONS[@]}" \
    ${TRIM[@]+"${TRIM[@]}"}
step extract_frames.py --video-dir "$TRIMMED_DIR" --out-dir "$OUT_DIR/image_data" \
    --actions "${ACTIONS[@]}" ${EXTRACT[@]+"${EXTRACT[@]}"}
step build_annotations.py --clip-dir "$OUT_DIR/image_data" --actions "${ACTIONS[@]}" \
    ${SPLIT[@]+"${SPLIT[@]}"}
exit $failed
